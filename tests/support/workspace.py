"""A folder, a simulator, and the command run in it as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sendkit_sync.simulator import Simulator

REPOSITORY = Path(__file__).parent.parent.parent
KEY = "sk_canary_key_7f3a"
TWO = """\
version: 1
webhooks:
  - name: CRM Sync
    url: https://crm.example.com/webhooks/sendkit
    events: [email.replied, email.positive_reply]
  - name: Analytics
    url: https://analytics.example.com/in
    events: [email.opened]
    timeoutMs: 5000
"""
NO_KEYS = {"XDG_CONFIG_HOME": os.devnull}
"""Keeps the age keys of whoever runs the tests out of them."""
KILLER = """\
import os, signal, sys
from sendkit_sync.core import failpoints
place = sys.argv.pop(1)
def hook(name):
    if name == place:
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.hook = hook
from sendkit_sync.cli.main import main
main()
"""


class Workspace:
    """A folder with a config, and the command run in it against one simulator."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.outputs: list[str] = []
        self.write(TWO)

    def write(self, text: str) -> None:
        (self.folder / "webhooks.yaml").write_text(text, encoding="utf-8")

    def run(
        self, *words: str, killed_at: str | None = None, given: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        start = ["-m", "sendkit_sync"] if killed_at is None else ["-c", KILLER, killed_at]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
        done = subprocess.run(
            [sys.executable, *start, *words],
            cwd=self.folder,
            env=clean | NO_KEYS | {"SENDKIT_API_URL": self.simulator.url, "SENDKIT_API_KEY": KEY} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            input=given,
        )
        self.outputs += [done.stdout, done.stderr]
        return done

    def apply(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.run("apply", "--yes", "--settle", "1s", "--retry-for", "1s", *words, **settings)

    @property
    def state(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / "sendkit.state.json").read_text(encoding="utf-8"))
        return document

    def check_nothing_shown(self) -> None:
        """Assert that no output held the key or a live secret."""
        shown = "".join(self.outputs)
        assert KEY not in shown
        for webhook in self.simulator.webhooks():
            assert webhook["secret"] not in shown

    def check_each_made_once(self, *names: str) -> None:
        """Assert that each name is live once, and recorded with its id and its secret."""
        live = {webhook["name"]: webhook for webhook in self.simulator.webhooks()}
        assert sorted(webhook["name"] for webhook in self.simulator.webhooks()) == sorted(names)
        for name in names:
            recorded = self.state["webhooks"][name]
            assert recorded["id"] == live[name]["_id"]
            assert recorded["secret"]["value"] == live[name]["secret"]
        self.check_nothing_shown()


def ids(workspace: Workspace) -> dict[str, str]:
    return {webhook["name"]: webhook["_id"] for webhook in workspace.simulator.webhooks()}


def sent(workspace: Workspace, *methods: str) -> list[str]:
    return [request["method"] for request in workspace.simulator.requests if request["method"] in methods]


def check_converged(workspace: Workspace, *names: str) -> None:
    again = workspace.run("plan", "--refresh", "--detailed-exitcode")
    assert again.returncode == 0, again.stdout
    workspace.check_each_made_once(*names)
