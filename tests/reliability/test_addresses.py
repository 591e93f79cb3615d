"""A state belongs to the address and the workspace that its records came from; one that holds nothing belongs to none yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendkit_sync.simulator import Fault, Simulator
from support.workspace import Workspace

NAMES = ("CRM Sync", "Analytics")
NOWHERE = {"SENDKIT_API_URL": "http://127.0.0.1:9"}
PLATFORM = {"SENDKIT_API_KEY": "sk_user_canary"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Simulator(keys={"sk_user_canary": ["ws_right"], "sk_canary_key_7f3a": ["ws_right"]}) as simulator:
        yield Workspace(tmp_path, simulator)


def content(workspace: Workspace) -> dict[str, object]:
    return json.loads((workspace.folder / "sendkit.state.json").read_text())


def test_a_first_apply_to_a_mistyped_address_does_not_bind_the_state_to_it(workspace: Workspace):
    assert workspace.apply(**NOWHERE).returncode == 69
    assert workspace.run("plan", "--detailed-exitcode").returncode == 2
    done = workspace.apply()
    assert done.returncode == 0, done.stderr
    assert content(workspace)["api"] == workspace.simulator.url
    workspace.check_each_made_once(*NAMES)


@pytest.mark.parametrize("place", ["journal-opened", "fold-begun"])
def test_nor_does_one_that_was_killed_there(workspace: Workspace, place: str):
    assert workspace.run("apply", "--yes", "--retry-for", "0s", killed_at=place, **NOWHERE).returncode < 0
    assert workspace.apply().returncode == 0
    workspace.check_each_made_once(*NAMES)


def test_a_first_apply_to_a_mistyped_workspace_does_not_bind_the_state_to_it(workspace: Workspace):
    assert workspace.apply(**PLATFORM, SENDKIT_WORKSPACE_ID="ws_wrong").returncode == 77
    assert content(workspace)["workspaceId"] == "ws_wrong"
    done = workspace.apply(**PLATFORM, SENDKIT_WORKSPACE_ID="ws_right")
    assert done.returncode == 0, done.stderr
    assert content(workspace)["workspaceId"] == "ws_right"
    workspace.check_each_made_once(*NAMES)


@pytest.mark.parametrize("words", [("apply", "--yes"), ("import", "--matching")])
def test_a_workspace_that_was_only_named_gives_way_to_that_of_the_key(workspace: Workspace, words: tuple[str, ...]):
    assert workspace.apply(**PLATFORM, SENDKIT_WORKSPACE_ID="ws_wrong").returncode == 77
    if words[0] == "import":
        crm = {"name": "CRM Sync", "url": "https://crm.example.com/webhooks/sendkit", "events": ["email.replied"]}
        workspace.simulator.store.create("ws_right", crm)
    done = workspace.run(*words)
    assert done.returncode == 0, done.stderr
    assert content(workspace)["workspaceId"] is None
    assert content(workspace)["observedWorkspaceId"] == "ws_right"


def test_an_empty_state_stays_as_it_is_while_its_address_does(workspace: Workspace):
    workspace.write("version: 1\nworkspace: ws_right\nwebhooks: []\n")
    assert workspace.apply().returncode == 0
    before = (workspace.folder / "sendkit.state.json").read_bytes()
    assert workspace.apply().returncode == 0
    assert (workspace.folder / "sendkit.state.json").read_bytes() == before


@pytest.mark.parametrize("held", ["recorded", "pending"])
def test_a_state_that_holds_something_is_refused_at_another_address(workspace: Workspace, held: str):
    if held == "pending":
        workspace.simulator.add_fault(Fault("POST", when="before", kind="drop"))
    assert workspace.apply().returncode == (0 if held == "recorded" else 1)
    before = (workspace.folder / "sendkit.state.json").read_bytes()
    for words in (("plan",), ("apply", "--yes"), ("state", "resolve", "CRM Sync", "--not-created")):
        refused = workspace.run(*words, **NOWHERE)
        assert refused.returncode == 65, words
        assert "address" in refused.stderr
    assert (workspace.folder / "sendkit.state.json").read_bytes() == before
