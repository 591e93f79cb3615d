"""Which live webhook a create made, told from its intents; pure, so no I/O and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from ..core.model import Intent, LiveWebhook, SecretOrigin, StoredSecret, WebhookRecord
from ..core.outcomes import FailureCode
from ..core.ports import SecretCipher
from ..core.quoting import shell_name

MARGIN_S = 60.0
"""How far the time of a creation may lie outside that of its call: clocks differ a little, and a call takes a while."""


@dataclass(frozen=True, slots=True)
class Match:
    """A live webhook that an intent created."""

    intent: Intent
    live: LiveWebhook

    @property
    def proved(self) -> bool:
        """Whether the webhook is known by its secret, and not only by what another attempt sent too."""
        return self.intent.secret is not None and self.live.secret is not None


class _Fit(Enum):
    MADE = auto()
    OTHER_TIME = auto()
    NONE = auto()


def find_match(intents: Sequence[Intent], candidates: Sequence[LiveWebhook], resend_after_s: float) -> Match | FailureCode:
    """Return the one of `candidates`, live and not recorded, that one of `intents` (all of one name) made.

    Without one, return why: `AMBIGUOUS` if several match, `OUTSIDE_WINDOW` if one was created at another time than it was
    sent, else `NOT_FOUND_YET`.
    """
    found: dict[str, Match] = {}
    other_time = False
    for candidate in candidates:
        for intent in reversed(intents):
            fit = _fit(intent, candidate, resend_after_s) if candidate.id not in intent.seen else _Fit.NONE
            other_time = other_time or fit is _Fit.OTHER_TIME
            if fit is _Fit.MADE:
                found.setdefault(candidate.id, Match(intent, candidate))
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        return FailureCode.AMBIGUOUS
    return FailureCode.OUTSIDE_WINDOW if other_time else FailureCode.NOT_FOUND_YET


def _fit(intent: Intent, live: LiveWebhook, resend_after_s: float) -> _Fit:
    if intent.secret is not None and live.secret is not None:
        # A generated secret is sufficient proof, because a server may change the name it is sent.
        generated = intent.secret.origin is SecretOrigin.GENERATED
        made = intent.secret.matches(live.secret) and (generated or live.name == intent.name)
        return _Fit.MADE if made else _Fit.NONE
    settings = intent.settings
    if settings is None or live.name != intent.name:
        return _Fit.NONE
    if (live.settings.url, live.settings.events) != (settings.url, settings.events):
        return _Fit.NONE
    created_at = seconds_of(live.created_at)
    latest = intent.sent_at + max(resend_after_s, MARGIN_S)
    in_time = created_at is None or intent.since - MARGIN_S <= created_at <= latest
    return _Fit.MADE if in_time else _Fit.OTHER_TIME


def seconds_of(text: str | None) -> float | None:
    """Return the seconds since the epoch of an ISO 8601 time, or None for anything else."""
    try:
        time = datetime.fromisoformat(text or "")
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def other_secrets(intents: Sequence[Intent], made: Intent) -> tuple[StoredSecret, ...]:
    """Return the secrets of `intents` that differ from the one of `made`, newest first."""
    sent = [intent.secret for intent in reversed(intents)]
    return tuple(dict.fromkeys(secret for secret in sent if secret is not None and secret != made.secret))


def record_of(
    intent: Intent, live: LiveWebhook, cipher: SecretCipher, former: WebhookRecord | None, others: Sequence[StoredSecret] = ()
) -> WebhookRecord:
    """Return the record of the webhook that `intent` created and the API returned as `live`.

    The sent secret is kept, whatever the response shows; only if none was sent, the one in the response is used. `former` is
    the record of a webhook of that name that is gone; its secret becomes the previous one. `others` are secrets that may be in
    force instead.
    """
    assert intent.settings is not None
    secret: StoredSecret | None = intent.secret
    if secret is None and live.secret is not None:
        secret = cipher.encrypt(intent.name, live.secret, SecretOrigin.SERVER)
    return WebhookRecord(
        id=live.id,
        applied=intent.settings,
        confirmed=live.settings,
        confirmed_name=live.name,
        secret=secret,
        status=live.status,
        created_at=live.created_at,
        previous_secrets=former.previous_after(secret) if former is not None else (),
        candidate_secrets=tuple(others),
        former_names=former_names_after(former.former_names, intent.replaces) if former is not None else (),
        lifecycle=intent.lifecycle,
    )


def former_names_after(former_names: tuple[str, ...], replaces: str | None) -> tuple[str, ...]:
    """Return the names that a secret may be encrypted for, after a rename from `replaces` (None: no rename)."""
    return former_names if replaces is None or replaces in former_names else (*former_names, replaces)


def candidate_secrets_text(name: str) -> str:
    """Return the warning that one of several attempts created the webhook `name`, each with its own secret."""
    name = shell_name(name)
    get = f"`sendkit-sync secret get {name}` prints the last one, with --previous the one before"
    rotate = f"`sendkit-sync secret rotate {name}` makes it certain"
    return f"one of several attempts created it, each with its own secret, and it is unknown which: {get}; {rotate}"
