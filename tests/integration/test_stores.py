"""The commands over each store: what works on a file works there, and nothing is left on this disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendkit_sync.core.store_address import parse_address
from sendkit_sync.simulator import Simulator
from support.stores import LEASED, Place, place
from support.workspace import Workspace


@pytest.fixture(params=LEASED)
def stored(request: pytest.FixtureRequest, tmp_path: Path, simulator: Simulator) -> tuple[Workspace, Place]:
    """Return a workspace whose config keeps its state in a store."""
    there = place(request.param, request, tmp_path)
    workspace = Workspace(tmp_path, simulator)
    config = workspace.folder / "webhooks.yaml"
    config.write_text(f"state: {there.address}\n{config.read_text()}")
    return workspace, there


def test_a_plan_an_apply_and_a_plan_again(stored: tuple[Workspace, Place]):
    workspace, there = stored
    planned = workspace.run("plan")
    assert planned.returncode == 0, planned.stderr
    assert f"read the state from {parse_address(there.address).shown}" in planned.stderr
    assert workspace.simulator.requests == []
    applied = workspace.apply()
    assert applied.returncode == 0, applied.stderr
    again = workspace.run("plan", "--detailed-exitcode")
    assert again.returncode == 0, again.stdout + again.stderr
    listed = workspace.run("state", "list")
    assert "CRM Sync" in listed.stdout
    assert [path.name for path in workspace.folder.iterdir()] == ["webhooks.yaml"]
    assert len(workspace.simulator.webhooks()) == 2
