"""Secrets that are supplied in one file, and checks that a receiver has the one that signs its deliveries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyrage
import pytest
from jsonschema import Draft7Validator

from sendkit_sync import verify_signature
from sendkit_sync.core.errors import RefusedError, UsageError
from sendkit_sync.core.schemas import schema
from sendkit_sync.simulator import Fault
from support.age_keys import encrypted_config
from support.bench import Bench
from support.receiving import receiver
from support.workspace import Workspace

SECRET = "canary-imported-secret-{}"


def config(*entries: str) -> str:
    return "version: 1\nwebhooks:\n" + "".join(f"  - {{{entry}, events: [email.replied]}}\n" for entry in entries)


def state(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "sendkit.state.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture
def masked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a folder with two imported webhooks whose secrets the API masks."""
    bench.write(config("name: A b, url: https://a.example.com/", "name: C, url: https://c.example.com/, exportAs: C_KEY"))
    bench.apply()
    (bench.folder / "sendkit.state.json").unlink()
    bench.simulator.store._mask = True
    bench.run("import", "--matching")
    return bench


class TestImport:
    @pytest.mark.parametrize("form", ["dotenv", "json", "json by variable"])
    def test_it_records_the_secrets_of_all_webhooks_in_the_file(self, masked: Bench, form: str, capsys: Any):
        first, second = SECRET.format(1), SECRET.format(2)
        text = {
            "dotenv": f"# mine\nOTHER=1\nSENDKIT_SECRET_A_B='{first}'\nexport C_KEY={second}\n",
            "json": json.dumps({"A b": first, "C": {"current": second, "previous": "old"}, "OTHER": "1"}),
            "json by variable": json.dumps({"SENDKIT_SECRET_A_B": first, "C_KEY": second, "OTHER": "1"}),
        }[form]
        calls = len(masked.simulator.requests)
        masked.run("secret", "import", "--format", form.split(maxsplit=1)[0], "-", given=text.encode())
        assert [state(masked.folder)["webhooks"][name]["secret"]["value"] for name in ("A b", "C")] == [first, second]
        assert len(masked.simulator.requests) == calls
        shown = capsys.readouterr()
        assert "2 secrets recorded; 1 other keys ignored." in shown.out
        assert "canary" not in shown.out + shown.err

    def test_a_second_time_changes_nothing(self, masked: Bench, capsys: Any):
        masked.write(f"SENDKIT_SECRET_A_B={SECRET}\n", "secrets.env")
        masked.run("secret", "import", "--format", "dotenv", "secrets.env")
        before = state(masked.folder)
        masked.run("secret", "import", "--format", "dotenv", "secrets.env")
        assert state(masked.folder) == before
        assert "0 secrets recorded, 1 already recorded." in capsys.readouterr().out

    def test_one_that_differs_from_the_recorded_one_keeps_all_as_they_are(self, masked: Bench):
        masked.run("secret", "set", "C", given=SECRET.format(0).encode())
        before = state(masked.folder)
        given = json.dumps({"A b": SECRET.format(1), "C": SECRET.format(2)}).encode()
        with pytest.raises(RefusedError, match='another secret is already recorded for "C"'):
            masked.run("secret", "import", "--format", "json", "-", given=given)
        assert state(masked.folder) == before

    @pytest.mark.parametrize(
        ("form", "text"),
        [
            ("json", "[1]"),
            ("json", '{"A b": 1}'),
            ("json", "{" * 100_000),
            ("json", '{"A b": "canary-one", "SENDKIT_SECRET_A_B": "canary-two"}'),
            ("json", '{"A b": "canary\\u0000zero"}'),
            ("dotenv", "SENDKIT_SECRET_A_B='canary-open\n"),
            ("dotenv", "\xff"),
        ],
    )
    def test_a_file_that_cannot_be_read_records_nothing_and_is_not_quoted(self, masked: Bench, form: str, text: str):
        before = state(masked.folder)
        with pytest.raises(UsageError) as refused:
            masked.run("secret", "import", "--format", form, "-", given=text.encode("latin-1"))
        assert "canary" not in f"{refused.value} {refused.value.hint}"
        assert state(masked.folder) == before

    def test_it_encrypts_for_the_recipients_of_the_config(self, bench: Bench):
        text = config("name: A, url: https://a.example.com/")
        bench.write(encrypted_config(pyrage.x25519.Identity.generate(), text=text))
        bench.apply()
        (bench.folder / "sendkit.state.json").unlink()
        bench.simulator.store._mask = True
        bench.run("import", "--matching")
        bench.run("secret", "import", "--format", "json", "-", given=json.dumps({"A": SECRET.format(1)}).encode())
        kept = (bench.folder / "sendkit.state.json").read_text(encoding="utf-8")
        assert "canary" not in kept
        assert "encrypted" in state(bench.folder)["webhooks"]["A"]["secret"]


def secret_of(folder: Path, name: str) -> str:
    return str(state(folder)["webhooks"][name]["secret"]["value"])


