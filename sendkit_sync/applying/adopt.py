"""Adopts live webhooks that this tool did not create. Sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..core.errors import ErrorCode, RefusedError
from ..core.model import ActionKind, DesiredWebhook, LiveWebhook, SecretOrigin, State, StoredSecret, WebhookRecord
from ..core.policy import Lifecycle
from ..core.ports import Ledger, SecretCipher
from ..core.quoting import resolve_command, shell_name
from ..planning.plan import Action
from .matching import former_names_after


def adopt(
    ledger: Ledger, cipher: SecretCipher, name: str, live: LiveWebhook, lifecycle: Lifecycle | None = None
) -> WebhookRecord:
    """Record `live` under `name` as it is, with the `lifecycle` of its entry; its secret only if the API does not mask it.

    If the webhook is already recorded under that name, its record is updated to what is live, and its secret is kept. Raises
    `RefusedError` if the id or the name is taken, or if the name has an unresolved create.
    """
    state = ledger.state
    _check(ledger, name, live)
    if live.workspace_id not in (None, state.observed_workspace_id):
        if state.observed_workspace_id is not None and not state.empty:
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"{live.id} belongs to workspace {live.workspace_id}, but the state to {state.observed_workspace_id}",
                hint="Use the API key of that workspace, or a separate state for this one.",
            )
        ledger.set_observed_workspace(live.workspace_id)
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
        lifecycle=lifecycle or (held.lifecycle if held is not None else Lifecycle()),
    )
    ledger.record(name, recorded)
    return recorded


def _kept(held: WebhookRecord | None, sent: StoredSecret | None) -> tuple[tuple[StoredSecret, ...], tuple[StoredSecret, ...]]:
    """Return previous and candidate secrets of a record that is updated. `sent`, if given, is known to be in force."""
    if held is None:
        return (), ()
    return (held.previous_after(sent), ()) if sent is not None else (held.previous_secrets, held.candidate_secrets)


def _check(ledger: Ledger, name: str, live: LiveWebhook) -> None:
    """Raise `RefusedError` if `name` or the id of `live` is taken, or if a create of `name` is unresolved."""
    state = ledger.state
    if any(intent.action is ActionKind.CREATE for intent in state.pending.get(name, ())):
        # Even an expired one, because its secret is stored nowhere else.
        raise RefusedError(
            ErrorCode.CREATE_UNRESOLVED,
            f'"{name}" has an unresolved create',
            hint=f"First run apply, which adopts its webhook, or run {resolve_command(name, live.id)}",
        )
    held = state.webhooks.get(name)
    if held is not None and held.id != live.id:
        raise RefusedError(
            ErrorCode.NAME_RECORDED,
            f'"{name}" is already recorded, as {held.id}',
            hint=f"First run `sendkit-sync state forget {shell_name(name)}`.",
        )
    if held is None and ledger.has_id(live.id):
        owner = next(other for other, recorded in state.webhooks.items() if recorded.id == live.id)
        raise RefusedError(
            ErrorCode.ID_RECORDED, f'{live.id} is already recorded, as "{owner}"', hint="Use `renamedFrom` to rename it."
        )


def _sent(state: State, live: LiveWebhook) -> StoredSecret | None:
    """Return the secret of an unanswered update that took effect. Raises `RefusedError` if that is unknown."""
    sent = [intent.secret for intent in state.updates_of(live.id) if intent.secret is not None]
    if not sent:
        return None
    for secret in sent:
        if live.secret is not None and secret.matches(live.secret):
            return secret
    raise RefusedError(
        ErrorCode.UPDATE_UNANSWERED, f"a new secret of {live.id} was sent, and its outcome is unknown", hint="Run apply first."
    )


def adopt_unchanged(ledger: Ledger, action: Action) -> None:
    """Record that a webhook already matches the config. Sends nothing."""
    record, live, webhook = action.recorded, action.live, action.desired
    assert record is not None
    assert webhook is not None
    taken = replace(
        record if live is None else record.answered(live),
        applied=webhook.settings,
        lifecycle=webhook.lifecycle,
        former_names=former_names_after(record.former_names, action.former_name),
        applied_name=None,
    )
    ledger.record(action.name, taken, replaces=action.former_name)


def matching(desired: Sequence[DesiredWebhook], state: State, live: Sequence[LiveWebhook]) -> list[tuple[str, LiveWebhook]]:
    """Return the live webhooks to adopt, each with its name, sorted by name.

    A webhook is adopted if a desired entry has its name and URL, no other live webhook has both, neither its id nor its name
    is recorded, and no create of that name is unresolved.
    """
    count = Counter((candidate.name, candidate.settings.url) for candidate in live)
    recorded = state.recorded_ids()
    missing = {
        (webhook.name, webhook.settings.url)
        for webhook in desired
        if webhook.name not in state.webhooks and webhook.name not in state.pending
    }
    found = [
        (candidate.name, candidate)
        for candidate in live
        if candidate.id not in recorded
        and (candidate.name, candidate.settings.url) in missing
        and count[candidate.name, candidate.settings.url] == 1
    ]
    return sorted(found, key=lambda pair: pair[0])
