"""Converts the API's JSON to typed values. Tolerates everything except an invalid id."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..core.fields import FIELDS, Settings, clean
from ..core.model import WEBHOOK_ID, DeliveryStats, LiveWebhook, Secret
from ..core.names import normalized


def decode(body: bytes) -> object:
    """Return the parsed JSON of `body`, or None if it is not JSON."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def is_foreign(body: bytes) -> bool:
    """Tell whether `body` holds something that the API does not write: not a JSON object, but a page of what stands between."""
    return bool(body.strip()) and not isinstance(decode(body), dict)


def encode(fields: Mapping[str, object]) -> bytes:
    """Return `fields` as JSON, with every `Secret` in clear text."""
    return json.dumps({name: value.reveal() if isinstance(value, Secret) else value for name, value in fields.items()}).encode()


def data_of(value: object) -> object:
    """Return the `data` of the envelope, or None if it reports a failure or is not an envelope."""
    if not isinstance(value, dict) or value.get("success") is False:
        return None
    return value.get("data")


def live_of(value: object) -> LiveWebhook | None:
    """Return the webhook, or None if it has no valid id."""
    if not isinstance(value, dict):
        return None
    webhook_id = value.get("_id", value.get("id"))
    if not isinstance(webhook_id, str) or not WEBHOOK_ID.fullmatch(webhook_id):
        return None
    secret = _text(value.get("secret"))
    masked = secret is not None and secret.endswith("...")
    return LiveWebhook(
        id=webhook_id,
        name=normalized(_text(value.get("name")) or ""),
        settings=Settings.of({field.key: field.parse(value.get(field.key)) for field in FIELDS}),
        secret=Secret(secret) if secret and not masked else None,
        secret_masked=masked,
        status=_text(value.get("status")),
        workspace_id=_text(value.get("workspaceId")),
        created_at=_text(value.get("createdAt")),
        stats=_stats_of(value.get("stats")),
    )


def _stats_of(value: object) -> DeliveryStats:
    """Return what the list counts of a webhook (SendKit API, List webhooks)."""
    if not isinstance(value, dict):
        return DeliveryStats()
    return DeliveryStats(
        _total(value.get("totalDelivered")), _total(value.get("totalFailed")), _text(value.get("lastDeliveredAt"))
    )


def _total(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def message_of(body: bytes, status_line: str) -> str:
    """Return the server's error message, neither shortened nor redacted."""
    value = decode(body)
    text = status_line
    if isinstance(value, dict):
        error = value.get("error")
        for found in (value.get("message"), error, error.get("message") if isinstance(error, dict) else None):
            if isinstance(found, str) and found.strip():
                text = found.strip()
                break
    return text


def _text(value: object) -> str | None:
    return clean(value) if isinstance(value, str) else None
