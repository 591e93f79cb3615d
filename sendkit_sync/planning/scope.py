"""Which webhooks a plan covers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanScope:
    """Which webhooks a plan covers.

    `targets` are patterns with `*`. Only names that match one are planned; the others are not counted anywhere. With `prune`,
    orphans are deleted.
    """

    prune: bool = False
    targets: tuple[str, ...] = ()

    def cover(self, name: str) -> bool:
        """Return whether `name` is to be planned."""
        return not self.targets or any(_matches(name, pattern) for pattern in self.targets)

    def idle(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the targets that match none of `names`."""
        known = tuple(names)
        return tuple(pattern for pattern in self.targets if not any(_matches(name, pattern) for name in known))


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
