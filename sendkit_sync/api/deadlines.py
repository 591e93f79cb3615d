"""One thread that ends calls whose deadline has passed; a timer for each would cost as much as half of the call."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol


class Call(Protocol):
    """What may have to be ended."""

    @property
    def closed(self) -> bool:
        """Whether it has ended by itself."""
        ...

    def expire(self) -> None:
        """End it, from another thread; does nothing to one that is closed."""
        ...


class Deadlines:
    """Ends each call that is not closed `timeout_s` after it is watched.

    All have the same time, so the one that is watched longest is due first; and whatever is watched while the
    thread sleeps, for no longer than that time, is due after it wakes: nothing ever has to wake it.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._calls: deque[tuple[float, Call]] = deque()
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None

    def watch(self, call: Call) -> None:
        """Begin the time of `call`."""
        with self._lock:
            while self._calls and self._calls[0][1].closed:
                self._calls.popleft()
            self._calls.append((time.monotonic() + self._timeout_s, call))
            if self._ended is None:
                self._ended = threading.Event()
                threading.Thread(target=self._run, args=[self._ended], name="deadlines", daemon=True).start()

    def close(self) -> None:
        """Watch nothing any more; the thread ends."""
        with self._lock:
            self._calls.clear()
            if self._ended is not None:
                self._ended.set()
                self._ended = None

    def _run(self, ended: threading.Event) -> None:
        pause_s = self._timeout_s
        while not ended.wait(pause_s):
            pause_s = self._end_due()

    def _end_due(self) -> float:
        """End what is due; return for how many seconds nothing will be."""
        while True:
            with self._lock:
                left_s = self._calls[0][0] - time.monotonic() if self._calls else self._timeout_s
                if left_s > 0:
                    return left_s
                _, call = self._calls.popleft()
            call.expire()
