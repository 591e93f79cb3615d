"""The use case `state migrate`: moves the state to another store, or gives up a move that was begun."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..core.errors import ErrorCode, UsageError
from ..core.store_address import is_url
from .context import Context, Source
from .wiring import move_of, state_path_of


@dataclass(frozen=True, slots=True)
class MigrateRequest:
    """Where the state is to live: a path or a URL. `abort` keeps it where it is."""

    to: str
    source: Source = field(default_factory=Source)
    abort: bool = False
    lock_timeout_s: float = 0.0


def migrate(context: Context, request: MigrateRequest) -> str:
    """Move the state, or finish a move; return the address that it left. Raises `RefusedError` where that cannot be done."""
    path = state_path_of(context, request.source)
    if _place(path) == _place(request.to):
        raise UsageError(ErrorCode.SAME_STORE, "the state is already there", hint="Name another place with --to.")
    move = move_of(context, path, request.to, request.lock_timeout_s)
    if request.abort:
        move.abort()
    else:
        move.run()
    return path


def _place(address: str) -> str:
    return address if is_url(address) else os.path.realpath(address)
