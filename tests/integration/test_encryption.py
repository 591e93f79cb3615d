"""Sealed state, as a user and a CI runner have it: recipients to write, an identity to read."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sendkit_sync.app.private_file import append_private, replace_private
from sendkit_sync.core import failpoints
from sendkit_sync.core.clock import SystemRng
from sendkit_sync.core.errors import RefusedError, StateIOError
from sendkit_sync.core.model import Secret, SecretOrigin
from sendkit_sync.secrets import export as formats
from sendkit_sync.secrets.age import AgeCipher
from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.state import read_state
from support.age_keys import IDENTITY, OTHER, READER, encrypted_config
from support.workspace import TWO, Workspace

pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")

SUPPLIED = TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")
PLACES = [place for place in failpoints.NAMES if not place.endswith("-buffered")]
"""The fail points at which the disk, or SendKit, is another than at the one before."""
CALLS = {"intent-durable", "request-sent", "answer-read", "outcome-durable"}
"""Those that only a command which calls SendKit reaches."""


@pytest.fixture
def workspace(tmp_path: Path):
    with Simulator() as simulator:
        workspace = Workspace(tmp_path, simulator)
        workspace.write(encrypted_config())
        yield workspace


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    done = workspace.apply()
    assert done.returncode == 0, done.stderr
    return workspace


def live(workspace: Workspace) -> dict[str, dict[str, str]]:
    return {webhook["name"]: webhook for webhook in workspace.simulator.webhooks()}


def tellers(workspace: Workspace, *secrets: str) -> list[str]:
    """Return the names of the files that hold one of `secrets` in clear, those that a kill left behind too."""
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def drawn(workspace: Workspace) -> list[str]:
    return [webhook["secret"] for webhook in live(workspace).values()]


def opened(workspace: Workspace, name: str, *, previous: int = 0) -> str | None:
    """Return what the identity reads of the state, without a process for it; with `previous`, of a secret before."""
    state = read_state(str(workspace.folder / "sendkit.state.json"))
    assert state is not None
    recorded = state.webhooks[name]
    stored = dict(enumerate(list(recorded.secrets()))).get(previous)
    if stored is None:
        return None
    assert stored.encrypted is not None
    cipher = AgeCipher([str(IDENTITY.to_public())], workspace.simulator.url, state.lineage, SystemRng(), READER)
    secret = cipher.decrypt((name, *recorded.former_names), stored)
    return None if secret is None else secret.reveal()


def check_sealed(workspace: Workspace) -> None:
    """Assert that each name is live once and recorded, and that no file and no output holds a secret in clear."""
    assert sorted(workspace.state["webhooks"]) == sorted(live(workspace))
    for name, webhook in live(workspace).items():
        assert workspace.state["webhooks"][name]["id"] == webhook["_id"]
        assert opened(workspace, name) == webhook["secret"]
    assert tellers(workspace, *drawn(workspace)) == []
    workspace.check_nothing_shown()


def test_a_runner_creates_and_cannot_read(applied: Workspace):
    assert applied.run("plan", "--refresh", "--detailed-exitcode").returncode == 0
    refused = applied.run("secret", "get", "CRM Sync")
    assert refused.returncode == 1
    assert "SOPS_AGE_KEY" in refused.stderr
    check_sealed(applied)


def test_an_unchanged_secret_keeps_its_bytes(applied: Workspace):
    before = {name: recorded["secret"] for name, recorded in applied.state["webhooks"].items()}
    applied.write(encrypted_config(text=TWO.replace("timeoutMs: 5000", "timeoutMs: 7000")))
    assert applied.apply().returncode == 0
    assert {name: recorded["secret"] for name, recorded in applied.state["webhooks"].items()} == before


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_apply_leaves_seals_only_and_settles_without_the_identity(workspace: Workspace, place: str):
    workspace.write(encrypted_config(text=SUPPLIED))
    supplied = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-5"}
    assert workspace.run("apply", "--yes", "--parallelism", "1", killed_at=place, **supplied).returncode < 0
    assert tellers(workspace, *supplied.values(), *drawn(workspace)) == []
    for _ in range(2):
        last = workspace.apply("--resend-after", "0s", **supplied)
    assert last.returncode == 0, last.stderr
    check_sealed(workspace)


def test_an_expired_sealed_attempt_goes_on_with_a_new_secret(workspace: Workspace):
    workspace.simulator.add_fault(Fault("POST", nth=1, when="before", kind="drop"))
    assert workspace.apply().returncode == 1
    assert workspace.apply("--resend-after", "0s").returncode == 0
    check_sealed(workspace)


@pytest.fixture
def tried(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    """Three attempts at a webhook, of which one made it: the list showed it too late, and mostly masks what tells which."""
    made, masked = getattr(request, "param", (0, True))
    with Simulator(mask_secrets=masked, faults=[Fault("GET", "/v1/webhooks", kind="empty")]) as simulator:
        workspace = Workspace(tmp_path, simulator)
        workspace.write(encrypted_config(text=TWO.split("  - name: Analytics")[0]))
        for number in range(3):
            simulator.add_fault(Fault("POST", nth=1, when="after" if number == made else "before", kind="drop"))
            assert workspace.run("apply", "--yes", "--resend-after", "0s", "--settle", "0s").returncode == 1
        simulator.faults.clear()
        yield workspace


class TestSeveralAttempts:
    @pytest.fixture
    def settled(self, request: pytest.FixtureRequest, tried: Workspace) -> Workspace:
        (made,) = tried.simulator.webhooks()
        by_hand = ("state", "resolve", "CRM Sync", "--id", made["_id"])
        done = tried.run(*(by_hand if getattr(request, "param", "list") == "hand" else ("apply", "--yes")))
        assert done.returncode == 0, done.stderr
        assert "one of several attempts created it" in done.stderr
        return tried

    @pytest.mark.parametrize("settled", ["list", "hand"], indirect=True)
    @pytest.mark.parametrize("tried", [(made, True) for made in range(3)], indirect=True)
    def test_all_that_may_be_in_force_are_kept(self, settled: Workspace):
        (made,) = settled.simulator.webhooks()
        assert settled.state["webhooks"]["CRM Sync"]["id"] == made["_id"]
        kept = [opened(settled, "CRM Sync", previous=number) for number in range(3)]
        assert len(set(kept)) == 3
        assert made["secret"] in kept
        assert settled.run("plan", "--detailed-exitcode").returncode == 0
        settled.check_nothing_shown()

    @pytest.mark.parametrize("tried", [(made, False) for made in range(3)], indirect=True)
    def test_where_the_list_shows_the_secret_it_tells_which(self, tried: Workspace):
        done = tried.apply()
        assert done.returncode == 0, done.stderr
        assert "attempts" not in done.stderr
        assert "previousSecrets" not in tried.state["webhooks"]["CRM Sync"]
        check_sealed(tried)

    def test_a_rotation_ends_the_doubt(self, settled: Workspace):
        assert settled.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
        assert "candidateSecrets" not in settled.state["webhooks"]["CRM Sync"]
        check_sealed(settled)

    def test_the_ones_before_are_told_one_by_one(self, settled: Workspace):
        told = [settled.run("secret", "get", "CRM Sync", *["--previous"] * count, **READER) for count in range(4)]
        assert [one.stdout.rstrip("\n") for one in told[:3]] == [opened(settled, "CRM Sync", previous=n) for n in range(3)]
        assert told[3].returncode == 1
        assert 'no previous secret of "CRM Sync" is recorded' in told[3].stderr

    def test_all_are_sealed_anew(self, settled: Workspace):
        before = [opened(settled, "CRM Sync", previous=number) for number in range(3)]
        settled.write(encrypted_config(IDENTITY, OTHER))
        assert settled.run("secret", "rekey", **READER).returncode == 0
        for count, secret in enumerate(before):
            got = settled.run("secret", "get", "CRM Sync", *["--previous"] * count, SOPS_AGE_KEY=str(OTHER))
            assert got.stdout == f"{secret}\n"


def test_a_supplied_secret_is_compared_without_the_identity(workspace: Workspace):
    workspace.write(encrypted_config(text=TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")))
    first, second = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-1"}, {"SENDKIT_SECRET_CRM": "canary-supplied-secret-2"}
    assert workspace.apply(**first).returncode == 0
    stored = workspace.state["webhooks"]["CRM Sync"]["secret"]
    assert set(stored) == {"origin", "encrypted", "hmacSha256", "salt"}
    assert workspace.run("plan", "--detailed-exitcode", **first).returncode == 0
    assert workspace.run("plan", "--detailed-exitcode", **second).returncode == 2
    assert workspace.apply(**second).returncode == 0
    check_sealed(workspace)
    previous = workspace.run("secret", "get", "CRM Sync", "--previous", **READER)
    assert previous.stdout == "canary-supplied-secret-1\n"


def test_a_rename_keeps_the_seal_readable(applied: Workspace):
    applied.write(encrypted_config(text=TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync")))
    assert applied.apply().returncode == 0
    check_sealed(applied)
    seal = applied.state["webhooks"]["CRM"]["secret"]
    applied.write(encrypted_config(text=TWO.replace("name: CRM Sync", "name: Sales\n    renamedFrom: CRM")))
    assert applied.apply().returncode == 0
    check_sealed(applied)
    assert applied.state["webhooks"]["Sales"]["secret"] == seal
    assert applied.run("secret", "rotate", "Sales", "--yes").returncode == 0
    check_sealed(applied)
    former = opened(applied, "Sales", previous=1)
    assert applied.run("secret", "rekey", **READER).returncode == 0
    check_sealed(applied)
    assert opened(applied, "Sales", previous=1) == former


def test_a_gone_webhook_is_made_anew_without_the_identity(applied: Workspace):
    applied.simulator.delete(live(applied)["Analytics"]["_id"])
    done = applied.apply("--refresh")
    assert done.returncode == 0, done.stderr
    check_sealed(applied)


def test_a_whole_life_goes_without_the_identity(tmp_path: Path):
    """Create, rename, update, drift, gone, saved plan, prune, import, supplied secret; where reads show no secret either."""
    environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-7"}
    with Simulator(mask_secrets=True) as simulator:
        workspace = Workspace(tmp_path, simulator)

        def converge(text: str, *steps: str) -> None:
            workspace.write(encrypted_config(text=text))
            for step in steps or ("apply --yes --refresh",):
                done = workspace.run(*step.split(), given=live(workspace).get("Old", {}).get("secret", ""), **environment)
                assert done.returncode == 0, (step, done.stderr)
            again = workspace.run("plan", "--refresh", "--detailed-exitcode", **environment)
            assert again.returncode == 0, again.stdout

        converge(TWO)
        text = TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync\n    secret: ${CRM}").replace("5000", "7000")
        converge(text)
        simulator.change(live(workspace)["CRM"]["_id"], url="https://elsewhere.example.com/x")
        converge(text)
        simulator.delete(live(workspace)["Analytics"]["_id"])
        converge(text)
        converge(text.replace("/in", "/out"), "plan --refresh --out plan.bin", "apply --yes --plan plan.bin")
        check_sealed(workspace)
        one = text[: text.index("  - name: Analytics")]
        converge(one, "apply --yes --prune")
        for path in tmp_path.glob("sendkit.state.json*"):
            path.unlink()
        old = {"name": "Old", "url": "https://old.example.com/", "events": ["email.sent"]}
        webhook_id = simulator.store.create("ws_demo", old)["_id"]
        steps = ["import --matching", f"import Old {webhook_id}", "secret set Old", "apply --yes"]
        converge(one + "  - name: Old\n    url: https://old.example.com/\n    events: [email.sent]\n", *steps)
        check_sealed(workspace)


def test_a_seal_moved_to_another_entry_is_found_out(applied: Workspace):
    state = applied.state
    records = state["webhooks"]
    records["CRM Sync"]["secret"], records["Analytics"]["secret"] = (
        records["Analytics"]["secret"],
        records["CRM Sync"]["secret"],
    )
    (applied.folder / "sendkit.state.json").write_text(json.dumps(state))
    refused = applied.run("secret", "get", "CRM Sync", **READER)
    assert refused.returncode == 1
    assert "another webhook" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("key", ["nonsense-canary", "AGE-SECRET-KEY-1CANARY", str(OTHER)], ids=["nonsense", "cut", "other"])
def test_a_wrong_identity_is_an_error_that_does_not_show_it(applied: Workspace, key: str):
    refused = applied.run("secret", "get", "CRM Sync", SOPS_AGE_KEY=key)
    assert refused.returncode == 1
    assert key not in refused.stderr
    assert applied.apply(SOPS_AGE_KEY=key).returncode == 0


def test_the_identity_may_stand_in_a_file(applied: Workspace):
    (applied.folder / "keys.txt").write_text(READER["SOPS_AGE_KEY"])
    read = applied.run("secret", "get", "CRM Sync", SOPS_AGE_KEY_FILE="keys.txt")
    assert read.stdout == live(applied)["CRM Sync"]["secret"] + "\n"
    assert applied.run("secret", "get", "CRM Sync", SOPS_AGE_KEY_FILE="none.txt").returncode == 1


@pytest.mark.parametrize("other", [OTHER, "AGE-PLUGIN-YUBIKEY-1CANARY", "AGE-SECRET-KEY-PQ-1CANARY", "ssh-ed25519 AAAA"])
def test_identities_are_read_as_sops_reads_them(applied: Workspace, other: object):
    """Both variables count, several keys may stand in each, and one of another kind is in nobody's way."""
    wanted = live(applied)["CRM Sync"]["secret"] + "\n"
    (applied.folder / "keys.txt").write_text(f"\ufeff# created: today\r\n\r\n{other}\r\n  {IDENTITY}  \r\n")
    (applied.folder / "other.txt").write_text(f"{other}\n{OTHER}\n")
    for environment in (
        {"SOPS_AGE_KEY_FILE": "keys.txt"},
        {"SOPS_AGE_KEY_FILE": "keys.txt", "SOPS_AGE_KEY": str(OTHER)},
        {"SOPS_AGE_KEY_FILE": "other.txt", "SOPS_AGE_KEY": f"# a comment\n{other}\n{IDENTITY}"},
    ):
        assert applied.run("secret", "get", "CRM Sync", **environment).stdout == wanted


