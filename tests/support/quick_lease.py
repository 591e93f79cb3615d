"""Leases that die after a second or two, and not after a minute, for runs of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from sendkit_sync.state.stores import lease

TIMES = {"DEAD_AFTER_S": 2.0, "SEND_WITHIN_S": 1.0, "RENEW_AFTER_S": 0.5, "POLL_S": 0.1, "LAST_CALL_MARGIN_S": -1e9}
"""The same proportions as in production; the margin lets a test send again at once what was never sent."""
_LINES = ("from sendkit_sync.state.stores import lease", *(f"lease.{name} = {value}" for name, value in TIMES.items()))
PROGRAM = "".join(f"{line}\n" for line in _LINES)
"""The same for a process of its own, in front of its program."""


@contextmanager
def quick_lease() -> Iterator[None]:
    """Shorten the times in this process."""
    with ExitStack() as keep:
        for name, value in TIMES.items():
            keep.enter_context(mock.patch.object(lease, name, value))
        yield
