"""Time and chance as values that are passed in, so that a test can hold them."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What the project knows of time; all durations are in seconds."""

    def now(self) -> float:
        """Return the wall clock: seconds since the epoch, UTC. It may go back."""
        ...

    def monotonic(self) -> float:
        """Return a clock that never goes back, with no meaning but in differences."""
        ...

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        """Wait, at most `duration_s`, for `wake`; return whether it was set."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        return wake.wait(duration_s)


class Dice(Protocol):
    """What the project knows of chance."""

    def secret(self) -> str:
        """Return a new signing secret: 32 random bytes as 64 hex digits, the API's own recipe."""
        ...

    def token(self) -> str:
        """Return 16 random hex digits that name an operation, a journal or a lineage."""
        ...

    def below(self, bound_s: float) -> float:
        """Return a random duration from 0 to `bound_s`, for full jitter."""
        ...


@dataclass(frozen=True, slots=True)
class SystemDice:
    """Randomness from the operating system."""

    def secret(self) -> str:
        return os.urandom(32).hex()

    def token(self) -> str:
        return os.urandom(8).hex()

    def below(self, bound_s: float) -> float:
        import random

        return random.uniform(0, bound_s)
