"""How long to wait before a request is sent again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from ..core.ports import Clock, Rng
from .server_clock import seconds_of

MAX_PAUSE_S = 60.0
"""The longest that a `Retry-After` is obeyed at a time."""

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0
_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?", re.ASCII)


def backoff(rng: Rng, attempts: int) -> float:
    """Return a wait after `attempts` failures: exponential, with full jitter."""
    return rng.below(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempts - 1, 10)))


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` asks for, from 0 to 60; None where it makes no sense."""
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return min(MAX_PAUSE_S, float(text))
    date = seconds_of(text)
    return None if date is None else max(0.0, min(MAX_PAUSE_S, date - now))


def seconds(duration_s: float) -> str:
    """Return a wait as people read it: "0.4 s", "12 s"."""
    return f"{duration_s:.1f} s" if duration_s < 9.95 else f"{duration_s:.0f} s"


class Pause:
    """A time until which no worker sends anything."""

    def __init__(self, clock: Clock, stop: threading.Event, on_wait: Callable[[str], None]) -> None:
        self._clock = clock
        self._stop = stop
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._until = clock.monotonic()

    def extend(self, duration_s: float, left_s: float) -> None:
        """Let all workers wait for at least `duration_s` from now; the call that asks will be retried for `left_s`."""
        with self._lock:
            until = self._clock.monotonic() + duration_s
            longer = until > self._until
            self._until = max(self._until, until)
        if longer and duration_s > 0:
            self._on_wait(f"the API asks to wait: all calls wait {seconds(duration_s)}; {giving_up(left_s)}")

    def left(self) -> float:
        """Return how many seconds the pause still lasts; 0 or less where there is none."""
        with self._lock:
            return self._until - self._clock.monotonic()

    def wait(self) -> bool:
        """Wait until the pause is over; return False where the run is stopped instead."""
        while (left := self.left()) > 0:
            if self._clock.sleep(left, self._stop):
                return False
        return True


def giving_up(left_s: float) -> str:
    """Say how long a call goes on being retried."""
    return f"giving up in {seconds(max(0.0, left_s))}"
