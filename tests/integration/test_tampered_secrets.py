"""An encrypted state that somebody else has written: all that they need is the public recipient.

Whoever gets such a state into the repository must not get a secret of their own sent, or another webhook's.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from sendkit_sync.simulator import Fault
from support.age_keys import IDENTITY, OTHER, READER, encrypted_config
from support.workspace import TWO, Workspace

pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")

ATTACKER = "the-attackers-secret-" + "5" * 40
State = dict[str, Any]


def forged(workspace: Workspace, name: str = "CRM Sync", **inside: str) -> dict[str, str]:
    """Return the attacker's secret as the state stores one, for the recipient that the config shows to everybody."""
    about = {"api": workspace.simulator.url, "lineage": workspace.state["lineage"], "name": name, "secret": ATTACKER} | inside
    encrypted = base64.b64encode(pyrage.encrypt(json.dumps(about).encode(), [IDENTITY.to_public()])).decode()
    return {"origin": "generated", "encrypted": encrypted, "sha256": digest(ATTACKER)}


def intent(workspace: Workspace, secret: dict[str, str], **fields: object) -> dict[str, object]:
    settings = {"url": "https://crm.example.com/webhooks/sendkit", "events": ["email.positive_reply", "email.replied"]}
    return {"op": "forged", "action": "create", "sentAt": 1.0, "settings": settings, "secret": secret, **fields}


def tamper(workspace: Workspace, change: Callable[[State], object]) -> None:
    state = workspace.state
    change(state)
    (workspace.folder / "sendkit.state.json").write_text(json.dumps(state))


def sources(workspace: Workspace, *words: str) -> dict[str, str | None]:
    """Return where a plan says that the secrets come from which it sends."""
    plan = json.loads(workspace.run("plan", "--format", "json", *words).stdout)
    return {action["name"]: action["secret_source"] for action in plan["actions"]}


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def in_force(workspace: Workspace, name: str = "CRM Sync") -> str:
    return next(webhook["secret"] for webhook in workspace.simulator.webhooks() if webhook["name"] == name)


@pytest.fixture
def applied(workspace: Workspace) -> Workspace:
    workspace.write(encrypted_config())
    done = workspace.apply(**READER)
    assert done.returncode == 0, done.stderr
    return workspace


def forged_update(workspace: Workspace) -> None:
    record = workspace.state["webhooks"]["CRM Sync"]
    call = intent(workspace, forged(workspace), action="update", id=record["id"])
    tamper(workspace, lambda state: state["pending"].update({"CRM Sync": [call]}))


def forged_attempt(workspace: Workspace) -> None:
    workspace.simulator.delete(workspace.state["webhooks"]["CRM Sync"]["id"])
    call = intent(workspace, forged(workspace), expired=True)

    def change(state: State) -> None:
        del state["webhooks"]["CRM Sync"]
        state["pending"]["CRM Sync"] = [call]

    tamper(workspace, change)


class TestWithTheIdentity:
    """An apply that could read the secret, and so could send it."""

    def test_the_secret_of_a_forged_update_is_not_sent(self, applied: Workspace):
        forged_update(applied)
        assert sources(applied)["CRM Sync"] == "attempt"
        applied.apply(**READER)
        assert in_force(applied) != ATTACKER
        assert applied.run("secret", "get", "CRM Sync", **READER).stdout == in_force(applied) + "\n"

    def test_nor_by_a_rotation(self, applied: Workspace):
        forged_update(applied)
        applied.run("secret", "rotate", "CRM Sync", "--yes", **READER)
        assert in_force(applied) != ATTACKER

    def test_the_secret_of_a_forged_attempt_is_not_sent(self, applied: Workspace):
        forged_attempt(applied)
        assert sources(applied)["CRM Sync"] == "attempt"
        done = applied.apply(**READER)
        assert done.returncode == 0, done.stderr
        assert in_force(applied) != ATTACKER

    def test_a_proof_of_another_value_proves_nothing(self, applied: Workspace):
        """A proof that was read by whoever had the identity once, or copied from another value."""
        own = applied.state["webhooks"]["CRM Sync"]["secret"]["encrypted"]
        inside = json.loads(pyrage.decrypt(base64.b64decode(own), [IDENTITY]))
        record = applied.state["webhooks"]["CRM Sync"]
        call = intent(applied, forged(applied, proof=inside["proof"]), action="update", id=record["id"])
        tamper(applied, lambda state: state["pending"].update({"CRM Sync": [call]}))
        applied.apply(**READER)
        assert in_force(applied) != ATTACKER

    def test_what_was_in_clear_is_not_proved_by_being_encrypted(self, applied: Workspace):
        call = intent(applied, {"origin": "generated", "value": ATTACKER}, expired=True)
        tamper(applied, lambda state: state["pending"].update(New=[call]))
        text = TWO + "  - {name: New, url: 'https://new.example.com/', events: [email.sent]}\n"
        applied.write(encrypted_config(text=text))
        refused = applied.apply(**READER)
        assert refused.returncode == 65
        assert "the state contains secrets in clear" in refused.stderr
        assert applied.run("state", "encrypt", **READER).returncode == 0
        assert applied.apply(**READER).returncode == 0
        assert in_force(applied, "New") != ATTACKER

    def test_what_was_forged_is_not_proved_by_a_rekey(self, applied: Workspace):
        forged_attempt(applied)
        assert applied.run("secret", "rekey", **READER).returncode == 0
        assert applied.apply(**READER).returncode == 0
        assert in_force(applied) != ATTACKER

    def test_an_own_attempt_goes_on_with_its_secret_after_a_rekey_too(self, workspace: Workspace):
        workspace.write(encrypted_config())
        workspace.simulator.add_fault(Fault("POST", kind="drop", when="before"))
        assert workspace.apply(**READER).returncode == 1
        tried = {name: intents[0]["secret"]["sha256"] for name, intents in workspace.state["pending"].items()}
        assert tried
        workspace.simulator.faults.clear()
        workspace.write(encrypted_config(IDENTITY, OTHER))
        assert workspace.run("secret", "rekey", **READER).returncode == 0
        assert workspace.apply("--resend-after", "0s", **READER).returncode in (0, 1)
        assert workspace.apply("--resend-after", "0s", **READER).returncode == 0
        assert {name: digest(in_force(workspace, name)) for name in tried} == tried

    def test_a_secret_of_another_webhook_is_not_sent_under_a_former_name(self, applied: Workspace):
        """The recorded secret of a webhook that is gone, taken from another one, whose receiver the attacker has."""
        stolen = in_force(applied, "Analytics")
        applied.simulator.delete(applied.state["webhooks"]["CRM Sync"]["id"])

        def change(state: State) -> None:
            crm, analytics = state["webhooks"]["CRM Sync"], state["webhooks"]["Analytics"]
            crm.update(secret=analytics["secret"], formerNames=["Analytics"])

        tamper(applied, change)
        assert sources(applied, "--refresh") == {"CRM Sync": "recorded"}
        assert applied.apply("--refresh", **READER).returncode == 0
        assert in_force(applied) != stolen


