"""The use case `state resolve`: resolves a create by hand, with what somebody saw in SendKit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..api.wire import ID
from ..applying.resolving import doubt_text, other_secrets, record_of
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import ActionKind, Intent, LiveWebhook
from ..core.ports import Ledger
from .context import Context, Source
from .record import open_record
from .wiring import clear_cipher, state_path_of


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """The unresolved create, and the webhook that it made; `webhook_id` None says that it made none."""

    name: str
    webhook_id: str | None = None
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


def resolve(context: Context, request: ResolveRequest) -> None:
    """Record what an unresolved create made, or drop it; raises `RefusedError` where there is none of that name."""
    name, webhook_id = request.name, request.webhook_id
    if webhook_id is not None and not ID.fullmatch(webhook_id):
        raise UsageError(ErrorCode.ID_INVALID, "that is no id of a webhook", hint="SendKit shows it: 24 hex digits, as a rule.")
    path = state_path_of(context, request.source)
    with open_record(context, path, "state resolve", request.lock_timeout_s) as ledger:
        intents = [intent for intent in ledger.state.pending.get(name, ()) if intent.action is ActionKind.CREATE]
        if not intents:
            raise RefusedError(
                ErrorCode.NOT_UNRESOLVED, f'"{printable(name)}" is not unresolved', hint="What is: sendkit-sync state list"
            )
        if webhook_id is None:
            for intent in intents:
                ledger.drop(intent)
            return
        if ledger.has_id(webhook_id):
            raise RefusedError(
                ErrorCode.ID_RECORDED,
                f"{printable(webhook_id)} is recorded already",
                hint="Under which name: sendkit-sync state list",
            )
        doubted = _resolve(ledger, intents, webhook_id)
    if doubted:
        context.warn(doubt_text(name))


def _resolve(ledger: Ledger, intents: Sequence[Intent], webhook_id: str) -> bool:
    """Record what the last of `intents` made, with the secrets of all; tell whether one of the others may be in force."""
    last = intents[-1]
    assert last.settings is not None
    others = other_secrets(intents, last)
    former = ledger.state.webhooks.get(last.replaces or last.name)
    live = LiveWebhook(webhook_id, last.name, last.settings)
    ledger.record(last.name, record_of(last, live, clear_cipher(), former, others), replaces=last.replaces)
    return bool(others)
