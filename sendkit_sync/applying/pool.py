"""Runs steps several at once, and starts no more once the run is halted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from .results import Result

Step = Callable[[], Result]


class Runner(Protocol):
    """What runs the steps of a run; `run_all` is the one with threads."""

    def __call__(self, steps: Sequence[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
        """Yield the results as they come, and start no more steps once `halted` is true."""
        ...


def run_all(steps: Sequence[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
    """Yield the results as they come; steps that were not started when `halted` turned true give none.

    What a step raises is raised here, after those under way have ended.
    """
    waiting = iter(steps)
    with ThreadPoolExecutor(max_workers=parallelism) as pool:
        running: set[Future[Result]] = set()
        while True:
            while len(running) < parallelism and not halted():
                step = next(waiting, None)
                if step is None:
                    break
                running.add(pool.submit(step))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
