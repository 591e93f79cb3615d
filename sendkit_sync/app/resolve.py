"""The use case `state resolve`: resolves a create by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..applying.matching import candidate_secrets_text, other_secrets, record_of
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import WEBHOOK_ID, ActionKind, Intent, LiveWebhook
from ..core.ports import Ledger
from .context import Context, Source
from .record import open_record
from .wiring import clear_cipher, state_path_of


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """The unresolved create and the webhook that it created; `webhook_id` None means that it created none."""

    name: str
    webhook_id: str | None = None
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


def resolve(context: Context, request: ResolveRequest) -> None:
    """Record the webhook of an unresolved create, or drop the create. Raises `RefusedError` if there is no such create."""
    name, webhook_id = request.name, request.webhook_id
    if webhook_id is not None and not WEBHOOK_ID.fullmatch(webhook_id):
        raise UsageError(
            ErrorCode.ID_INVALID, "this is not a webhook id", hint="Copy the id from SendKit. It usually has 24 hex digits."
        )
    path = state_path_of(context, request.source)
    with open_record(context, path, "state resolve", request.lock_timeout_s) as ledger:
        intents = [intent for intent in ledger.pending_of(name) if intent.action is ActionKind.CREATE]
        if not intents:
            raise RefusedError(
                ErrorCode.NOT_UNRESOLVED,
                f'"{printable(name)}" has no unresolved create',
                hint="Run `sendkit-sync state list` to see which webhooks do.",
            )
        if webhook_id is None:
            for intent in intents:
                ledger.drop(intent)
            return
        if ledger.has_id(webhook_id):
            raise RefusedError(
                ErrorCode.ID_RECORDED,
                f"{printable(webhook_id)} is already recorded",
                hint="Run `sendkit-sync state list` to see its name.",
            )
        doubted = _resolve(ledger, intents, webhook_id)
    if doubted:
        context.warn(candidate_secrets_text(name))


def _resolve(ledger: Ledger, intents: Sequence[Intent], webhook_id: str) -> bool:
    """Record the webhook of the last of `intents` with all secrets. Return whether one of the others may be in force."""
    last = intents[-1]
    assert last.settings is not None
    others = other_secrets(intents, last)
    former = ledger.record_of(last.replaces or last.name)
    live = LiveWebhook(webhook_id, last.name, last.settings)
    ledger.record(last.name, record_of(last, live, clear_cipher(), former, others), replaces=last.replaces)
    return bool(others)