def test_an_identity_in_the_place_of_its_file_is_not_repeated(applied: Workspace):
    refused = applied.run("-vv", "secret", "get", "CRM Sync", SOPS_AGE_KEY_FILE=str(IDENTITY))
    assert refused.returncode == 1
    assert str(IDENTITY)[:24] not in refused.stdout + refused.stderr


def test_a_clear_write_beside_sealed_secrets_is_refused(applied: Workspace):
    applied.write(TWO + "  - name: Third\n    url: https://third.example.com/in\n    events: [email.sent]\n")
    planned, refused = applied.run("plan"), applied.apply()
    assert (planned.returncode, refused.returncode) == (0, 65)
    for done in (planned, refused):
        assert "Add `encryption` to the config again" in done.stderr
    assert len(live(applied)) == 2


def test_encrypt_seals_a_clear_state_and_its_backup(workspace: Workspace):
    workspace.write(TWO)
    assert workspace.apply().returncode == 0
    assert workspace.run("state", "encrypt").returncode == 1
    workspace.write(encrypted_config())
    for words in (["plan"], ["apply", "--yes"]):
        assert "sendkit-sync state encrypt" in workspace.run(*words).stderr
    done = workspace.run("state", "encrypt")
    assert done.returncode == 0, done.stderr
    assert workspace.run("plan").stderr == ""
    assert (workspace.folder / "sendkit.state.json.backup").exists()
    check_sealed(workspace)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in CALLS])
