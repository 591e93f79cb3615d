"""Whole plans, byte by byte: each folder in `scenarios` holds a config, maybe a state, and every form of the plan.

Run with UPDATE_SCENARIOS=1 to write the expected files anew, and read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator

SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"
NAMES = (
    "adopt-by-id",
    "all-new",
    "changed-fields",
    "ignore-changes",
    "manage-secret",
    "missing-secret",
    "no-changes",
    "orphan",
    "orphan-blocks-rename",
    "pinned-address",
    "prevent-delete",
    "renamed",
    "secrets-from-state",
    "sensitive-url",
    "unresolved-create",
)
FLAGS = {"prevent-delete": ("--prune",)}
"""What the plan of a scenario is made with."""

REFUSED = {"manage-secret"}
"""Those with an action that no apply carries out."""

FORMS = {"text": "plan.txt", "json": "plan.json", "markdown": "plan.md", "html": "plan.html"}
INPUTS = ("webhooks.yaml", "sendkit.state.json")
PENDING = {*NAMES} - {"missing-secret", "no-changes", "orphan"}


def run_plan(name: str, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run `plan` in `folder`, with a copy of the scenario's inputs and nothing else."""
    for file in INPUTS:
        if (SCENARIOS / name / file).exists():
            shutil.copy(SCENARIOS / name / file, folder / file)
            (folder / file).chmod(0o600)
    return run(folder, "plan", *FLAGS.get(name, ()), *words)


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in `folder`, with no variable of this tool but those given."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SENDKIT")}
    return subprocess.run(
        [sys.executable, "-m", "sendkit_sync", *words],
        cwd=folder,
        env=clean | environment,
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
    refused = name in REFUSED or "blocks" in name or name == "prevent-delete"
    assert run_plan(name, tmp_path, "--detailed-exitcode").returncode == (1 if refused else 2 if name in PENDING else 0)


@pytest.mark.parametrize("page_form", ["cursor", "pages"])
@pytest.mark.parametrize("name", NAMES)
def test_after_apply_a_refreshed_plan_finds_no_changes(name: str, page_form: str, tmp_path: Path):
    with Simulator(page_form=page_form) as simulator:
        config = (SCENARIOS / name / "webhooks.yaml").read_text(encoding="utf-8")
        config = config.replace("https://sendkit.example.com", simulator.url)
        (tmp_path / "webhooks.yaml").write_text(config, encoding="utf-8")
        if name == "adopt-by-id":
            body = {"name": "Old", "url": "https://old.example.com/in", "events": ["email.replied"]}
            simulator.store.create("ws_demo", body, "664a1b2c3d4e5f6a7b8c9d0e")
        state = SCENARIOS / name / "sendkit.state.json"
        if state.exists():
            document = json.loads(state.read_text(encoding="utf-8"))
            for recorded in document["webhooks"].values():
                secret = recorded["secret"].get("value", "the-secret-that-nobody-knows")
                simulator.store.create("ws_demo", recorded["confirmed"] | {"secret": secret}, recorded["id"])
            document.pop("staged", None)  # nobody here can read it
            (tmp_path / state.name).write_text(json.dumps(document | {"api": simulator.url}), encoding="utf-8")
        environment = {"SENDKIT_API_URL": simulator.url, "SENDKIT_API_KEY": "sk_canary"}
        words = ["--yes", "--settle", "1s", "--resend-after", "0s"]
        applied = run(tmp_path, "apply", *words, *(["--allow-duplicate"] if "blocks" in name else []), **environment)
        assert applied.returncode == (1 if name in REFUSED else 0), applied.stderr
        again = run(tmp_path, "plan", "--refresh", "--detailed-exitcode", **environment)
        assert again.returncode == (1 if name in REFUSED else 0), again.stdout
        assert b"canary" not in applied.stdout + applied.stderr + again.stdout + again.stderr
