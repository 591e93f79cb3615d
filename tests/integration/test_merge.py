"""Two branches that both applied, merged by git with the tool as its merge driver."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.workspace import TWO, Workspace

GIT = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
DRIVER = f"{sys.executable} -m sendkit_sync state merge %O %A %B --path %P"
THIRD = "  - {name: Third, url: https://third.example.com/in, events: [email.sent]}\n"
FOURTH = "  - {name: Fourth, url: https://fourth.example.com/in, events: [email.sent]}\n"


def git(folder: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run([*GIT, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def committed(workspace: Workspace, message: str) -> None:
    git(workspace.folder, "add", "webhooks.yaml", "sendkit.state.json", ".gitattributes")
    git(workspace.folder, "commit", "--quiet", "--allow-empty", "-m", message)


def on_two_branches(workspace: Workspace, ours: str, theirs: str) -> None:
    """Apply a first config on main, `theirs` on a branch, and `ours` on main; then be about to merge."""
    folder = workspace.folder
    git(folder, "init", "--quiet", ".")
    git(folder, "config", "merge.sendkit-sync.driver", DRIVER)
    (folder / ".gitattributes").write_text("sendkit.state.json merge=sendkit-sync\nwebhooks.yaml merge=union\n")
    workspace.write(TWO)
    assert workspace.apply().returncode == 0
    committed(workspace, "Begin")
    git(folder, "checkout", "--quiet", "-b", "theirs")
    workspace.write(theirs)
    assert workspace.apply().returncode == 0
    committed(workspace, "Theirs")
    git(folder, "checkout", "--quiet", "main")
    workspace.write(ours)
    assert workspace.apply().returncode == 0
    committed(workspace, "Ours")


def test_two_branches_that_both_created_a_webhook_are_merged_and_nothing_is_created_twice(workspace: Workspace):
    on_two_branches(workspace, TWO + THIRD, TWO + FOURTH)
    git(workspace.folder, "merge", "--quiet", "theirs")
    live = {webhook["name"]: webhook["secret"] for webhook in workspace.simulator.webhooks()}
    assert {name: record["secret"]["value"] for name, record in workspace.state["webhooks"].items()} == live
    assert len(live) == 4
    planned = workspace.run("plan", "--detailed-exitcode")
    assert planned.returncode == 0, planned.stdout + planned.stderr


def test_two_branches_that_both_rotated_a_secret_keep_every_one_of_them(workspace: Workspace):
    on_two_branches(workspace, TWO, TWO)
    git(workspace.folder, "checkout", "--quiet", "theirs")
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
    committed(workspace, "Rotate theirs")
    git(workspace.folder, "checkout", "--quiet", "main")
    assert workspace.run("secret", "rotate", "CRM Sync", "--yes").returncode == 0
    committed(workspace, "Rotate ours")
    told = git(workspace.folder, "merge", "theirs")
    assert "either may be in force" in told
    record = workspace.state["webhooks"]["CRM Sync"]
    kept = [record["secret"], *record["candidateSecrets"], *record["previousSecrets"]]
    assert len({secret["value"] for secret in kept}) == 3


def test_a_conflict_leaves_our_state_as_it_was_and_is_reported_by_git(workspace: Workspace):
    on_two_branches(workspace, TWO + THIRD, TWO)
    git(workspace.folder, "checkout", "--quiet", "theirs")
    workspace.write(TWO + THIRD)
    assert workspace.run("apply", "--yes", "--allow-duplicate").returncode == 0
    committed(workspace, "The same webhook once more")
    git(workspace.folder, "checkout", "--quiet", "main")
    before = (workspace.folder / "sendkit.state.json").read_bytes()
    told = git(workspace.folder, "merge", "theirs", code=1)
    assert '"Third" is recorded as' in told
    assert "CONFLICT" in told
    assert (workspace.folder / "sendkit.state.json").read_bytes() == before
