"""What a plan is to cover."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanScope:
    """What a plan is to cover.

    `targets` are patterns with `*`: only entries whose name matches one are planned, the rest counts nowhere.
    With `prune`, orphans are deleted.
    """

    prune: bool = False
    targets: tuple[str, ...] = ()

    def cover(self, name: str) -> bool:
        """Tell whether the entry `name` is to be planned."""
        return not self.targets or any(_matches(name, pattern) for pattern in self.targets)

    def idle(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the targets that match none of `names`."""
        known = tuple(names)
        return tuple(pattern for pattern in self.targets if not any(_matches(name, pattern) for name in known))


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None
