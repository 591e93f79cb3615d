"""The package as a library: the page's example runs, nothing is printed, and importing it stays cheap."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import sendkit_sync
from support.workspace import KEY, REPOSITORY, Workspace


def test_the_example_of_the_page_applies_the_config(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(workspace.folder)
    page = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    lines: list[str] = []
    exec(example, {"API_URL": workspace.simulator.url, "API_KEY": KEY, "log": lines.append})
    assert lines[:2] == ["create Analytics", "create CRM Sync"]
    assert sorted(lines[2:]) == ["create Analytics: done", "create CRM Sync: done"]
    workspace.check_each_made_once("CRM Sync", "Analytics")
    assert capfd.readouterr() == ("", "")


def test_an_apply_that_is_not_approved_changes_nothing(workspace: Workspace):
    context = sendkit_sync.Context(api_url=workspace.simulator.url, api_key=sendkit_sync.Secret(KEY))
    source = sendkit_sync.Source(configs=(str(workspace.folder / "webhooks.yaml"),))
    with pytest.raises(sendkit_sync.SyncError):
        sendkit_sync.apply(context, sendkit_sync.ApplyRequest(source), lambda plan: False)
    assert not workspace.simulator.webhooks()


@pytest.mark.parametrize("name", [name for name in sendkit_sync.__all__ if name != "__version__"])
def test_every_public_name_can_be_had_and_says_what_it_is(name: str):
    assert getattr(sendkit_sync, name).__doc__


def test_importing_the_package_loads_nothing_else():
    code = "import sys; before = set(sys.modules); import sendkit_sync; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"sendkit_sync", "sendkit_sync.version", "__future__"}
