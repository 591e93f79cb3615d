"""Opens the state for a use case that changes it without a plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ..config import Config
from ..core.model import State
from ..state import JournalLedger
from .checks import check_api, check_encryption, nothing_recorded
from .context import Context
from .git_guard import refuse_for_git
from .wiring import ledger_of, read_state


@contextmanager
def open_record(
    context: Context,
    path: str,
    purpose: str,
    lock_timeout_s: float,
    *,
    config: Config | None = None,
    adds_secret: bool = False,
    encrypts: bool = False,
) -> Iterator[JournalLedger]:
    """Lock and open the state to change it. Raises if there is none.

    With `config`, also raises if the state does not fit its `encryption`, unless the command `encrypts` it. Without it and
    without an address, the recorded one is used: nothing is sent.
    """
    if config is None and context.api_url is None and (recorded := read_state(path)) is not None:
        context = replace(context, api_url=recorded.api)

    def check(state: State | None) -> None:
        if state is None:
            raise nothing_recorded(path)
        check_api(context, state, path)
        if config is not None:
            check_encryption(config, state, encrypts=encrypts)
            if adds_secret:
                refuse_for_git(context, config, state)

    with ledger_of(context, path, purpose, lock_timeout_s, check) as ledger:
        yield ledger
