"""The `id` of entries: which live webhooks an apply adopts, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..config import Config
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from ..core.model import DesiredWebhook, LiveWebhook, State
from ..core.quoting import shell_name
from ..planning.blockers import route
from ..planning.scope import PlanScope

Find = Callable[[str], LiveWebhook | None]


def to_adopt(config: Config, state: State | None, scope: PlanScope) -> list[DesiredWebhook]:
    """Return the entries whose `id` names a webhook that is not recorded.

    Raises `RefusedError` for an `id` that the state contradicts: it is recorded under another name, the name is recorded with
    another id, or a create that may have made the webhook is unresolved. None of these may end in a create.
    """
    found = [webhook for webhook in config.webhooks if webhook.id is not None and scope.cover(webhook.name)]
    if state is None:
        return found
    owners = {record.id: name for name, record in state.webhooks.items()}
    for webhook in found:
        _check(webhook, state, owners.get(webhook.id or ""))
    return [webhook for webhook in found if webhook.id not in owners]


def _check(webhook: DesiredWebhook, state: State, owner: str | None) -> None:
    shown, record = f'"{printable(webhook.name)}"', state.webhooks.get(webhook.name)
    if record is not None and record.id != webhook.id:
        raise RefusedError(
            ErrorCode.ID_DIFFERS,
            f"{shown} is recorded as {printable(record.id)}, but its entry has the id {webhook.id}",
            hint=f"Change the `id`, or first run `sendkit-sync state forget {shell_name(webhook.name)}`.",
        )
    if owner not in (None, webhook.name, webhook.renamed_from):
        raise RefusedError(
            ErrorCode.ID_RECORDED,
            f'{webhook.id}, the id of {shown}, is already recorded, as "{printable(owner or "")}"',
            hint="Use `renamedFrom` to rename it.",
        )
    for name in state.unresolved() if owner is None else ():
        settings = [intent.settings for intent in state.pending[name] if intent.settings is not None]
        if name == webhook.name or any(route(one) == route(webhook.settings) for one in settings):
            raise RefusedError(
                ErrorCode.CREATE_UNRESOLVED,
                f'{shown} has an `id`, but the create of "{printable(name)}" is unresolved and may have made that webhook',
                hint="Remove the `id` and run apply, which resolves it.",
            )


def read_adoptable(webhooks: Sequence[DesiredWebhook], state: State | None, find: Find) -> dict[str, LiveWebhook]:
    """Return the live webhook of each entry, by name. Raises `RefusedError` if one is gone or in another workspace."""
    found: dict[str, LiveWebhook] = {}
    for webhook in webhooks:
        live = find(webhook.id or "")
        if live is None:
            raise RefusedError(
                ErrorCode.NOT_LIVE,
                f'there is no live webhook {webhook.id}, the id of "{printable(webhook.name)}"',
                hint="Check the id in SendKit, and that the API key belongs to the same workspace. Remove `id` to create it.",
            )
        known = state.observed_workspace_id if state is not None else None
        if known is not None and live.workspace_id not in (None, known):
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"{webhook.id} belongs to workspace {printable(live.workspace_id or '')}, but the state to {printable(known)}",
                hint="Use the API key of that workspace, or a separate state for this one.",
            )
        found[webhook.name] = live
    return found
