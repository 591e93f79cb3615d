"""Time and randomness of the machine. They are passed in, so that tests can replace them."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Without this clock, as on macOS, a suspend goes unnoticed until the next write."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        return time.clock_gettime(_BOOTTIME)

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        return wake.wait(duration_s)


@dataclass(frozen=True, slots=True)
class SystemRng:
    """Randomness from the operating system."""

    def secret(self) -> str:
        return os.urandom(32).hex()

    def token(self) -> str:
        return os.urandom(8).hex()

    def below(self, bound_s: float) -> float:
        import random

        return random.uniform(0, bound_s)


def epoch_of(text: str | None) -> float | None:
    """Return a time of the API, ISO 8601, in seconds since the epoch; None where it is none."""
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
