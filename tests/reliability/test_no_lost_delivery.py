"""Deliveries without a pause, to a receiver that checks each: staged, handed over, activated and retired, none is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO

import pytest
from dotenv import dotenv_values

from sendkit_sync import verify_signature
from sendkit_sync.simulator.delivery import deliver
from support.receiving import receiver
from support.waiting import wait_for
from support.workspace import Workspace

NAME = "SENDKIT_SECRET_CRM"
ENOUGH = 20
"""How many deliveries have to arrive after each step."""


@dataclass(slots=True)
class Traffic:
    """What SendKit delivers, and what the receiver, whose secrets are those of its .env file, answers."""

    workspace: Workspace
    answers: list[int] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def accepts(self, body: bytes, header: str | None) -> bool:
        values = dotenv_values(stream=StringIO((self.workspace.folder / ".env").read_text(encoding="utf-8")))
        secrets = [value for name, value in values.items() if name.startswith(NAME) and value]
        return bool(secrets) and verify_signature(body, header, secrets)

    def flow(self) -> None:
        """Deliver to all live webhooks, one delivery after the other, until the end."""
        while not self._ended.is_set():
            for webhook in self.workspace.simulator.webhooks():
                answer = deliver(webhook)
                if answer != 200:
                    self.refused_at.append(time.monotonic())
                self.answers.append(answer)

    def stop(self) -> None:
        self._ended.set()

    def more(self) -> None:
        """Wait until further deliveries were answered."""
        before = len(self.answers)
        wait_for(lambda: len(self.answers) >= before + ENOUGH, "further deliveries")

    def step(self, *words: str) -> None:
        """Run a command while deliveries arrive, and wait for more of them."""
        done = self.workspace.run(*words)
        assert done.returncode == 0, done.stderr
        self.more()

    @property
    def refused(self) -> int:
        return sum(answer != 200 for answer in self.answers)


@contextmanager
def traffic(workspace: Workspace) -> Iterator[Traffic]:
    found = Traffic(workspace)
    (workspace.folder / ".env").write_text("PORT=8000\n", encoding="utf-8")
    with receiver(found.accepts) as (url, _):
        workspace.write(f"version: 1\nwebhooks:\n  - {{name: CRM, url: '{url}', events: [email.replied]}}\n")
        thread = threading.Thread(target=found.flow)
        thread.start()
        try:
            yield found
        finally:
            found.stop()
            thread.join()
    workspace.check_nothing_shown()


def export(*flags: str) -> tuple[str, ...]:
    return ("secret", "export", "--format", "dotenv", "--output", ".env", *flags)


def stage_and_create(found: Traffic) -> None:
    workspace = found.workspace
    assert workspace.run("secret", "stage", "--new").returncode == 0
    assert workspace.run(*export("--staged")).returncode == 0
    found.step("apply", "--yes")
    found.step(*export())


@pytest.mark.parametrize("rotations", [0, 2])
def test_staged_first_no_delivery_is_refused(workspace: Workspace, rotations: int):
    with traffic(workspace) as found:
        stage_and_create(found)
        for _ in range(rotations):
            found.step("secret", "stage", "CRM")
            found.step(*export("--staged"))
            found.step("secret", "activate", "CRM")
            found.step(*export("--previous"))
            found.step("secret", "retire", "CRM", "--yes")
            found.step(*export())
    assert len(found.answers) >= ENOUGH * (2 + 6 * rotations)
    assert found.refused == 0
    kept = (workspace.folder / ".env").read_text(encoding="utf-8")
    assert kept.startswith("PORT=8000\n")
    assert kept.count(NAME) == 1


def test_rotated_at_once_deliveries_are_refused_until_the_receiver_has_the_secret(
    workspace: Workspace, record_property: Callable[[str, object], None]
):
    with traffic(workspace) as found:
        stage_and_create(found)
        assert found.refused == 0
        found.step("secret", "rotate", "CRM", "--yes")
        window = found.refused
        assert window >= ENOUGH - 1, "a delivery that was under way may still have been signed with the old one"
        found.step(*export("--previous"))
        found.more()
        closed = found.refused
        found.more()
    assert found.refused == closed, "the window is closed"
    window_s = found.refused_at[-1] - found.refused_at[0]
    assert window_s > 0
    record_property("window_s", round(window_s, 3))
    print(f"{closed} deliveries refused within {window_s:.2f} s")
