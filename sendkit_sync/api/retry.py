"""How long to wait before a request is sent again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..core.ports import Clock, Rng

MAX_PAUSE_S = 60.0
"""The longest that a `Retry-After` is obeyed at a time."""

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0


def backoff(rng: Rng, tries: int) -> float:
    """Return a wait after `tries` failures: exponential, with full jitter."""
    return rng.below(min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(tries - 1, 10)))


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` asks for, from 0 to 60; None where it makes no sense."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(MAX_PAUSE_S, float(text[:10]))
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, min(MAX_PAUSE_S, date.timestamp() - now))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class Pause:
    """A time until which no worker sends anything."""

    def __init__(self, clock: Clock, stop: threading.Event, on_wait: Callable[[str], None]) -> None:
        self._clock = clock
        self._stop = stop
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._until = clock.monotonic()

    def extend(self, duration_s: float) -> None:
        """Let all workers wait for `duration_s` from now, at least."""
        with self._lock:
            until = self._clock.monotonic() + duration_s
            longer = until > self._until
            self._until = max(self._until, until)
        if longer and duration_s > 0:
            self._on_wait(f"the API asks to wait {duration_s:.0f} s")

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
