"""An API that goes away in the middle of a run, with calls under way and others waiting for their turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support.runs import Runs
from support.waiting import wait_for

NAMES = [f"Team{number:02}" for number in range(30)]
MADE_BEFORE = 6
"""How many creates the API has seen when it goes."""


class Outage:
    """A server, and another one in its place that has what the first had."""

    def __init__(self, keep: ExitStack) -> None:
        self._keep = keep
        self.simulator = keep.enter_context(Simulator(latency_s=0.05))

    def begin(self) -> None:
        self.simulator.close()

    def end(self, runs: Runs) -> None:
        gone = self.simulator
        port = int(gone.url.rpartition(":")[2])
        self.simulator = self._keep.enter_context(Simulator(port=port, latency_s=0.05))
        self.simulator.store = gone.store
        self.simulator.requests[:0] = gone.requests
        runs.simulator = self.simulator


@pytest.fixture
def outage() -> Iterator[Outage]:
    with ExitStack() as keep:
        yield Outage(keep)


@pytest.fixture
def runs(tmp_path: Path, outage: Outage) -> Runs:
    return Runs(tmp_path, outage.simulator, NAMES)


@pytest.mark.parametrize("parallelism", ["1", "4", "16"])
def test_an_api_that_stays_away_ends_the_run_and_nothing_is_made_twice(runs: Runs, outage: Outage, parallelism: str):
    process = runs.start("--parallelism", parallelism)
    wait_for(lambda: runs.posts() >= MADE_BEFORE, "the creates before the outage")
    outage.begin()
    assert runs.end(process) == 1
    assert runs.posts() < len(NAMES)
    outage.end(runs)
    runs.check_recovers()


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_run_that_the_api_comes_back_to_goes_on(runs: Runs, outage: Outage, parallelism: int):
    process = runs.start("--parallelism", str(parallelism), "--retry-for", "30s")
    wait_for(lambda: runs.posts() >= MADE_BEFORE, "the creates before the outage")
    outage.begin()
    outage.end(runs)
    runs.end(process)
    # All but the calls that were under way, and those that the server still let in while it went.
    assert runs.posts(made=True) >= len(NAMES) - 2 * parallelism
    runs.check_recovers()
