"""Where the config comes from: standard input and pipes, with the state where it was asked for and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.workspace import TWO, Workspace


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
def test_a_config_from_standard_input_is_applied_beside_a_state_that_is_named(path: str, workspace: Workspace):
    done = workspace.run("apply", "--yes", "-c", path, "--state", "s.json", given=TWO)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Applied: 2 created, 0 updated, 0 deleted."), done.stderr
    assert "No changes." in workspace.run("plan", "-c", path, "--state", "s.json", given=TWO).stdout


@pytest.mark.parametrize("path", ["-", "/dev/stdin"])
def test_without_a_place_for_the_state_nothing_is_made(path: str, workspace: Workspace):
    done = workspace.run("apply", "--yes", "-c", path, given=TWO)
    assert done.returncode == 65
    assert "need `state` or --state" in done.stderr
    assert workspace.simulator.webhooks() == []
    assert not Path("/dev/sendkit.state.json").exists()


def test_validate_needs_no_place_for_a_state(workspace: Workspace):
    assert workspace.run("validate", "-c", "-", given=TWO).stdout == "2 webhooks: valid.\n"
    assert workspace.run("validate", "-c", "-", given="version: [").stdout.startswith("<stdin>:2:1: error: ")
