"""Adopting: recording a live webhook that this tool did not make; nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import ErrorCode, RefusedError
from ..core.model import ActionKind, DesiredWebhook, LiveWebhook, SecretOrigin, State, StoredSecret, WebhookRecord
from ..core.ports import Ledger, SecretCipher
from ..core.quoting import resolve_command, shell_name
from ..planning.plan import Action
from .resolving import renamed


def adopt(ledger: Ledger, cipher: SecretCipher, name: str, live: LiveWebhook) -> WebhookRecord:
    """Record `live` under `name` as it is; its secret only where the API shows it whole.

    Adopting what is recorded under that name already brings its record up to what is live, and keeps its secret.
    Raises `RefusedError` where the id or the name is taken, or the name has a create without an outcome.
    """
    state = ledger.state
    _check(ledger, name, live)
    if live.workspace_id not in (None, state.workspace_id):
        if state.workspace_id is not None and not state.empty:
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"{live.id} belongs to workspace {live.workspace_id}, the state to {state.workspace_id}",
                hint="Use the key of that workspace, or another state for this one.",
            )
        ledger.set_workspace(live.workspace_id)
    held = state.webhooks.get(name)
    secret = held.secret if held is not None else None
    sent = _sent(state, live)
    if sent is not None:
        secret = sent
    previous, candidates = _kept(held, sent)
    if secret is None and live.secret is not None:
        secret = cipher.encrypt(name, live.secret, SecretOrigin.SERVER)
    recorded = WebhookRecord(
        id=live.id,
        applied=live.settings,
        confirmed=live.settings,
        confirmed_name=live.name,
        secret=secret,
        status=live.status,
        created_at=live.created_at,
        previous_secrets=previous,
        former_names=held.former_names if held is not None else (),
        applied_name=None if live.name == name else live.name,
        candidate_secrets=candidates,
    )
    ledger.record(name, recorded)
    return recorded


def _kept(held: WebhookRecord | None, sent: StoredSecret | None) -> tuple[tuple[StoredSecret, ...], tuple[StoredSecret, ...]]:
    """Return the previous and the candidate secrets of a record that is brought up to date; `sent` is known to be in force."""
    if held is None:
        return (), ()
    return (held.previous_after(sent), ()) if sent is not None else (held.previous_secrets, held.candidate_secrets)


def _check(ledger: Ledger, name: str, live: LiveWebhook) -> None:
    """Raise `RefusedError` where `name` or the id of `live` is taken, or what a create of `name` made may be found yet."""
    state = ledger.state
    if any(intent.action is ActionKind.CREATE for intent in state.pending.get(name, ())):
        # Also an expired one: its secret is kept nowhere else.
        raise RefusedError(
            ErrorCode.CREATE_UNRESOLVED,
            f'"{name}" has a create without an outcome',
            hint=f"First run apply, which adopts what it made, or: {resolve_command(name, live.id)}",
        )
    held = state.webhooks.get(name)
    if held is not None and held.id != live.id:
        raise RefusedError(
            ErrorCode.NAME_RECORDED,
            f'"{name}" is recorded already, as {held.id}',
            hint=f"First: sendkit-sync state forget {shell_name(name)}",
        )
    if held is None and ledger.has_id(live.id):
        owner = next(other for other, recorded in state.webhooks.items() if recorded.id == live.id)
        raise RefusedError(
            ErrorCode.ID_RECORDED, f'{live.id} is recorded already, as "{owner}"', hint="Use `renamedFrom` to rename it."
        )


def _sent(state: State, live: LiveWebhook) -> StoredSecret | None:
    """Return the secret of an unanswered update that took effect; raise `RefusedError` where that cannot be told."""
    sent = [intent.secret for intent in state.updates_of(live.id) if intent.secret is not None]
    if not sent:
        return None
    for secret in sent:
        if live.secret is not None and secret.matches(live.secret):
            return secret
    raise RefusedError(
        ErrorCode.UPDATE_UNANSWERED, f"a new secret of {live.id} was sent, and has no outcome yet", hint="Run apply first."
    )


def adopt_unchanged(ledger: Ledger, action: Action) -> None:
    """Record that a webhook is as the config asks for already, where it was looked at or adopted as such; nothing is sent."""
    record, live, webhook = action.recorded, action.live, action.desired
    assert record is not None
    assert webhook is not None
    taken = replace(
        record if live is None else record.answered(live),
        applied=webhook.settings,
        former_names=renamed(record.former_names, action.former_name),
        applied_name=None,
    )
    ledger.record(action.name, taken, replaces=action.former_name)


def matching(desired: Sequence[DesiredWebhook], state: State, live: Sequence[LiveWebhook]) -> list[tuple[str, LiveWebhook]]:
    """Return, sorted by name, the live webhooks to adopt, each with its name.

    One is adopted when exactly one desired entry has its name and URL, no other live one has them too, neither
    its id nor the name is recorded, and no create of that name is without an outcome.
    """
    alike = Counter((candidate.name, candidate.settings.url) for candidate in live)
    recorded = state.recorded_ids()
    wanted = {
        (webhook.name, webhook.settings.url)
        for webhook in desired
        if webhook.name not in state.webhooks and webhook.name not in state.pending
    }
    found = [
        (candidate.name, candidate)
        for candidate in live
        if candidate.id not in recorded
        and (candidate.name, candidate.settings.url) in wanted
        and alike[candidate.name, candidate.settings.url] == 1
    ]
    return sorted(found, key=lambda pair: pair[0])
