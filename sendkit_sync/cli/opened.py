"""The record, opened under its lock by a command that changes it without a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..config import Config
from ..core.clock import SystemClock, SystemRng
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from ..state import JournalLedger, open_ledger, read_state
from .git_guard import refuse_for_git
from .wiring import Context, check_api, refuse_clear_writes


def nothing_recorded(path: str) -> RefusedError:
    """Return the error of a command that needs a record where there is none."""
    return RefusedError(
        ErrorCode.NOTHING_RECORDED,
        "nothing is recorded yet",
        where=path,
        hint="Apply first, or name another file with --state.",
    )


def not_recorded(name: str, path: str) -> RefusedError:
    """Return the error of a command that names a webhook without a record."""
    what = f'"{printable(name)}" is not recorded'
    return RefusedError(ErrorCode.NOT_RECORDED, what, where=path, hint="The names that are: sendkit-sync state list")


@contextmanager
def opened(
    context: Context, config: Config, path: str, purpose: str, lock_timeout_s: float, *, adds_secret: bool = False
) -> Iterator[JournalLedger]:
    """Open the record to change it; raises where there is none, or where it must not be written in clear."""
    state = read_state(path)
    if state is None:
        raise nothing_recorded(path)
    check_api(state, context, path)
    refuse_clear_writes(config, state, path)
    if adds_secret:
        refuse_for_git(config, state, path)
    with open_ledger(
        path, api=context.api_url, clock=SystemClock(), rng=SystemRng(), purpose=purpose, lock_timeout_s=lock_timeout_s
    ) as ledger:
        yield ledger
