"""Resolves creates whose response was lost, by matching them against the live list. Never sends a POST.

Uses only what the intents hold, because the config may have changed since.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.model import ActionKind, Intent, LiveWebhook, SecretOrigin, StoredSecret, WebhookRecord
from ..core.ports import Api, Clock, Ledger, SecretCipher
from ..core.quoting import shell_name
from .preflight import check_workspace

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """A live webhook that an intent created."""

    intent: Intent
    live: LiveWebhook

    @property
    def proved(self) -> bool:
        """Whether the secret proves the match. Other attempts may have sent the same name, URL and events."""
        return self.intent.secret is not None and self.live.secret is not None


def find_match(intents: Sequence[Intent], candidates: Sequence[LiveWebhook]) -> Match | None:
    """Return the candidate (live, not recorded) that one of `intents` (all with the same name) created, or None.

    Also None if several candidates match, because it is unknown which one is ours.
    """
    found: dict[str, Match] = {}
    for candidate in candidates:
        for intent in reversed(intents):
            if candidate.id not in intent.seen and _made_by(intent, candidate):
                found.setdefault(candidate.id, Match(intent, candidate))
    return next(iter(found.values())) if len(found) == 1 else None


def _made_by(intent: Intent, live: LiveWebhook) -> bool:
    if intent.secret is not None and live.secret is not None:
        # A generated secret is sufficient proof, because a server may change the name it is sent.
        generated = intent.secret.origin is SecretOrigin.GENERATED
        return intent.secret.matches(live.secret) and (generated or live.name == intent.name)
    settings = intent.settings
    if settings is None or live.name != intent.name:
        return False
    return (live.settings.url, live.settings.events) == (settings.url, settings.events)


def resolve_creates(
    api: Api,
    ledger: Ledger,
    cipher: SecretCipher,
    clock: Clock,
    stop: threading.Event,
    *,
    names: Sequence[str],
    settle_s: float,
) -> list[LiveWebhook]:
    """Read the live list until every create of `names` has a match, or for `settle_s` seconds.

    Records the matches. Returns the list that was read last. Raises what `Api.list` raises, and `RefusedError` for the list of
    another workspace.
    """
    deadline = clock.monotonic() + settle_s
    pause_s = FIRST_PAUSE_S
    open_names = list(names)
    while True:
        live = list(api.list())
        check_workspace(live, ledger.workspace_id)
        candidates = [candidate for candidate in live if not ledger.has_id(candidate.id)]
        open_names = [name for name in open_names if not _resolve_one(name, candidates, ledger, cipher)]
        left_s = deadline - clock.monotonic()
        if not open_names or left_s <= 0 or clock.sleep(min(pause_s, left_s), stop):
            return live
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def other_secrets(intents: Sequence[Intent], made: Intent) -> tuple[StoredSecret, ...]:
    """Return the secrets of `intents` that differ from the one of `made`, newest first."""
    sent = [intent.secret for intent in reversed(intents)]
    return tuple(dict.fromkeys(secret for secret in sent if secret is not None and secret != made.secret))


def _resolve_one(name: str, candidates: Sequence[LiveWebhook], ledger: Ledger, cipher: SecretCipher) -> bool:
    state = ledger.state
    intents = [intent for intent in state.pending.get(name, ()) if intent.action is ActionKind.CREATE]
    # One that was just recorded under another name is no longer a candidate.
    match = find_match(intents, [candidate for candidate in candidates if not ledger.has_id(candidate.id)])
    if match is None:
        return not intents
    former = state.webhooks.get(match.intent.replaces or name)
    others = () if match.proved else other_secrets(intents, match.intent)
    ledger.record(name, record_of(match.intent, match.live, cipher, former, others), replaces=match.intent.replaces)
    log.info('create "%s": found live as %s and recorded', name, match.live.id)
    if others:
        log.warning('create "%s": %s', name, doubt_text(name))
    return True


def expire_old(ledger: Ledger, clock: Clock, names: Sequence[str], resend_after_s: float) -> None:
    """Expire the creates of `names` whose last attempt is older than `resend_after_s`.

    Call this only after the live list was read and had no match. If the clock went back, no time has passed.
    """
    for name in names:
        intents = [one for one in ledger.pending_of(name) if one.action is ActionKind.CREATE]
        if intents and max(0.0, clock.now() - max(intent.sent_at for intent in intents)) > resend_after_s:
            ledger.expire(name)
            log.info('create "%s": no match is live, and the attempt has expired', name)


def unproved_names(live: Sequence[LiveWebhook], ledger: Ledger) -> set[str]:
    """Return the names of live, unrecorded webhooks. While one has its name, an attempt must not expire."""
    return {candidate.name for candidate in live if not ledger.has_id(candidate.id)}


def doubt_text(name: str) -> str:
    """Return the warning that one of several attempts created the webhook `name`, each with its own secret."""
    name = shell_name(name)
    get = f"`sendkit-sync secret get {name}` prints the last one, with --previous the one before"
    rotate = f"`sendkit-sync secret rotate {name}` makes it certain"
    return f"one of several attempts created it, each with its own secret, and it is unknown which: {get}; {rotate}"


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
        former_names=renamed(former.former_names, intent.replaces) if former is not None else (),
    )


def renamed(former_names: tuple[str, ...], replaces: str | None) -> tuple[str, ...]:
    """Return the names under which secrets may be encrypted, after a rename from `replaces` (None: no rename)."""
    return former_names if replaces is None or replaces in former_names else (*former_names, replaces)
