"""Leases that die after a second or two, and not after a minute, for runs of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from sendkit_sync.app import checks
from sendkit_sync.state.stores import lease

TIMES = {
    lease: {"DEAD_AFTER_S": 2.0, "SEND_WITHIN_S": 1.0, "RENEW_AFTER_S": 0.5, "POLL_S": 0.1},
    checks: {"LAST_CALL_MARGIN_S": -1e9},
}
"""The same proportions as in production; the margin lets a test send again at once what was never sent."""
PROGRAM = "".join(
    f"import {module.__name__}\n" + "".join(f"{module.__name__}.{name} = {value}\n" for name, value in times.items())
    for module, times in TIMES.items()
)
"""The same for a process of its own, in front of its program."""


@contextmanager
def quick_lease() -> Iterator[None]:
    """Shorten the times in this process."""
    with ExitStack() as keep:
        for module, times in TIMES.items():
            for name, value in times.items():
                keep.enter_context(mock.patch.object(module, name, value))
        yield
