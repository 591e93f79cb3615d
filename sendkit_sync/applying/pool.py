"""Runs steps concurrently, and starts no more once the run is halted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

from .results import Result

Step = Callable[[], Result]


class Runner(Protocol):
    """Runs the steps of a run. `run_all` is the implementation with threads."""

    def __call__(self, steps: Sequence[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
        """Yield results as they arrive, and start no more steps once `halted` is true."""
        ...


def run_all(steps: Sequence[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
    """Yield results as they arrive. Steps that were not started when `halted` became true have no result.

    If a step raises, no more steps are started, and the error is raised here after the running steps have ended.
    """
    waiting = iter(steps)
    turn = threading.Lock()
    over = threading.Event()
    results: SimpleQueue[Result | None] = SimpleQueue()

    def work() -> None:
        """Run one step after the other."""
        try:
            while not over.is_set() and not halted():
                with turn:
                    step = next(waiting, None)
                if step is None:
                    return
                results.put(step())
        except BaseException:
            over.set()
            raise
        finally:
            results.put(None)

    with ThreadPoolExecutor(max_workers=parallelism) as pool:
        workers = [pool.submit(work) for _ in range(min(parallelism, len(steps)))]
        try:
            left = len(workers)
            while left:
                result = results.get()
                if result is None:
                    left -= 1
                else:
                    yield result
        finally:
            over.set()
        for worker in workers:
            worker.result()
