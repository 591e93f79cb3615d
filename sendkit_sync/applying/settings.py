"""How a run behaves."""

from __future__ import annotations

from dataclasses import dataclass

PREPARED_AHEAD = 2
"""How many calls beyond those in flight are prepared, their intents on disk, while they wait for their turn."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run; durations in seconds."""

    parallelism: int = 4
    settle_s: float = 10.0
    resend_after_s: float = 300.0
    allow_duplicate: bool = False

    @property
    def workers(self) -> int:
        """The number of threads that carry out actions; with one call at a time, each action waits for the one before."""
        return self.parallelism + min(PREPARED_AHEAD, self.parallelism - 1)
