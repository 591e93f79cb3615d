"""Finds out what became of creates and deletes whose response was lost; never by sending them again.

Uses nothing but what the intents hold: the config may have changed since.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.errors import ApiError, ApiUnreachableError, KeyRefusedError, NoEndpointError, RefusedError
from ..core.model import ActionKind, Intent, LiveWebhook
from ..core.outcomes import FAILS_UNLESS_LIVE, Failed, FailureCode, Outcome, Succeeded, Unknown
from ..core.ports import Api, Clock, Ledger, SecretCipher
from .delete import Deleter
from .live_list import WITHOUT_LIST, LiveList
from .matching import Match, candidate_secrets_text, find_match, other_secrets, record_of
from .results import Result
from .warnings import Warnings

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0
TEXTS = {
    FailureCode.NOT_FOUND_YET: "it is not in the live list yet",
    FailureCode.AMBIGUOUS: "several live webhooks match it",
    FailureCode.OUTSIDE_WINDOW: "a live webhook looks like it, but was created at another time than this one was sent",
    FailureCode.NAME_IN_USE: "a live webhook of this name is not recorded",
    FailureCode.LIST_FAILED: "the live list could not be read",
    FailureCode.NO_LIST: "the server has no list of webhooks",
}
"""Why a create stays unresolved."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Resolver:
    """Resolves the creates and deletes of one run, and says why the others stay unresolved; durations in seconds."""

    api: Api
    ledger: Ledger
    cipher: SecretCipher
    clock: Clock
    stop: threading.Event
    live_list: LiveList
    deleter: Deleter
    warnings: Warnings
    settle_s: float
    resend_after_s: float
    _reasons: dict[str, FailureCode] = field(default_factory=dict)

    def resolve_earlier(self) -> list[Result]:
        """Resolve every create and delete that an earlier run left unresolved; return the creates that are recorded now.

        An update is not resolved: it is planned again. A create without a match expires once it is old enough. Raises
        what `LiveList.read` raises, but for a server without a list: there creates stay as they are.
        """
        pending = list(self.ledger.state.intents())
        deletes = [intent for intent in pending if intent.action is ActionKind.DELETE]
        if deletes:
            self.check_workspace()
        for intent in deletes:
            self.deleter.look(intent, Unknown(FailureCode.UNRESOLVED, "the outcome of an earlier delete is unknown"))
        names = sorted({intent.name for intent in pending if intent.action is ActionKind.CREATE})
        if not names:
            return []
        try:
            live = self._resolve(names, wait_s=0.0)
        except NoEndpointError:
            self.warnings.add(WITHOUT_LIST)
            self._reasons |= dict.fromkeys(names, FailureCode.NO_LIST)
            return []
        self._expire(live)
        # A list that misses a webhook must not both let its create expire and let it be sent again.
        self.live_list.expire()
        state = self.ledger.state
        return [
            Result(ActionKind.ADOPT, name, state.webhooks[name].id, Succeeded(None))
            for name in names
            if name not in state.pending and name in state.webhooks
        ]

    def check_workspace(self) -> None:
        """Raise `RefusedError` if the key sees another workspace: its 404 says nothing about a webhook in ours."""
        try:
            self.live_list.read()
        except NoEndpointError:
            self.warnings.add(WITHOUT_LIST)

    def resolve_sent(self, unknown: Mapping[str, Unknown], before: frozenset[str]) -> dict[str, Outcome]:
        """Return the outcomes of the creates of this run whose own response did not tell, by name.

        `before` are the ids that were live before the first create.
        """
        if not unknown:
            return {}
        try:
            live = self._resolve(list(unknown), wait_s=self.settle_s)
        except (ApiError, ApiUnreachableError, KeyRefusedError, RefusedError) as error:
            missing = isinstance(error, NoEndpointError)
            reason = FailureCode.NO_LIST if missing else FailureCode.LIST_FAILED
            self.warnings.add(f"the live list cannot be read to resolve unknown outcomes: {error.what}")
            self._reasons |= dict.fromkeys(unknown, reason)
            return {name: self.unresolved(name, outcome.message) for name, outcome in unknown.items()}
        # Not recorded, but not there before either: such a one may be ours.
        ours = self._unrecorded_names([webhook for webhook in live if webhook.id not in before])
        return {name: self._outcome(name, outcome, in_use=name in ours) for name, outcome in unknown.items()}

    def unresolved(self, name: str, message: str) -> Unknown:
        """Return why the create `name` stays unresolved, after `message`."""
        code = self._reasons.get(name, FailureCode.UNRESOLVED)
        return Unknown(code, f"{message}; {TEXTS[code]}" if code in TEXTS else message)

    def _outcome(self, name: str, outcome: Unknown, *, in_use: bool) -> Outcome:
        intents = self._creates(name)
        record = self.ledger.record_of(name)
        if not intents and record is not None:
            return Succeeded(LiveWebhook(record.id, record.confirmed_name, record.confirmed))
        if outcome.code in FAILS_UNLESS_LIVE and not in_use and not self.stop.is_set():
            if intents:
                self.ledger.drop(intents[-1])
            return Failed(outcome.code, outcome.message, outcome.status)
        return self.unresolved(name, outcome.message)

    def _resolve(self, names: Sequence[str], *, wait_s: float) -> Sequence[LiveWebhook]:
        """Read the live list until every create of `names` has its match or `wait_s` is over; return the last list."""
        deadline = self.clock.monotonic() + wait_s
        pause_s = FIRST_PAUSE_S
        left = list(names)
        while True:
            live = self.live_list.read()
            unrecorded = [webhook for webhook in live if not self.ledger.has_id(webhook.id)]
            left = [name for name in left if not self._resolve_one(name, unrecorded)]
            left_s = deadline - self.clock.monotonic()
            if not left or left_s <= 0 or self.clock.sleep(min(pause_s, left_s), self.stop):
                return live
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _resolve_one(self, name: str, unrecorded: Sequence[LiveWebhook]) -> bool:
        """Record what the creates of `name` made; return whether nothing of that name is unresolved any more."""
        intents = self._creates(name)
        # One that was just recorded under another name is no candidate any more.
        candidates = [webhook for webhook in unrecorded if not self.ledger.has_id(webhook.id)]
        match = find_match(intents, candidates, self.resend_after_s)
        if isinstance(match, Match):
            self._record(name, match, intents)
            return True
        if match is FailureCode.NOT_FOUND_YET and any(webhook.name == name for webhook in candidates):
            match = FailureCode.NAME_IN_USE
        self._reasons[name] = match
        return not intents

    def _record(self, name: str, match: Match, intents: Sequence[Intent]) -> None:
        former = self.ledger.record_of(match.intent.replaces or name)
        others = () if match.proved else other_secrets(intents, match.intent)
        record = record_of(match.intent, match.live, self.cipher, former, others)
        self.ledger.record(name, record, replaces=match.intent.replaces)
        log.info('create "%s": found live as %s and recorded', name, match.live.id)
        if others:
            log.warning('create "%s": %s', name, candidate_secrets_text(name))

    def _expire(self, live: Sequence[LiveWebhook]) -> None:
        in_use = self._unrecorded_names(live)
        names = [name for name in self.ledger.state.unresolved() if name not in in_use]
        expire_old(self.ledger, self.api.now(), names, self.resend_after_s)

    def _creates(self, name: str) -> list[Intent]:
        return [intent for intent in self.ledger.pending_of(name) if intent.action is ActionKind.CREATE]

    def _unrecorded_names(self, live: Sequence[LiveWebhook]) -> set[str]:
        """Return the names of live, unrecorded webhooks: while one bears its name, a create must not expire."""
        return {webhook.name for webhook in live if not self.ledger.has_id(webhook.id)}


def expire_old(ledger: Ledger, now: float, names: Sequence[str], resend_after_s: float) -> None:
    """Let the creates of `names` expire whose last attempt is older than `resend_after_s` at `now`, SendKit's time.

    To be called only after the live list was read and held no match. A clock that went back counts as no time.
    """
    for name in names:
        intents = [intent for intent in ledger.pending_of(name) if intent.action is ActionKind.CREATE]
        if intents and max(0.0, now - max(intent.sent_at for intent in intents)) > resend_after_s:
            ledger.expire(name)
            log.info('create "%s": no match is live, and the attempt has expired', name)
