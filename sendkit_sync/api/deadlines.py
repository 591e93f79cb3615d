"""One thread that ends calls at their deadline. A timer per call would cost half as much as the call itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Protocol


class Call(Protocol):
    """A call that may have to be ended."""

    @property
    def closed(self) -> bool:
        """Whether the call has ended."""
        ...

    def expire(self) -> None:
        """End the call, from another thread. Does nothing if it is closed."""
        ...


class Deadlines:
    """Ends each watched call that is still open after `timeout_s`.

    All calls have the same timeout, so the oldest one is due first. The thread never sleeps longer than the timeout, so a
    call that is added meanwhile is due after it wakes up. It never has to be woken.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._calls: deque[tuple[float, Call]] = deque()
        self._lock = threading.Lock()
        self._ended: threading.Event | None = None

    def watch(self, call: Call) -> None:
        """Start the timeout of `call`."""
        with self._lock:
            while self._calls and self._calls[0][1].closed:
                self._calls.popleft()
            self._calls.append((time.monotonic() + self._timeout_s, call))
            if self._ended is None:
                self._ended = threading.Event()
                threading.Thread(target=self._run, args=[self._ended], name="deadlines", daemon=True).start()

    def close(self) -> None:
        """Stop watching all calls, and end the thread."""
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
        """End the calls that are due. Return the number of seconds until the next one may be."""
        while True:
            with self._lock:
                left_s = self._calls[0][0] - time.monotonic() if self._calls else self._timeout_s
                if left_s > 0:
                    return left_s
                _, call = self._calls.popleft()
            call.expire()
