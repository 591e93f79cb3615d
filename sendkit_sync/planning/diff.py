"""What differs within one webhook, field by field.

deepdiff finds it; it is imported and asked only for fields that are not equal, for it is slow.
"""

from __future__ import annotations

from ..core.fields import SHOWN, Settings
from ..core.model import SENSITIVE, DesiredWebhook, LiveWebhook, WebhookRecord
from .plan import Change, View


def view(name: str, settings: Settings, secret: str | None = SENSITIVE) -> View:
    """Return a webhook as plans show it, with the API's defaults filled in and the secret masked."""
    return {"name": name, **settings.effective().as_json(), "secret": secret}


def changes(before: View, after: View, *, secret_changed: bool) -> tuple[Change, ...]:
    """Return the fields that differ between two views, in the order of `SHOWN`; the secret only if told so."""
    fields = _unlike(before, after) | ({"secret"} if secret_changed else set())
    return tuple(Change(field, before[field], after[field]) for field in SHOWN if field in fields)


def _unlike(before: View, after: View) -> set[str]:
    """Return the keys, the secret's apart, under which two views differ; the order of a list means nothing."""
    from deepdiff import DeepDiff

    found = DeepDiff(before, after, ignore_order=True, exclude_paths="secret", view="tree")
    return {str(item.path(output_format="list")[0]) for items in found.values() for item in items}


def drifted_fields(recorded: WebhookRecord, live: LiveWebhook) -> tuple[str, ...]:
    """Return the fields, in the order of `SHOWN`, in which live differs from what the API confirmed last.

    What an answer left out never differs.
    """
    if (recorded.confirmed_name, recorded.confirmed) == (live.name, live.settings):
        return ()
    confirmed = recorded.confirmed.filled(recorded.applied.effective())
    seen = live.settings.filled(confirmed)
    fields = _unlike(view(recorded.confirmed_name, confirmed), view(live.name, seen))
    return tuple(field for field in SHOWN if field in fields)


def same_but_for_spelling(one: LiveWebhook, other: LiveWebhook) -> bool:
    """Tell whether two answers are equal but for case, and a slash at the end of the URL."""
    return _spelling(one) == _spelling(other)


def _spelling(live: LiveWebhook) -> tuple[object, ...]:
    return live.name.strip().casefold(), *live.settings.spelling()


def view_before(name: str, recorded: WebhookRecord, live: LiveWebhook | None, drifted: tuple[str, ...]) -> View:
    """Return what an update starts from: as it was applied, but for the fields that were changed outside."""
    applied = dict(view(recorded.applied_name or name, recorded.applied, SENSITIVE if recorded.secret else None))
    if live is not None and drifted:
        seen = view(live.name, live.settings)
        applied.update({field: seen[field] for field in drifted})
    return applied


def differs(desired: DesiredWebhook, recorded: WebhookRecord) -> bool:
    """Tell whether the settings, an adopted name or a supplied secret differ from what was applied."""
    wanted, applied = desired.settings, recorded.applied
    return (
        (wanted != applied and wanted.effective() != applied.effective())
        or recorded.applied_name not in (None, desired.name)
        or secret_differs(desired, recorded)
    )


def secret_differs(desired: DesiredWebhook, recorded: WebhookRecord) -> bool:
    """Tell whether the config gives a secret, and another than the recorded one; a left-out one never differs."""
    if desired.secret is None:
        return False
    return recorded.secret is None or not recorded.secret.matches(desired.secret)