def test_a_secret_that_stands_at_two_webhooks_is_not_handed_on(applied: Workspace):
    def change(state: State) -> None:
        crm, analytics = state["webhooks"]["CRM Sync"], state["webhooks"]["Analytics"]
        crm.update(secret=analytics["secret"], formerNames=["Analytics"])

    tamper(applied, change)
    for words in (("get", "CRM Sync"), ("export", "--format", "json")):
        refused = applied.run("secret", *words, **READER)
        assert refused.returncode == 65
        assert "have the same encrypted secret" in refused.stderr
        assert refused.stdout == ""


@pytest.mark.parametrize(
    "inside",
    [
        {"lineage": "another-state"},
        {"api": "https://api.example.com"},
        {"name": "Analytics"},
        {"secret": "other-than-its-hash"},
    ],
    ids=lambda inside: next(iter(inside)),
)
def test_a_value_from_elsewhere_is_found_out(applied: Workspace, inside: dict[str, str]):
    value = forged(applied, **inside)
    tamper(applied, lambda state: state["webhooks"]["CRM Sync"].update(secret=value))
    refused = applied.run("secret", "get", "CRM Sync", **READER)
    assert refused.returncode == 1
    assert "belongs to another webhook, state or API address" in refused.stderr
    assert refused.stdout == ""


def test_a_value_without_a_lineage_is_read(applied: Workspace):
    """As earlier versions wrote it: it keeps its bytes until `secret rekey`."""
    about = {"api": applied.simulator.url, "name": "CRM Sync", "secret": ATTACKER}
    encrypted = base64.b64encode(pyrage.encrypt(json.dumps(about).encode(), [IDENTITY.to_public()])).decode()
    tamper(applied, lambda state: state["webhooks"]["CRM Sync"].update(secret={**forged(applied), "encrypted": encrypted}))
    assert applied.run("secret", "get", "CRM Sync", **READER).stdout == ATTACKER + "\n"


CLEAR = {"origin": "generated", "value": ATTACKER}
IN_CLEAR: dict[str, Callable[[State], object]] = {
    "a record": lambda state: state["webhooks"]["CRM Sync"].update(secret=CLEAR),
    "a previous one": lambda state: state["webhooks"]["CRM Sync"].update(previousSecrets=[CLEAR]),
    "a candidate": lambda state: state["webhooks"]["CRM Sync"].update(candidateSecrets=[CLEAR]),
    "a staged one": lambda state: state.update(staged={"CRM Sync": CLEAR}),
    "an update": lambda state: state["pending"].update(
        {"CRM Sync": [{"op": "o", "action": "update", "sentAt": 1.0, "id": "a", "secret": CLEAR}]}
    ),
}


@pytest.mark.parametrize("place", IN_CLEAR)
def test_a_secret_in_clear_is_refused_where_encryption_is_on(applied: Workspace, place: str):
    tamper(applied, IN_CLEAR[place])
    applied.simulator.requests.clear()
    for words in ("apply --yes", "reconcile", "import --matching", "secret rotate Analytics --yes", "secret rekey"):
        refused = applied.run(*words.split(), **READER)
        assert refused.returncode == 65, words
        assert "the state contains secrets in clear" in refused.stderr
    assert applied.simulator.requests == []
    planned = applied.run("plan")
    assert planned.returncode == 0
    assert "the state contains secrets in clear" in planned.stderr
    assert ATTACKER not in planned.stdout + planned.stderr
