"""A headless Chromium, driven over two pipes by its DevTools protocol; nothing besides the browser is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)

HAND_OVER = """\
import os, sys
one, other = os.dup(int(sys.argv[1])), os.dup(int(sys.argv[2]))
os.dup2(one, 3)
os.dup2(other, 4)
os.set_inheritable(3, True)
os.set_inheritable(4, True)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Begins the browser with its pipes where it looks for them: it reads from descriptor 3 and writes to 4."""


def found() -> str | None:
    """Return where a Chromium is installed, or None."""
    return next((path for path in map(shutil.which, NAMES) if path is not None), None)


class Tab:
    """A page of the browser: `requested` are the addresses it asked for since the last `go`."""

    def __init__(self, write_to: int, read_from: int) -> None:
        self._write_to, self._read_from = write_to, read_from
        self._numbers, self._rest = count(1), b""
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.requested: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something, and return what it answers."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write_to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def go(self, address: str) -> None:
        """Open `address`, and wait until it is loaded, images and all."""
        self._events.clear()
        self.call("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())
        self.requested = [
            event["params"]["request"]["url"] for event in self._events if event.get("method") == "Network.requestWillBeSent"
        ]

    def run(self, script: str) -> Any:
        """Return what a script of the test's own, beside the page's, comes to."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def media(self, kind: str = "screen", scheme: str = "light") -> None:
        """Show the page on a screen or on paper, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read_from, 1 << 20)
            assert part, "the browser has gone"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def chromium(path: str) -> Iterator[Tab]:
    """Start the browser, with a profile of its own, and give a tab of it."""
    its_input, write_to = os.pipe()
    read_from, its_output = os.pipe()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(its_input), str(its_output), path, *FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(its_input, its_output),
        )
        os.close(its_input)
        os.close(its_output)
        try:
            yield Tab(write_to, read_from)
        finally:
            os.close(write_to)  # it ends when nobody can tell it anything any more
            os.close(read_from)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