def test_a_killed_encryption_loses_nothing_and_is_finished_by_the_next(workspace: Workspace, place: str):
    """With a rotation that has no outcome, whose secret stands in the intent alone."""
    workspace.write(TWO)
    assert workspace.apply().returncode == 0
    before = live(workspace)["CRM Sync"]["secret"]
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes", killed_at="request-sent").returncode < 0
    state = read_state(str(workspace.folder / "sendkit.state.json"))
    assert state is not None
    (intent,) = state.pending["CRM Sync"]
    assert intent.secret is not None
    assert intent.secret.clear is not None
    sent = intent.secret.clear.reveal()
    workspace.write(encrypted_config())
    workspace.run("state", "encrypt", killed_at=place)
    done = workspace.run("state", "encrypt")
    assert done.returncode == 0, done.stderr
    assert tellers(workspace, before, sent, *drawn(workspace)) == []
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes", **READER).returncode == 0
    # Nothing proves who wrote what was in clear, so another secret takes its place.
    assert live(workspace)["CRM Sync"]["secret"] not in (sent, before)
    assert opened(workspace, "CRM Sync", previous=1) == before
    check_sealed(workspace)


def test_rekey_lets_the_new_recipient_in_and_the_old_one_out(applied: Workspace):
    applied.write(encrypted_config(OTHER))
    refused = applied.run("secret", "rekey")
    assert refused.returncode == 1
    assert refused.stderr.startswith('error: the secret of "'), refused.stderr
    assert "Set SOPS_AGE_KEY" in refused.stderr
    done = applied.run("secret", "rekey", **READER)
    assert done.returncode == 0, done.stderr
    assert applied.run("secret", "get", "CRM Sync", **READER).returncode == 1
    assert applied.run("secret", "get", "CRM Sync", SOPS_AGE_KEY=str(OTHER)).returncode == 0
    assert applied.run("plan", "--detailed-exitcode").returncode == 0


