"""Stand-ins for time, chance, threads and death, so that one drawn schedule decides all that happens in a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from sendkit_sync.applying.pool import Step
from sendkit_sync.applying.results import Result

START = 1_800_000_000.0
"""When all schedules begin: seconds since the epoch, UTC."""


class Crash(BaseException):
    """The process dies here: nobody catches this, and nothing runs after it."""


class FakeClock:
    """A clock that moves only when someone waits on it, or when a test moves it."""

    def __init__(self) -> None:
        self.steady = 100.0
        self.wall = START + self.steady
        self.slept_s = 0.0
        """How long the machine was suspended."""

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def boottime(self) -> float:
        return self.steady + self.slept_s

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        self.advance(duration_s)
        return wake.is_set()

    def advance(self, duration_s: float) -> None:
        self.wall += duration_s
        self.steady += duration_s

    def mend(self) -> None:
        """Undo what was done to the wall clock alone."""
        self.wall = START + self.steady


class CountingRng:
    """Never the same twice, and always the same sequence."""

    def __init__(self) -> None:
        self._count = 0

    def secret(self) -> str:
        return f"{self._next():064x}"

    def token(self) -> str:
        return f"{self._next():016x}"

    def below(self, bound_s: float) -> float:
        return bound_s / 2

    def _next(self) -> int:
        self._count += 1
        return self._count


class _Worker(threading.Thread):
    """A thread that moves only while it has the turn."""

    def __init__(self, step: Step) -> None:
        super().__init__(daemon=True)
        self._step = step
        self.go = threading.Semaphore(0)
        self.back = threading.Semaphore(0)
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.finished = False

    def run(self) -> None:
        self.go.acquire()
        try:
            self.result = self._step()
        except BaseException as error:  # noqa: BLE001 - handed on to the thread that waits
            self.error = error
        self.finished = True
        self.back.release()


class Interleaving:
    """Runs steps in threads of which one moves at a time; `pick(n)` chooses which of n is the next to move."""

    def __init__(self, pick: Callable[[int], int]) -> None:
        self._pick = pick

    def turn(self) -> None:
        """Let another worker move; called from inside a step."""
        worker = threading.current_thread()
        if isinstance(worker, _Worker):
            worker.back.release()
            worker.go.acquire()

    def run_all(self, steps: Sequence[Step], *, parallelism: int, halted: Callable[[], bool]) -> Iterator[Result]:
        """Stand in for `applying.pool.run_all`."""
        waiting = iter(steps)
        active: list[_Worker] = []
        failure: BaseException | None = None
        while True:
            while len(active) < parallelism and failure is None and not halted():
                step = next(waiting, None)
                if step is None:
                    break
                active.append(_Worker(step))
                active[-1].start()
            if not active:
                break
            worker = active[self._pick(len(active))]
            worker.go.release()
            worker.back.acquire()
            if not worker.finished:
                continue
            active.remove(worker)
            worker.join()
            failure = failure or worker.error
            if failure is None and worker.result is not None:
                yield worker.result
        if failure is not None:
            raise failure


class World:
    """The process of one run: it dies at the step that the schedule names, and no thread gets beyond that."""

    def __init__(self, clock: FakeClock, picks: Sequence[int] = (), crash_at: int | None = None, stop_at: int | None = None):
        self.clock = clock
        self.stop = threading.Event()
        self.steps = 0
        self.dead = False
        self.dies_at = ""
        self._crash_at = crash_at
        self._stop_at = stop_at
        self._picks = list(picks) or [0]
        self._picked = 0
        self.interleaving = Interleaving(self._pick)

    def _pick(self, count: int) -> int:
        self._picked += 1
        return self._picks[self._picked % len(self._picks)] % count

    def step(self, name: str) -> None:
        """A place where another thread may move, a signal may come and the process may die."""
        self.interleaving.turn()
        self.point(name)

    def point(self, name: str) -> None:
        """A place where the process may die, but no other thread moves: a lock may be held."""
        if self.dead:
            raise Crash(self.dies_at)
        self.steps += 1
        if self.steps == self._stop_at:
            self.stop.set()
        if self.steps == self._crash_at:
            self.die(name)

    def die(self, name: str) -> None:
        """End the process."""
        self.dead = True
        self.dies_at = name
        raise Crash(name)
