"""Differences within one webhook, field by field.

DeepDiff computes them. It is slow, so it is imported and called only for webhooks that are not equal.
"""

from __future__ import annotations

from collections.abc import Collection

from ..core.fields import FIELDS, SHOWN, Kind, Settings
from ..core.model import SENSITIVE, DesiredWebhook, LiveWebhook, WebhookRecord
from ..core.names import masked_url
from .plan import Change, View


def view(name: str, settings: Settings, secret: str | None = SENSITIVE, *, sensitive_url: bool = False) -> View:
    """Return a webhook as plans show it: with the API's defaults filled in, and the secret and a sensitive URL masked."""
    shown = settings.effective().as_json()
    if sensitive_url:
        shown |= {field.key: masked_url(str(shown[field.key])) for field in FIELDS if field.kind is Kind.URL}
    return {"name": name, **shown, "secret": secret}


def changes(before: View, after: View, *, secret_changed: bool) -> tuple[Change, ...]:
    """Return the fields that differ between two views, in the order of `SHOWN`, and the secret if `secret_changed`."""
    fields = _differing(before, after) | ({"secret"} if secret_changed else set())
    return tuple(Change(field, before[field], after[field]) for field in SHOWN if field in fields)


def _differing(before: View, after: View) -> set[str]:
    """Return the keys, except the secret, whose values differ. The order of a list does not matter."""
    from deepdiff import DeepDiff

    found = DeepDiff(before, after, ignore_order=True, exclude_paths="secret", view="tree")
    return {str(item.path(output_format="list")[0]) for items in found.values() for item in items}


def flag_changes(desired: DesiredWebhook, recorded: WebhookRecord) -> tuple[Change, ...]:
    """Return the flags of the config that differ from the recorded ones. SendKit knows nothing of them."""
    before, after = recorded.lifecycle.flags, desired.lifecycle.flags
    return tuple(Change(key, before[key], after[key]) for key in after if before[key] != after[key])


def drifted_fields(recorded: WebhookRecord, live: LiveWebhook, ignored: Collection[str] = ()) -> tuple[str, ...]:
    """Return the fields, in the order of `SHOWN`, in which live differs from what the API last confirmed.

    A field that a response leaves out does not count as different, nor does one that is `ignored`.
    """
    if (recorded.confirmed_name, recorded.confirmed) == (live.name, live.settings):
        return ()
    confirmed = recorded.confirmed.filled(recorded.applied.effective())
    seen = live.settings.filled(confirmed)
    fields = _differing(view(recorded.confirmed_name, confirmed), view(live.name, seen))
    return tuple(field for field in SHOWN if field in fields and field not in ignored)


def same_except_spelling(one: LiveWebhook, other: LiveWebhook) -> bool:
    """Return whether two responses differ only in case or in a trailing slash of the URL."""
    return _spelling(one) == _spelling(other)


def _spelling(live: LiveWebhook) -> tuple[object, ...]:
    return live.name.strip().casefold(), *live.settings.spelling()


def view_before(
    name: str, recorded: WebhookRecord, live: LiveWebhook | None, drifted: tuple[str, ...], *, sensitive_url: bool
) -> View:
    """Return the webhook as it was applied, with the fields that drifted as they are now."""
    secret = SENSITIVE if recorded.secret else None
    applied = dict(view(recorded.applied_name or name, recorded.applied, secret, sensitive_url=sensitive_url))
    if live is not None and drifted:
        seen = view(live.name, live.settings, sensitive_url=sensitive_url)
        applied.update({field: seen[field] for field in drifted})
    return applied


def differs(desired: DesiredWebhook, recorded: WebhookRecord) -> bool:
    """Return whether the settings, an adopted name or a supplied secret differ from what was applied."""
    settings, applied = desired.settings, recorded.applied
    return (
        (settings != applied and settings.effective() != applied.effective())
        or recorded.applied_name not in (None, desired.name)
        or secret_differs(desired, recorded)
    )


def secret_differs(desired: DesiredWebhook, recorded: WebhookRecord) -> bool:
    """Return whether the config supplies a secret that differs from the recorded one."""
    if desired.secret is None:
        return False
    return recorded.secret is None or not recorded.secret.matches(desired.secret)