def test_rekey_opens_what_an_open_create_took_over_from_a_former_name(applied: Workspace):
    """A webhook that is gone is made anew under its new name, with the secret that is encrypted for the old one."""
    applied.simulator.delete(live(applied)["CRM Sync"]["_id"])
    applied.write(encrypted_config(OTHER, text=TWO.replace("name: CRM Sync", "name: CRM\n    renamedFrom: CRM Sync")))
    applied.simulator.add_fault(Fault("POST", kind="drop"))
    assert applied.apply("--refresh", "--settle", "0s", **READER).returncode == 1
    assert [intent["replaces"] for intent in applied.state["pending"]["CRM"]] == ["CRM Sync"]
    done = applied.run("secret", "rekey", **READER)
    assert done.returncode == 0, done.stderr
    applied.simulator.faults.clear()
    assert applied.apply("--refresh", "--resend-after", "0s", SOPS_AGE_KEY=str(OTHER)).returncode == 0
    secret = applied.run("secret", "get", "CRM", SOPS_AGE_KEY=str(OTHER)).stdout
    assert secret == f"{live(applied)['CRM']['secret']}\n"


def test_rotate_keeps_the_old_secret_as_the_previous_one(applied: Workspace):
    old = live(applied)["CRM Sync"]["secret"]
    done = applied.run("secret", "rotate", "CRM Sync", "--yes")
    assert done.returncode == 0, done.stderr
    assert live(applied)["CRM Sync"]["secret"] != old
    assert applied.run("secret", "get", "CRM Sync", "--previous", **READER).stdout == old + "\n"
    del applied.outputs[-2:]
    check_sealed(applied)


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_rotation_leaves_seals_only_and_converges(applied: Workspace, place: str):
    old = live(applied)["CRM Sync"]["secret"]
    assert applied.run("secret", "rotate", "CRM Sync", "--yes", killed_at=place).returncode < 0
    assert tellers(applied, old, *drawn(applied)) == []
    assert applied.apply().returncode == 0
    check_sealed(applied)
    assert old in (opened(applied, "CRM Sync"), opened(applied, "CRM Sync", previous=1))


