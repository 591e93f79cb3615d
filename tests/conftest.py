"""Fixtures that several modules of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support.bench import Bench, bench_in
from support.workspace import Workspace


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Return the SendKit API on loopback."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def workspace(tmp_path: Path, simulator: Simulator) -> Workspace:
    """Return a folder with a config of two webhooks, and the command run in it as a process."""
    return Workspace(tmp_path, simulator)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a folder with a config of one webhook, and the command run in this process."""
    folder = tmp_path / "here"
    folder.mkdir()
    with bench_in(folder, monkeypatch) as bench:
        yield bench
