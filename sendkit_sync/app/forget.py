"""The use case `state forget`: removes a record, but not the webhook."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from .checks import not_recorded
from .context import Context, Source
from .record import open_record
from .stage import Approve, ask
from .wiring import state_path_of


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """Which record to remove."""

    name: str
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


def forget(context: Context, request: ForgetRequest, approve: Approve = lambda _: True) -> None:
    """Remove a record and its secrets. Raises `RefusedError` if there is none or its create is unresolved."""
    path, name = state_path_of(context, request.source), request.name
    with open_record(context, path, "state forget", request.lock_timeout_s) as ledger:
        if name not in ledger.state.webhooks:
            raise not_recorded(name, path)
        if name in ledger.state.unresolved():
            raise RefusedError(
                ErrorCode.CREATE_UNRESOLVED,
                f'"{printable(name)}" has an unresolved create',
                hint="First resolve it with `sendkit-sync state resolve NAME`.",
            )
        if any(ledger.state.webhooks[name].secrets()) or name in ledger.state.staged:
            ask(
                approve,
                f'Forget "{printable(name)}" and its secrets for good? The webhook in SendKit stays.',
            )
        ledger.forget(name)
