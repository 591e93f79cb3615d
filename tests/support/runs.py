"""A folder, a server, and applies of it: in this process where the process is not the point, else in one of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sendkit_sync.cli.main import run
from sendkit_sync.core import failpoints
from sendkit_sync.simulator import Simulator
from support import figures
from support.quick_lease import PROGRAM, quick_lease
from support.stores import Place
from support.workspace import KEY, Workspace
from support.world import Crash

QUICK = ("apply", "--yes", "--settle", "300ms", "--retry-for", "1s")
INLINE = """\
import sys
from concurrent.futures import Future
from sendkit_sync.applying import pool
class Inline:
    def __init__(self, max_workers):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *details):
        pass
    def submit(self, step):
        future = Future()
        try:
            future.set_result(step())
        except BaseException as error:
            future.set_exception(error)
        return future
pool.ThreadPoolExecutor = Inline
from sendkit_sync.cli.main import main
main()
"""
"""Runs the command with all calls in the main thread: then its system calls come in one order, and can be counted."""


AT_POINT = (
    PROGRAM
    + """\
import os, shutil, signal, subprocess, sys
from sendkit_sync.core import failpoints
place, count, deed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
del sys.argv[1:4]
def hook(name):
    global count
    if name == place:
        count -= 1
        if count == 0:
            exec(deed)
failpoints.hook = hook
from sendkit_sync.cli.main import main
main()
"""
)


def at_point(place: str, count: int, deed: str) -> tuple[str, ...]:
    """Return a program that does `deed` when the fail point `place` is reached for the `count`-th time."""
    return (sys.executable, "-P", "-c", AT_POINT, place, str(count), deed)


def config_of(names: Sequence[str]) -> str:
    """Return a config with one webhook a name, each with a URL of its own."""
    entries = (f"  - name: {name}\n    url: https://{name.lower()}.example/in\n    events: [email.opened]\n" for name in names)
    return "version: 1\nwebhooks:\n" + "".join(entries)


class Runs(Workspace):
    """A workspace whose applies can be started, killed, and brought to an end."""

    def __init__(self, folder: Path, simulator: Simulator, names: Sequence[str], place: Place | None = None) -> None:
        self.place = place
        super().__init__(folder, simulator)
        self.names = tuple(names)
        self.write(config_of(names))

    def write(self, text: str) -> None:
        """Write the config, with the place of the state in it where that is a store."""
        super().write(text if self.place is None else f"state: {self.place.address}\n{text}")

    @property
    def state(self) -> Any:
        """What is recorded, as JSON."""
        if self.place is None:
            return super().state
        snapshot = self.place.open().read().snapshot
        assert snapshot is not None
        return json.loads(snapshot)

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDKIT")}
        return clean | {"SENDKIT_API_URL": self.simulator.url, "SENDKIT_API_KEY": KEY}

    def start(self, *words: str, program: Sequence[str] = (sys.executable, "-m", "sendkit_sync")) -> subprocess.Popen[str]:
        """Start an apply in a process of its own."""
        settings: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*program, *QUICK, *words], cwd=self.folder, env=self.environment(), text=True, **settings)

    def end(self, process: subprocess.Popen[str]) -> int:
        """Wait for a process, keep what it said, and return its exit code."""
        self.outputs += [text for text in process.communicate(timeout=60) if text]
        return process.returncode

    def apply_here(self, *words: str) -> int:
        """Apply in this process; return the exit code."""
        out, err = io.StringIO(), io.StringIO()
        place = ("-c", str(self.folder / "webhooks.yaml"))
        with (
            quick_lease(),
            mock.patch.dict(os.environ, self.environment(), clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run([*QUICK, *words, *place])
        self.outputs += [out.getvalue(), err.getvalue()]
        return code

    def recover(self, *words: str) -> int:
        """Apply until all is done; return how many runs it took.

        The first run does not send anew what has no outcome: a request of the killed run may still be under way.
        """
        codes = [self.apply_here(*words)]
        while codes[-1] != 0:
            assert len(codes) < 4, self.outputs[-2:]
            codes.append(self.apply_here("--resend-after", "0s", *words))
        return len(codes)

    def check_recovers(self) -> int:
        """Recover, and assert that each webhook was made once; return how many runs it took."""
        count = self.recover()
        self.check_each_made_once(*self.names)
        assert self.posts(made=True) == len(self.names)
        return count

    def note(self, **counts: int) -> None:
        """Add to the figures: what was made, made twice, and lost."""
        recorded = self.state["webhooks"]
        live = [webhook for webhook in self.simulator.webhooks() if webhook["name"] in self.names]
        kept = [
            webhook
            for webhook in live
            if (known := recorded.get(webhook["name"])) is not None
            and (known["id"], known["secret"].get("value")) == (webhook["_id"], webhook["secret"])
        ]
        figures.note(webhooks=len(self.names), duplicates=len(live) - len(self.names), losses=len(live) - len(kept), **counts)

    def posts(self, *, made: bool = False) -> int:
        """Return how many creates the server has seen, or how many of them made a webhook."""
        seen = list(self.simulator.requests)
        return sum(request["method"] == "POST" and (not made or "id" in request) for request in seen)


def die_at(runs: Runs, place: str, *words: str) -> None:
    """Let an apply end at a fail point without any cleaning up of the state."""

    def hook(name: str) -> None:
        if name == place:
            raise Crash(name)

    failpoints.hook = hook
    try:
        with pytest.raises(Crash):
            runs.apply_here(*words)
    finally:
        failpoints.hook = lambda name: None
