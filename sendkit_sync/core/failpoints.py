"""Named places where a test may stop or kill the process. In production `reached` does nothing.

docs/reliability.md explains each of the `NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable

NAMES = (
    "lock-taken",
    "snapshot-written",
    "snapshot-renamed",
    "journal-opened",
    "intent-buffered",
    "intent-durable",
    "gate-passed",
    "request-sent",
    "answer-read",
    "outcome-buffered",
    "outcome-durable",
    "fold-begun",
    "fold-done",
    "journal-removed",
)

LEASE_NAMES = ("taken-over", "lease-renewed")
"""Those that are reached only where the lock is a lease."""

MOVE_NAMES = ("move-begun", "move-delivered", "move-finished", "move-tombstoned")
"""Those of `state migrate`."""


def _nothing(name: str) -> None:
    """Do nothing: the fail points are off."""


hook: Callable[[str], None] = _nothing
"""Called with the name of each fail point that is reached. Only tests replace it."""


def reached(name: str) -> None:
    """Call the hook for the fail point `name`."""
    hook(name)
