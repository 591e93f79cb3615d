"""Whole plans, byte by byte: each folder in `scenarios` holds a config, maybe a state, and every form of the plan.

Run with UPDATE_SCENARIOS=1 to write the expected files anew, and read the difference before it is committed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parent / "scenarios"
NAMES = (
    "all-new",
    "changed-fields",
    "missing-secret",
    "no-changes",
    "orphan",
    "orphan-blocks-rename",
    "unresolved-create",
)
FORMS = {"text": "plan.txt", "json": "plan.json", "markdown": "plan.md", "html": "plan.html"}
INPUTS = ("webhooks.yaml", "sendkit.state.json")
PENDING = {"all-new", "changed-fields", "orphan-blocks-rename", "unresolved-create"}


def run_plan(name: str, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run `plan` in `folder`, with a copy of the scenario's inputs and nothing else."""
    for file in INPUTS:
        if (SCENARIOS / name / file).exists():
            shutil.copy(SCENARIOS / name / file, folder / file)
            (folder / file).chmod(0o600)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SENDKIT")}
    return subprocess.run(
        [sys.executable, "-m", "sendkit_sync", "plan", *words],
        cwd=folder,
        env=clean,
        capture_output=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_every_folder_is_tested():
    assert sorted(path.name for path in SCENARIOS.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_plan_is_as_expected(name: str, form: str, tmp_path: Path):
    done = run_plan(name, tmp_path, "--format", form)
    assert done.returncode == 0, done.stderr
    assert b"canary" not in done.stdout + done.stderr
    expected = SCENARIOS / name / FORMS[form]
    if os.environ.get("UPDATE_SCENARIOS") == "1":
        expected.write_bytes(done.stdout)
    assert done.stdout == expected.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_exit_code_tells_whether_changes_are_pending(name: str, tmp_path: Path):
    assert run_plan(name, tmp_path, "--detailed-exitcode").returncode == (2 if name in PENDING else 0)
