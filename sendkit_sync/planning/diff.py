"""What differs within one webhook, field by field.

deepdiff finds it; it is imported and asked only for entries that are not equal, for it is slow.
"""

from __future__ import annotations

from ..model import SENSITIVE, Recorded, Settings, Webhook
from .plan import Change, JsonValue, View

FIELDS = ("name", "url", "events", "retryAttempts", "timeoutMs", "secret")
"""The order in which changes are listed."""


def view(name: str, settings: Settings, secret: str | None = SENSITIVE) -> View:
    """Return a webhook as plans show it, with the API's defaults filled in and the secret masked."""
    whole = settings.effective()
    return {
        "name": name,
        "url": whole.url,
        "events": list(whole.events),
        "retryAttempts": whole.retry_attempts,
        "timeoutMs": whole.timeout_ms,
        "secret": secret,
    }


def changes(before: View, after: View, *, secret_changed: bool) -> tuple[Change, ...]:
    """Return the fields that differ between two views, in the order of `FIELDS`; the secret only if told so."""
    fields: set[str] = set()
    if any(before[field] != after[field] for field in FIELDS[:-1]):
        from deepdiff import DeepDiff

        found = DeepDiff(_open(before), _open(after), ignore_order=False, view="tree")
        fields = {str(item.path(output_format="list")[0]) for items in found.values() for item in items}
    if secret_changed:
        fields.add("secret")
    return tuple(Change(field, _value(before, field), _value(after, field)) for field in FIELDS if field in fields)


def differs(desired: Webhook, recorded: Recorded) -> bool:
    """Tell whether the settings or a supplied secret differ from what was applied."""
    return desired.settings.effective() != recorded.applied.effective() or secret_differs(desired, recorded)


def secret_differs(desired: Webhook, recorded: Recorded) -> bool:
    """Tell whether the config gives a secret, and another than the recorded one; a left-out one never differs."""
    if desired.secret is None:
        return False
    return recorded.secret is None or not recorded.secret.matches(desired.secret)


def _open(view: View) -> dict[str, JsonValue]:
    return {field: view[field] for field in FIELDS[:-1]}


def _value(view: View, field: str) -> JsonValue:
    return SENSITIVE if field == "secret" else view[field]