class TestDeliveries:
    def test_all_tests_every_webhook_and_one_failure_fails_the_command(self, workspace: Workspace):
        with (
            receiver(lambda body, header: verify_signature(body, header, secret_of(workspace.folder, "Good"))) as (good, _),
            receiver(lambda body, header: False) as (bad, _),
        ):
            workspace.write(config(f"name: Good, url: '{good}'", f"name: Bad, url: '{bad}'"))
            assert workspace.apply().returncode == 0
            text, document = workspace.run("test", "--all"), workspace.run("test", "--all", "--format", "json")
        assert (text.returncode, document.returncode) == (1, 1)
        assert [line.split()[:2] for line in text.stdout.splitlines()] == [["Bad", "not"], ["Good", "delivered"]]
        found = json.loads(document.stdout)
        Draft7Validator(schema("test")).validate(found)
        assert found["summary"] == {"delivered": 1, "failed": 1}
        assert [(one["name"], one["delivered"], one["status"]) for one in found["deliveries"]] == [
            ("Bad", False, 401),
            ("Good", True, 200),
        ]
        workspace.check_nothing_shown()

    def test_one_that_is_gone_does_not_keep_the_others_from_their_test(self, workspace: Workspace):
        with receiver(lambda body, header: True) as (url, _):
            workspace.write(config(f"name: Here, url: '{url}'", f"name: Gone, url: '{url}'"))
            assert workspace.apply().returncode == 0
            workspace.simulator.delete(str(workspace.state["webhooks"]["Gone"]["id"]))
            done = workspace.run("test", "--all", "--format", "json")
        results = {one["name"]: one for one in json.loads(done.stdout)["deliveries"]}
        assert (results["Here"]["delivered"], results["Gone"]["delivered"]) == (True, False)
        assert "gone in SendKit" in results["Gone"]["error"]

    def test_verify_tests_what_an_apply_created_or_changed(self, workspace: Workspace):
        with receiver(lambda body, header: verify_signature(body, header, secret_of(workspace.folder, "Ready"))) as (url, came):
            workspace.write(config(f"name: Ready, url: '{url}'"))
            done = workspace.apply("--verify")
            assert (done.returncode, len(came)) == (0, 1), done.stderr
            assert "Ready  delivered      status 200" in done.stdout
            workspace.write(config(f"name: Ready, url: '{url}'", f"name: New, url: '{url}'"))
            failed = workspace.apply("--verify", "--format", "json")
        assert failed.returncode == 1
        document = json.loads(failed.stdout)
        Draft7Validator(schema("apply")).validate(document)
        assert [(one["name"], one["status"]) for one in document["deliveries"]] == [("New", 401)]
        assert document["summary"]["created"] == 1

    def test_verify_without_an_answer_still_reports_the_run(self, workspace: Workspace):
        workspace.simulator.add_fault(Fault("POST", "*/test", status=501))
        done = workspace.apply("--verify")
        assert done.returncode == 1
        assert "Applied: 2 created" in done.stdout
        assert done.stdout.count("not tested") == 2


class TestTrigger:
    @pytest.mark.parametrize(
        ("accepts", "code", "says"),
        [
            ("verified", 0, "The receiver verifies deliveries."),
            ("all", 1, "does not verify deliveries"),
            ("none", 1, "does not accept a delivery"),
        ],
    )
    def test_it_sends_one_right_and_one_wrong_signature(self, workspace: Workspace, accepts: str, code: int, says: str):
        assert workspace.apply().returncode == 0
        calls = len(workspace.simulator.requests)
        judges = {
            "verified": lambda body, header: verify_signature(body, header, secret_of(workspace.folder, "CRM Sync")),
            "all": lambda body, header: True,
            "none": lambda body, header: False,
        }
        with receiver(judges[accepts]) as (url, came):
            done = workspace.run("trigger", "CRM Sync", "--to", url, "--event", "email.bounced")
        assert done.returncode == code, done.stderr
        assert says in done.stdout
        assert len(came) == 2
        assert came[0] == came[1]
        sample = json.loads(came[0])
        assert sample["event"] == "email.bounced"
        assert "invented" in sample["sample"]
        assert "invented" in done.stderr
        assert len(workspace.simulator.requests) == calls
        workspace.check_nothing_shown()

    def test_staged_checks_the_next_secret_before_it_is_activated(self, workspace: Workspace):
        assert workspace.apply().returncode == 0
        assert workspace.run("secret", "stage", "CRM Sync").returncode == 0
        following = str(workspace.state["staged"]["CRM Sync"]["value"])
        with receiver(lambda body, header: verify_signature(body, header, following)) as (url, came):
            (workspace.folder / "body.json").write_bytes(b'{"mine": 1}')
            words = ("trigger", "CRM Sync", "--to", url, "--data", "body.json", "--format", "json")
            assert workspace.run(*words).returncode == 1
            done = workspace.run(*words, "--staged")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["verifies"] is True
        assert set(came) == {b'{"mine": 1}'}
        assert "stagedSecret" in workspace.run("state", "show", "CRM Sync").stdout
        assert following not in "".join(workspace.outputs)

    def test_off_loopback_it_asks_before_anything_is_sent(self, workspace: Workspace):
        assert workspace.apply().returncode == 0
        done = workspace.run("trigger", "CRM Sync", "--to", "https://receiver.example.com/in")
        assert done.returncode == 64
        assert "there is no terminal to ask on" in done.stderr

    def test_a_receiver_that_is_not_there_fails_it(self, workspace: Workspace):
        assert workspace.apply().returncode == 0
        with receiver(lambda body, header: True) as (url, _):
            pass
        done = workspace.run("trigger", "CRM Sync", "--to", url)
        assert done.returncode == 1
        assert "no answer" in done.stdout


def test_a_state_shows_how_many_secrets_it_keeps_but_none_of_them(workspace: Workspace):
    assert workspace.apply().returncode == 0
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
    shown = json.loads(workspace.run("state", "show", "CRM Sync").stdout)
    assert shown["previousSecrets"] == 1
    workspace.check_nothing_shown()