@pytest.mark.parametrize("writer", [READER, {}], ids=["proved", "not proved"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_rotation_without_an_outcome_is_finished_by_the_next(applied: Workspace, when: str, writer: dict[str, str]):
    """Also of a webhook that the config asks for no longer, which no apply looks at."""
    old = live(applied)["CRM Sync"]["secret"]
    applied.write(encrypted_config(text="version: 1\nwebhooks: []\n"))
    applied.simulator.add_fault(Fault("PATCH", when=when, kind="drop"))
    unknown = applied.run("secret", "rotate", "CRM Sync", "--yes", **writer)
    assert unknown.returncode == 1
    assert "it is not known which secret" in unknown.stderr
    applied.simulator.faults.clear()
    sent = live(applied)["CRM Sync"]["secret"]
    assert (sent == old) is (when == "before")
    for words in (["get", "CRM Sync"], ["export", "--format", "json"]):
        assert "may be in force" in applied.run("secret", *words, **READER).stderr
        del applied.outputs[-2:]
    done = applied.run("secret", "rotate", "CRM Sync", "--yes", **READER)
    assert done.returncode == 0, done.stderr
    new = live(applied)["CRM Sync"]["secret"]
    assert new != old
    if when == "after":
        assert (new == sent) is bool(writer), "what an identity at hand proves is sent once more"
    assert opened(applied, "CRM Sync", previous=1) == old
    check_sealed(applied)


@pytest.mark.parametrize(("fault", "code"), [(Fault("PATCH", status=401), 77), (Fault("PATCH", status=422), 1), (None, 69)])
def test_a_rotation_that_did_not_happen_says_why(applied: Workspace, fault: Fault | None, code: int):
    before = applied.state
    if fault is None:
        applied.simulator.close()
    else:
        applied.simulator.add_fault(fault)
    done = applied.run("secret", "rotate", "CRM Sync", "--yes", "--retry-for", "0s")
    assert done.returncode == code
    assert "is unchanged" in done.stderr
    assert applied.state["webhooks"] == before["webhooks"]


def test_the_fingerprint_of_a_supplied_secret_has_a_salt_of_its_own():
    cipher = AgeCipher([str(IDENTITY.to_public())], "https://api.example.com", "l", SystemRng(), {})
    kept = [cipher.encrypt("A", Secret("a supplied secret"), SecretOrigin.CONFIG).fingerprint for _ in range(2)]
    assert all(one is not None and one.salt is not None and len(one.salt) == 32 for one in kept)
    assert len({one.salt for one in kept if one is not None}) == len({one.digest for one in kept if one is not None}) == 2


def test_a_rotation_waits_for_a_change_without_an_outcome(applied: Workspace):
    applied.write(encrypted_config(text=TWO.replace("crm.example.com/webhooks", "crm.example.com/changed")))
    applied.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
    assert applied.apply().returncode == 1
    applied.simulator.faults.clear()
    refused = applied.run("secret", "rotate", "CRM Sync", "--yes")
    assert refused.returncode == 1
    assert "Run apply first" in refused.stderr
    assert applied.apply().returncode == 0
    assert applied.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0


def test_a_server_that_keeps_another_secret_is_told_of(applied: Workspace):
    store = applied.simulator.store
    patch = store.patch
    store.patch = lambda workspace, webhook_id, fields: patch(workspace, webhook_id, {})  # type: ignore[method-assign,assignment]
    done = applied.run("secret", "rotate", "CRM Sync", "--yes")
    assert "a different secret than was sent" in done.stderr


def test_a_supplied_secret_that_is_sent_once_more_keeps_its_seal(workspace: Workspace):
    workspace.write(encrypted_config(text=SUPPLIED))
    first, second = ({"SENDKIT_SECRET_CRM": f"canary-supplied-secret-{number}"} for number in (6, 7))
    assert workspace.apply(**first).returncode == 0
    assert workspace.apply(**second).returncode == 0
    before = workspace.state["webhooks"]["CRM Sync"]
    workspace.write(encrypted_config(text=SUPPLIED.replace("crm.example.com/webhooks", "crm.example.com/changed")))
    workspace.simulator.add_fault(Fault("PATCH", when="after", kind="drop"))
    assert workspace.apply(**second).returncode == 1
    workspace.simulator.faults.clear()
    assert workspace.apply(**second).returncode == 0
    after = workspace.state["webhooks"]["CRM Sync"]
    assert {key: after[key] for key in ("secret", "previousSecrets")} == {
        key: before[key] for key in ("secret", "previousSecrets")
    }
    check_sealed(workspace)


def test_rotating_what_the_config_supplies_is_refused(workspace: Workspace):
    workspace.write(encrypted_config(text=TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")))
    environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-4"}
    assert workspace.apply(**environment).returncode == 0
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes", **environment).returncode == 1


def test_set_supplies_what_an_import_could_not_read(tmp_path: Path):
    with Simulator(mask_secrets=True) as simulator:
        workspace = Workspace(tmp_path, simulator)
        workspace.apply()
        for path in tmp_path.glob("sendkit.state.json*"):
            path.unlink()
        workspace.run("import", "--matching")
        secret = live(workspace)["CRM Sync"]["secret"]
        done = workspace.run("secret", "set", "CRM Sync", given=secret + "\n")
        assert done.returncode == 0, done.stderr
        assert workspace.run("secret", "get", "CRM Sync").stdout == secret + "\n"
        asked = workspace.run("secret", "export", "--format", "env-json", "--only", "Analytics")
        assert (asked.returncode, asked.stdout) == (1, "")
        assert 'no secret of "Analytics" is recorded' in asked.stderr
        assert "is missing and not exported" in workspace.run("secret", "export", "--format", "env-json").stderr
        assert workspace.run("secret", "set", "CRM Sync", given="another-one").returncode == 1
        assert workspace.run("secret", "set", "Analytics", given="\n").returncode == 64
        assert workspace.run("secret", "set", "Analytics", given="a zero \0 byte in a secret").returncode == 64
        short = workspace.run("secret", "set", "Analytics", given="password123")
        assert short.returncode == 0
        assert "shorter than 20 characters" in short.stderr


@pytest.mark.skipif(shutil.which("age") is None, reason="the command age is not installed")
def test_the_age_command_opens_what_was_sealed(applied: Workspace):
    keys = applied.folder / "keys.txt"
    keys.write_text(f"{IDENTITY}\n")
    encrypted = base64.b64decode(applied.state["webhooks"]["CRM Sync"]["secret"]["encrypted"])
    opened = subprocess.run(["age", "--decrypt", "-i", str(keys)], input=encrypted, capture_output=True, check=True)
    assert json.loads(opened.stdout) == {
        "api": applied.simulator.url,
        "lineage": applied.state["lineage"],
        "name": "CRM Sync",
        "secret": live(applied)["CRM Sync"]["secret"],
    }


NASTY = "canary '\"$HOME`id`\\n%0A \t#!ü€ \\ end: {a} [b] & *c ~\r\n $(id) 'last"


class TestExport:
    @pytest.fixture
    def nasty(self, workspace: Workspace) -> Workspace:
        workspace.write(encrypted_config(text=TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")))
        assert workspace.apply(SENDKIT_SECRET_CRM=NASTY).returncode == 0
        return workspace

    def export(self, workspace: Workspace, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return workspace.run("secret", "export", *words, SENDKIT_SECRET_CRM=NASTY, **READER, **environment)

    def stdout_of(self, workspace: Workspace, *words: str) -> bytes:
        """Return the very bytes that a command writes where the locale is not UTF-8."""
        done = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-m", "sendkit_sync", "secret", *words],
            cwd=workspace.folder,
            env=os.environ
            | {"SENDKIT_API_URL": workspace.simulator.url, "SENDKIT_SECRET_CRM": NASTY, "PYTHONIOENCODING": "latin-1"}
            | READER,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def test_what_is_printed_is_exact_whatever_the_locale(self, nasty: Workspace):
        assert self.stdout_of(nasty, "get", "CRM Sync") == NASTY.encode() + b"\n"
        dotenv = self.stdout_of(nasty, "export", "--format", "dotenv")
        assert self.export(nasty, "--format", "dotenv", "--output", ".env").returncode == 0
        assert (nasty.folder / ".env").read_bytes() == dotenv

    def test_a_shell_that_sources_dotenv_gets_the_exact_bytes(self, nasty: Workspace):
        assert self.export(nasty, "--format", "dotenv", "--output", ".env").returncode == 0
        assert (nasty.folder / ".env").stat().st_mode & 0o777 == 0o600
        script = '. ./.env; printf %s "$SENDKIT_SECRET_CRM_SYNC"'
        for shell in ("sh", "bash"):
            got = subprocess.run([shell, "-c", script], cwd=nasty.folder, capture_output=True, check=True)
            assert got.stdout.decode() == NASTY

    def test_a_drawn_secret_has_no_quotes_in_dotenv(self, nasty: Workspace):
        """`docker run --env-file` takes quotes for a part of the value."""
        shown = self.export(nasty, "--format", "dotenv", "--only", "Analytics").stdout
        assert shown == f"SENDKIT_SECRET_ANALYTICS={live(nasty)['Analytics']['secret']}\n"

    def test_kubernetes_gets_the_exact_bytes(self, nasty: Workspace):
        manifest = yaml.safe_load(self.export(nasty, "--format", "kubernetes").stdout)
        assert (manifest["kind"], manifest["metadata"]["name"]) == ("Secret", "sendkit-webhooks")
        assert base64.b64decode(manifest["data"]["SENDKIT_SECRET_CRM_SYNC"]).decode() == NASTY
        assert set(manifest["data"]) == {"SENDKIT_SECRET_CRM_SYNC", "SENDKIT_SECRET_ANALYTICS"}
        assert self.export(nasty, "--format", "kubernetes", "--secret-name", "No Name").returncode == 64

    def test_json_maps_names_to_secrets(self, nasty: Workspace):
        exported = json.loads(self.export(nasty, "--format", "json", "--only", "CRM Sync").stdout)
        assert exported == {"CRM Sync": NASTY}

    def test_env_json_maps_variables_to_secrets(self, nasty: Workspace):
        exported = json.loads(self.export(nasty, "--format", "env-json").stdout)
        assert exported == {"SENDKIT_SECRET_CRM_SYNC": NASTY, "SENDKIT_SECRET_ANALYTICS": live(nasty)["Analytics"]["secret"]}

    @pytest.mark.parametrize("words", [("--output", "env"), ()], ids=["named", "from GITHUB_ENV"])
    def test_github_actions_masks_and_appends(self, nasty: Workspace, words: tuple[str, ...]):
        path = nasty.folder / "env"
        path.write_text("BEFORE=1\n")
        given = {} if words else {"GITHUB_ENV": str(path)}
        done = self.export(nasty, "--format", "github-actions", "--only", "CRM Sync", *words, **given)
        first, second = NASTY.replace("%", "%25").split("\r\n")
        assert done.stdout == f"::add-mask::{first}\n::add-mask::{second}\n"
        head, end = b"BEFORE=1\nSENDKIT_SECRET_CRM_SYNC<<", path.read_bytes()
        assert end.startswith(head)
        fence, _, rest = end.removeprefix(head).partition(b"\n")
        assert rest == NASTY.encode() + b"\n" + fence + b"\n"

    def test_github_actions_needs_a_file_and_a_runner_that_sees_the_masks(self, nasty: Workspace):
        refused = self.export(nasty, "--format", "github-actions", GITHUB_ENV="")
        assert (refused.returncode, refused.stdout) == (64, "")
        assert "--output" in refused.stderr
        with (nasty.folder / "env").open("wb") as file:
            done = subprocess.run(
                [sys.executable, "-m", "sendkit_sync", "secret", "export", "--format", "github-actions", "--output", "other"],
                cwd=nasty.folder,
                env=os.environ | {"SENDKIT_API_URL": nasty.simulator.url, "SENDKIT_SECRET_CRM": NASTY} | READER,
                stdout=file,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 64
        assert b"which values to mask" in done.stderr
        assert (nasty.folder / "env").read_bytes() == b""
        assert not (nasty.folder / "other").exists()

    def test_two_names_of_one_variable_are_an_error(self, workspace: Workspace):
        workspace.write(encrypted_config(text=TWO.replace("name: Analytics", "name: CRM-Sync")))
        assert workspace.apply().returncode == 0
        refused = self.export(workspace, "--format", "dotenv")
        assert refused.returncode == 1
        assert "SENDKIT_SECRET_CRM_SYNC" in refused.stderr
        assert self.export(workspace, "--format", "dotenv", "--only", "CRM-Sync").returncode == 0
        assert self.export(workspace, "--format", "dotenv", "--only", "Nobody").returncode == 1


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=24)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(NAMES, SECRETS, min_size=1, max_size=5))
def test_every_format_keeps_the_exact_bytes(secrets: dict[str, str]):
    given = {formats.Key(name, formats.Slot.CURRENT): Secret(text) for name, text in secrets.items()}
    wanted = {formats.variable_name(name): text.encode() for name, text in secrets.items()}
    assume(len(wanted) == len(secrets))
    assert all(re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) for name in wanted)
    shown = "".join(f'printf "%s\\0" "${name}"\n' for name in wanted)
    for shell in ("sh", "bash"):
        got = subprocess.run([shell], input=(formats.dotenv(given) + shown).encode(), capture_output=True, check=True)
        assert got.stdout.split(b"\0")[:-1] == list(wanted.values())
    assert json.loads(formats.as_json(given)) == secrets
    manifest = yaml.safe_load(formats.kubernetes(given, "x"))
    assert {name: base64.b64decode(value) for name, value in manifest["data"].items()} == wanted
    assert read_by_runner(formats.github_environment(given)) == wanted


def read_by_runner(text: str) -> dict[str, bytes]:
    """Read what GITHUB_ENV holds as a runner on Linux does: lines end at a line feed only."""
    found, lines = {}, text.split("\n")
    while lines and (first := lines.pop(0)):
        name, _, fence = first.partition("<<")
        end = lines.index(fence)
        found[name] = "\n".join(lines[:end]).encode()
        del lines[: end + 1]
    return found


class TestPrivateFile:
    """What `--output` promises of the file, whatever stands there before."""

    @pytest.mark.parametrize("write", [replace_private, append_private])
    def test_an_open_file_is_closed_to_others(self, tmp_path: Path, write: Callable[[str, str], None]):
        path = tmp_path / "out"
        path.write_text("old\n")
        path.chmod(0o666)
        write(str(path), "canary\n")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text() == ("canary\n" if write is replace_private else "old\ncanary\n")
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("write", [replace_private, append_private])
    @pytest.mark.parametrize("what", ["link", "dangling", "folder", "pipe"])
    def test_what_is_no_plain_file_is_refused(self, tmp_path: Path, write: Callable[[str, str], None], what: str):
        path, other = tmp_path / "out", tmp_path / "other"
        match what:
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case _:
                path.symlink_to(other)
        if what == "link":
            other.write_text("kept")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(RefusedError, match="regular file"):
            write(str(path), "canary")
        assert sorted(tmp_path.iterdir()) == before
        assert not other.exists() or other.read_text() == "kept"

    def test_a_write_that_fails_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(StateIOError, match="No space left"):
            replace_private(str(tmp_path / "out"), "canary")
        assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_message_says_how_to_get_it(workspace: Workspace):
    (workspace.folder / "pyrage.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(workspace.folder), os.environ.get("PYTHONPATH", "")])
    refused = workspace.apply(PYTHONPATH=path)
    assert refused.returncode == 64
    assert "pip install 'pyrage" in refused.stderr
    assert live(workspace) == {}


class TestRecipients:
    """Whom new secrets are encrypted for is part of what a plan shows, and of what a saved plan is bound to."""

    def test_an_added_one_is_not_hidden_by_no_changes(self, applied: Workspace):
        applied.write(encrypted_config(IDENTITY, OTHER))
        added, former = str(OTHER.to_public()), str(IDENTITY.to_public())
        marks = {"text": '": added', "markdown": ": added", "html": "</bdi>: added"}
        for form, mark in marks.items():
            shown = applied.run("plan", "--format", form, "--detailed-exitcode")
            assert shown.returncode == 2
            assert added + mark in shown.stdout
            assert "No changes" not in shown.stdout
        document = json.loads(applied.run("plan", "--format", "json").stdout)
        assert document["recipients"] == {"listed": sorted((added, former)), "added": [added], "removed": []}
        assert applied.apply().returncode == 0
        assert applied.run("plan", "--detailed-exitcode").stdout.startswith(
            "No changes. 2 webhooks match the recorded state.\n"
        )
        applied.write(encrypted_config(OTHER))
        assert f'"{former}": removed' in applied.run("plan").stdout

    def test_a_saved_plan_for_one_does_not_apply_with_another(self, workspace: Workspace):
        workspace.write(encrypted_config())
        assert workspace.run("plan", "--out", "saved").returncode == 0
        workspace.write(encrypted_config(OTHER))
        refused = workspace.run("apply", "--plan", "saved", "--yes")
        assert refused.returncode == 1
        assert "the saved plan is stale" in refused.stderr
        assert workspace.simulator.webhooks() == []

    def test_a_state_that_does_not_name_them_makes_all_of_them_new(self, applied: Workspace):
        """As where somebody took them out of the state, to hide whom they added to the config."""
        text = json.dumps({key: value for key, value in applied.state.items() if key != "recipients"})
        (applied.folder / "sendkit.state.json").write_text(text)
        assert f'"{IDENTITY.to_public()}": added' in applied.run("plan").stdout

    def test_whoever_is_staged_or_rotated_for_is_noted(self, applied: Workspace):
        for words in (("stage", "CRM Sync"), ("rotate", "Analytics", "--yes")):
            identity = pyrage.x25519.Identity.generate()
            applied.write(encrypted_config(identity))
            assert applied.run("secret", *words).returncode == 0
            assert applied.state["recipients"] == [str(identity.to_public())]
