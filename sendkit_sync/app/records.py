"""The use cases `state list` and `state show`, and the names for shell completion."""

from __future__ import annotations

from ..core.model import SENSITIVE, State, WebhookRecord
from ..planning.diff import view
from .checks import not_recorded, nothing_recorded
from .context import Context, Source
from .wiring import read_config, read_state, state_file_text, state_path_of


def recorded_state(context: Context, source: Source) -> State:
    """Return the state. Raises `RefusedError` if nothing is recorded."""
    path = state_path_of(context, source)
    state = read_state(path)
    if state is None:
        raise nothing_recorded(path)
    return state


def recorded_list(context: Context, source: Source) -> list[dict[str, str | None]]:
    """Return `id`, `status`, `secret` (recorded, missing or staged) and `name` of each webhook, then the unresolved creates."""
    state = recorded_state(context, source)
    rows: list[dict[str, str | None]] = []
    for name, record in sorted(state.webhooks.items()):
        secret = "staged" if name in state.staged else "recorded" if record.secret else "missing"
        rows.append({"id": record.id, "name": name, "status": record.status, "secret": secret})
    for name in sorted(state.staged.keys() - state.webhooks.keys()):
        rows.append({"id": None, "name": name, "status": "planned", "secret": "staged"})
    rows += [{"id": None, "name": name, "status": "unresolved", "secret": "recorded"} for name in state.unresolved()]
    return rows


def state_text(context: Context, source: Source) -> str:
    """Return the state as the text of a state file, its journal folded in; raises `RefusedError` where nothing is recorded."""
    return state_file_text(recorded_state(context, source))


def record_document(context: Context, source: Source, name: str) -> dict[str, object]:
    """Return one record as JSON data, its secrets masked or counted. Raises `RefusedError` if there is none."""
    state = recorded_state(context, source)
    record, staged = state.webhooks.get(name), state.staged.get(name)
    if record is None and staged is None:
        raise not_recorded(name, state_path_of(context, source))
    secrets = {"stagedSecret": SENSITIVE} if staged is not None else {}
    return {**(_document(name, record) if record is not None else {}), **secrets}


def _document(name: str, record: WebhookRecord) -> dict[str, object]:
    previous, candidates = len(record.previous_secrets), len(record.candidate_secrets)
    secret, masked = SENSITIVE if record.secret else None, record.lifecycle.sensitive_url
    return {
        "id": record.id,
        "status": record.status,
        "createdAt": record.created_at,
        "applied": dict(view(record.applied_name or name, record.applied, secret, sensitive_url=masked)),
        **({"previousSecrets": previous} if previous else {}),
        **({"candidateSecrets": candidates} if candidates else {}),
        "confirmed": dict(view(record.confirmed_name, record.confirmed, secret, sensitive_url=masked)),
    }


def recorded_names(context: Context, source: Source) -> set[str]:
    """Return the names in the state, including those of unresolved creates."""
    state = read_state(state_path_of(context, source))
    return {*state.webhooks, *state.pending} if state is not None else set()


def config_names(context: Context, source: Source) -> set[str]:
    """Return the names in the config."""
    return {webhook.name for webhook in read_config(context, source).webhooks}
