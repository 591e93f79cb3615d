"""The tables of docs/reliability.md are complete, and the steps of docs/repairing-a-state.md work."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import page
import pytest
from safeguards import SAFEGUARDS, Safeguard, table

from sendkit_sync.core import failpoints
from sendkit_sync.simulator import Simulator
from support.runs import Runs, die_at

REPOSITORY = Path(__file__).parent.parent.parent
RUNBOOK = (REPOSITORY / "docs" / "repairing-a-state.md").read_text(encoding="utf-8")
TEXT = page.PAGE.read_text(encoding="utf-8")


def test_every_fail_point_is_in_the_page_and_in_the_code():
    listed = re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE)
    assert listed == [*failpoints.NAMES, *failpoints.LEASE_NAMES, *failpoints.MOVE_NAMES]
    code = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "sendkit_sync").rglob("*.py"))
    named = set(re.findall(r"reached\(\"([a-z-]+)\"\)", code))
    named |= {f"{kind}-{step}" for kind in ("intent", "outcome") for step in ("buffered", "durable")}
    assert named == {*failpoints.NAMES, *failpoints.LEASE_NAMES, *failpoints.MOVE_NAMES}


def test_the_table_of_safeguards_is_that_of_the_mutants():
    assert page.read("safeguards") == table(), "write it anew: make docs"


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=str)
def test_a_safeguard_can_be_taken_out_in_one_place_and_its_case_exists(safeguard: Safeguard):
    for file, there, instead in safeguard.edits:
        text = (REPOSITORY / "sendkit_sync" / file).read_text(encoding="utf-8")
        assert text.count(there) == 1, f"{file}: {there}"
        ast.parse(text.replace(there, instead))
    module, *names = re.sub(r"\[.*", "", safeguard.case).split("::")
    body = ast.parse((REPOSITORY / module).read_bytes()).body
    for name in names:
        found = [node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name]
        assert found, safeguard.case
        body = found[0].body


def test_every_name_is_told_apart():
    assert len({safeguard.name for safeguard in SAFEGUARDS}) == len(SAFEGUARDS)


def steps(heading: str) -> list[str]:
    """Return the commands under a heading of the runbook, in order."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    return re.findall(r"^ *\$ (.+)$", section[1], re.MULTILINE)


def follow(runs: Runs, *commands: str) -> None:
    """Run commands of the runbook as they are written."""
    for command in commands:
        if command.startswith("sendkit-sync "):
            assert runs.run(*command.split()[1:]).returncode in (0, 65), command
        else:
            subprocess.run(command, shell=True, cwd=runs.folder, check=True)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Simulator() as simulator:
        yield Runs(tmp_path, simulator, ["Anna", "Berta"])


@pytest.mark.parametrize(
    ("killed", "damaged"),
    [(False, ""), (True, ""), (True, ".journal")],
    ids=["snapshot", "snapshot-beside-a-journal", "journal"],
)
@pytest.mark.parametrize("first", [False, True], ids=["later-run", "first-run"])
def test_the_runbook_restores_a_complete_state(runs: Runs, killed: bool, damaged: str, first: bool):
    state = runs.folder / "sendkit.state.json"
    if not first:
        assert runs.apply_here("--target", "Anna") == 0
    if killed:
        die_at(runs, "outcome-durable", "--parallelism", "1")
    else:
        assert runs.apply_here() == 0
    hurt = state.with_name(state.name + damaged)
    hurt.write_bytes(hurt.read_bytes().replace(b'"', b"?", 3))
    assert runs.run("plan").returncode == 65
    assert f"{hurt}:" in runs.outputs[-1]

    follow(runs, *steps("Before you start"))
    restore, remove, remove_journal = steps("The state file is damaged")
    if damaged:
        follow(runs, *steps("The journal is damaged"))
    else:
        follow(runs, restore if state.with_name(state.name + ".backup").exists() else remove)
        if runs.run("plan").returncode == 65:
            follow(runs, remove_journal)
    follow(runs, *steps("Recovering what is missing"))
    assert runs.apply_here() == 0
    runs.check_each_made_once("Anna", "Berta")
    assert runs.posts(made=True) == 2
