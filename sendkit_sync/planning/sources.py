"""Determines where the secret of an action comes from. The plan shows it, and no other secret is sent."""

from __future__ import annotations

from ..core.model import DesiredWebhook, SecretOrigin, State, WebhookRecord
from .diff import secret_differs
from .plan import SecretSource


def of_create(webhook: DesiredWebhook, gone: WebhookRecord | None, state: State) -> SecretSource:
    """Return the source for a create. `gone` is the record of the webhook that it replaces."""
    if webhook.secret_origin not in ("generated", "server"):
        return SecretSource.CONFIG
    if gone is None and webhook.name in state.staged:
        return SecretSource.STAGED
    attempts = [intent.secret for intent in state.pending.get(webhook.name, ()) if intent.secret is not None]
    if any(secret.origin is SecretOrigin.GENERATED for secret in attempts):
        return SecretSource.ATTEMPT
    if gone is not None and gone.secret is not None and gone.secret.origin is not SecretOrigin.CONFIG:
        return SecretSource.RECORDED
    return SecretSource.SERVER if webhook.secret_origin == "server" else SecretSource.GENERATED


def of_update(webhook: DesiredWebhook, record: WebhookRecord, state: State, *, unanswered: bool) -> SecretSource | None:
    """Return the source for an update, or None if no secret is sent. `unanswered`: an earlier update has no outcome."""
    if not webhook.policy.manage_secret:
        return None
    if webhook.secret is not None:
        return SecretSource.CONFIG if unanswered or secret_differs(webhook, record) else None
    if unanswered and any(intent.secret is not None for intent in state.updates_of(record.id)):
        return SecretSource.ATTEMPT
    return None
