"""What the last run did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run did, for `status`.

    `ended_at` is in seconds since the epoch. `by` names its user and machine. `counts` maps results such as `created` and
    `failed` to how many actions had them.
    """

    ended_at: float
    by: str
    command: str
    exit_code: int
    counts: Mapping[str, int] = field(default_factory=dict)
