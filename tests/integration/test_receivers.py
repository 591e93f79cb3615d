"""What a receiver relies on: signatures that verify, and `test` that tells what came of a delivery."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sendkit_sync import verify_signature
from sendkit_sync.core.model import Secret
from sendkit_sync.simulator import Fault
from sendkit_sync.state import read_state
from support.receiving import receiver
from support.workspace import REPOSITORY, Workspace

BODY = b'{"event":"email.replied","data":{"n":1}}'
SECRET = "canary-receiver-secret-0001"
SIGNED = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


class TestSignature:
    @pytest.mark.parametrize("header", [SIGNED, "sha256=" + SIGNED, "SHA256=" + SIGNED.upper(), f"  {SIGNED}\r\n"])
    def test_a_good_one_verifies_in_every_form(self, header: str):
        assert verify_signature(BODY, header, SECRET)
        assert verify_signature(bytearray(BODY), header, Secret(SECRET))
        assert verify_signature(memoryview(BODY), header.encode(), SECRET.encode())
        assert verify_signature(BODY, header.encode(), (key.encode() for key in ("another", SECRET)))

    def test_one_of_several_secrets_is_enough(self):
        assert verify_signature(BODY, SIGNED, ["another", SECRET])
        assert verify_signature(BODY, SIGNED, [Secret(SECRET), ""])
        assert not verify_signature(BODY, SIGNED, ["another", "third"])

    @pytest.mark.parametrize(
        "header",
        [
            *(None, "", "sha256=", SIGNED[:-1], SIGNED + "0", "sha1=" + SIGNED, "sha256=sha256=" + SIGNED, "ü" * 64, "\ud800"),
            *(f"t=1,v1={SIGNED}", f"{SIGNED},{SIGNED}", SIGNED[:32] + " " + SIGNED[32:], "\0" + SIGNED),
            *(b"", b"sha256=", b"\xff" * 64, SIGNED.encode()[:-1]),
        ],
    )
    def test_any_other_header_does_not_verify(self, header: str | bytes | None):
        assert not verify_signature(BODY, header, SECRET)

    def test_a_changed_body_does_not_verify(self):
        assert not verify_signature(BODY + b" ", SIGNED, SECRET)

    @pytest.mark.parametrize("secrets", ["", b"", [], ["", Secret(""), b""], ()])
    def test_no_secret_is_an_error(self, secrets: list[str]):
        with pytest.raises(ValueError, match="no secret"):
            verify_signature(BODY, hmac.new(b"", BODY, hashlib.sha256).hexdigest(), secrets)

    def test_a_body_of_text_is_refused(self):
        with pytest.raises(TypeError, match="raw bytes"):
            verify_signature(BODY.decode(), SIGNED, SECRET)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "secret",
        [
            *("", b"", " ", "\r\n", "\u3000\t", "\0", b" \n", " \0\n", b"\xe3\x80\x80"),
            pytest.param("\0" * 64, id="zero bytes"),
        ],
    )
    def test_a_blank_secret_opens_nothing(self, secret: str | bytes):
        raw = secret.encode() if isinstance(secret, str) else secret
        forged = hmac.new(raw, BODY, hashlib.sha256).hexdigest()
        assert not verify_signature(BODY, forged, [secret, SECRET])
        for alone in (secret, [secret], [Secret(raw.decode())]):
            with pytest.raises(ValueError, match="no secret"):
                verify_signature(BODY, forged, alone)

    @pytest.mark.parametrize(
        "secrets",
        [
            pytest.param(bytearray(), id="empty bytearray"),
            pytest.param(bytearray(b"k" * 32), id="bytearray"),
            pytest.param(memoryview(b"k" * 32), id="memoryview"),
            pytest.param({SECRET: "a name, no secret"}, id="mapping"),
            pytest.param([bytearray(b"k" * 32)], id="bytearray inside"),
            pytest.param([memoryview(b"k" * 32)], id="memoryview inside"),
            pytest.param([SECRET, None], id="None inside"),
            pytest.param([SECRET, 32], id="number inside"),
            pytest.param([[SECRET]], id="list inside"),
            pytest.param(32, id="number"),
            pytest.param(None, id="None"),
        ],
    )
    def test_a_secret_of_another_type_is_refused(self, secrets: object):
        forgeries = [hmac.new(bytes(length), BODY, hashlib.sha256).hexdigest() for length in (0, 32, ord("k"))]
        for header in (SIGNED, *forgeries):
            with pytest.raises(TypeError, match="str, bytes or Secret") as caught:
                verify_signature(BODY, header, secrets)  # type: ignore[arg-type]
            assert SECRET not in str(caught.value)

    @pytest.mark.parametrize("header", [32, [SIGNED], bytearray(SIGNED.encode())])
    def test_a_header_of_another_type_is_refused(self, header: object):
        with pytest.raises(TypeError, match="header"):
            verify_signature(BODY, header, SECRET)  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", ["sendkit_sync", "sendkit_sync.receivers"])
    def test_a_receiver_loads_nothing_beyond_hmac(self, name: str):
        """So its import takes no longer than that of `hmac`, and needs nothing but the standard library."""
        script = "import sys, hmac\nbefore = {*sys.modules}\n"
        script += (
            f"sys.path.append({str(REPOSITORY)!r})\nfrom {name} import verify_signature\nprint(*{{*sys.modules}} - before)"
        )
        words = [sys.executable, "-I", "-S", "-c", script]
        loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        assert {*loaded} <= {"__future__", "sendkit_sync", "sendkit_sync.version", "sendkit_sync.receivers"}

    def test_the_module_works_as_a_copy_of_its_own(self, tmp_path: Path):
        shutil.copy(REPOSITORY / "sendkit_sync" / "receivers.py", tmp_path / "copied.py")
        script = f"from copied import verify_signature; print(verify_signature({BODY!r}, {SIGNED!r}, {SECRET!r}))"
        done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stdout == "True\n"

    def test_all_secrets_are_compared_whichever_fits(self, monkeypatch: pytest.MonkeyPatch):
        compared: list[bytes] = []

        def compare(left: bytes, right: bytes) -> bool:
            compared.append(right)
            return left == right

        monkeypatch.setattr("sendkit_sync.receivers.hmac.compare_digest", compare)
        assert verify_signature(BODY, SIGNED, [SECRET, "second", "third"])
        assert len(compared) == 3


def config_for(url: str) -> str:
    return f"version: 1\nwebhooks:\n  - name: CRM\n    url: {url}\n    events: [email.replied]\n"


def recorded_secret(workspace: Workspace) -> str:
    return str(workspace.state["webhooks"]["CRM"]["secret"]["value"])  # type: ignore[index]


class TestDelivery:
    def test_a_receiver_verifies_with_the_secret_from_the_state(self, workspace: Workspace):
        with receiver(lambda body, header: verify_signature(body, header, recorded_secret(workspace))) as (url, came):
            workspace.write(config_for(url))
            assert workspace.apply().returncode == 0
            done = workspace.run("test", "CRM")
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"CRM  delivered      status 200, \d+ ms\n", done.stdout)
        assert json.loads(came[0])["event"] == "test"
        workspace.check_nothing_shown()

    def test_a_receiver_that_refuses_fails_the_command(self, workspace: Workspace):
        with receiver(lambda body, header: verify_signature(body, header, "another secret")) as (url, _):
            workspace.write(config_for(url))
            workspace.apply()
            done = workspace.run("test", "CRM")
        assert done.returncode == 1
        assert "not delivered  status 401" in done.stdout

    def test_a_receiver_that_is_not_there_fails_the_command(self, workspace: Workspace):
        with receiver(lambda *_: True) as (url, _):
            workspace.write(config_for(url))
            workspace.apply()
        done = workspace.run("test", "CRM")
        assert done.returncode == 1
        assert "not delivered  no answer" in done.stdout

    def test_a_name_that_is_not_recorded_is_refused_before_any_call(self, workspace: Workspace):
        workspace.write(config_for("https://crm.example.com/in"))
        done = workspace.run("test", "CRM")
        assert done.returncode == 1
        assert '"CRM" is not recorded' in done.stderr
        assert workspace.simulator.requests == []

    @pytest.mark.parametrize("kind", ["status", "drop", "cut"])
    def test_a_test_payload_that_may_have_arrived_is_not_sent_again(self, workspace: Workspace, kind: str):
        with receiver(lambda *_: True) as (url, came):
            workspace.write(config_for(url))
            workspace.apply()
            workspace.simulator.add_fault(Fault("POST", "*/test", when="after", kind=kind))
            done = workspace.run("test", "CRM")
        assert done.returncode == 1
        assert "may have been delivered" in done.stderr
        assert len(came) == 1

    def test_a_test_payload_that_was_not_sent_is_tried_again(self, workspace: Workspace):
        with receiver(lambda *_: True) as (url, came):
            workspace.write(config_for(url))
            workspace.apply()
            workspace.simulator.add_fault(Fault("POST", "*/test", nth=1, status=429, retry_after="0"))
            assert workspace.run("test", "CRM").returncode == 0
        assert len(came) == 1

    def test_a_webhook_that_is_gone_is_told_from_a_server_without_tests(self, workspace: Workspace):
        workspace.write(config_for("https://crm.example.com/in"))
        workspace.apply()
        workspace.simulator.add_fault(Fault("POST", kind="status", status=404))
        assert "the server cannot send test deliveries" in workspace.run("test", "CRM").stderr
        workspace.simulator.faults.clear()
        workspace.simulator.delete(str(workspace.state["webhooks"]["CRM"]["id"]))
        assert "is gone in SendKit" in workspace.run("test", "CRM").stderr


def kept_secrets(workspace: Workspace) -> list[str]:
    """Return every secret that the state keeps for CRM, as a receiver would be given them: also of a call under way."""
    state = read_state(str(workspace.folder / "sendkit.state.json"))
    assert state is not None
    return [one.clear.reveal() for one in state.secrets() if one.clear is not None]


def signature(secret: str) -> str:
    return hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()


class TestRotation:
    def test_a_receiver_verifies_before_during_and_after(self, workspace: Workspace):
        accepted: list[str] = []
        with receiver(lambda body, header: verify_signature(body, header, accepted)) as (url, _):
            workspace.write(config_for(url))
            workspace.apply()
            first = recorded_secret(workspace)
            accepted[:] = [first]
            assert workspace.run("test", "CRM").returncode == 0, "before"

            assert workspace.run("secret", "rotate", "CRM", "--yes").returncode == 0
            second = recorded_secret(workspace)
            assert second != first
            assert workspace.run("test", "CRM").returncode == 1, "the receiver knows the old one only"
            accepted[:] = kept_secrets(workspace)
            assert workspace.run("test", "CRM").returncode == 0, "during, with both"
            assert verify_signature(BODY, signature(first), accepted), "what was sent before arrives still"

            accepted[:] = [recorded_secret(workspace)]
            assert workspace.run("test", "CRM").returncode == 0, "after"
            assert not verify_signature(BODY, signature(first), accepted)
            assert workspace.run("secret", "rotate", "CRM", "--yes").returncode == 0
            assert sorted(kept_secrets(workspace)) == sorted([first, second, recorded_secret(workspace)])
        workspace.check_nothing_shown()

    @pytest.mark.parametrize("place", ["intent-durable", "request-sent", "answer-read", "outcome-durable"])
    def test_a_killed_rotation_leaves_a_state_that_verifies(self, workspace: Workspace, place: str):
        with receiver(lambda body, header: verify_signature(body, header, kept_secrets(workspace))) as (url, _):
            workspace.write(config_for(url))
            workspace.apply()
            first = recorded_secret(workspace)
            assert workspace.run("secret", "rotate", "CRM", "--yes", killed_at=place).returncode < 0
            assert workspace.run("test", "CRM").returncode == 0, "whichever of the two is in force"
            assert workspace.apply().returncode == 0
            assert workspace.run("test", "CRM").returncode == 0
        assert workspace.run("plan", "--detailed-exitcode").returncode == 0
        assert first in kept_secrets(workspace)
        workspace.check_each_made_once("CRM")
