"""One delete. The record is removed only if the API confirms that the webhook no longer exists."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ..core.errors import SyncError
from ..core.model import ActionKind, Intent
from ..core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from ..core.ports import Api, Ledger, Rng
from ..core.quoting import shell_name
from .intents import record_intent

log = logging.getLogger(__name__)

NO_DELETE = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class Deleter:
    """Deletes recorded webhooks. DELETE is undocumented (SendKit API), so its result is checked."""

    api: Api
    ledger: Ledger
    rng: Rng

    def delete(self, name: str, webhook_id: str) -> Outcome:
        """Delete the webhook, remove its record, and return the outcome.

        After a 404 or no response, the webhook is read: only a 404 to GET removes the record. Raises `StateIOError`.
        """
        intent = Intent(self.rng.token(), ActionKind.DELETE, name, self.api.now(), id=webhook_id)
        record_intent(self.ledger, intent, log)
        answer = self.api.delete(webhook_id, lambda: self.ledger.restamp(intent, self.api.now()))
        if isinstance(answer, Failed) and answer.status != 404:
            self.ledger.drop(intent)
            return _by_hand(name, answer) if answer.status in NO_DELETE else answer
        if isinstance(answer, Succeeded):
            self.ledger.forget(name)
            return answer
        return self.look(intent, answer)

    def look(self, intent: Intent, answer: Failed | Unknown) -> Outcome:
        """Check with GET whether the webhook of `intent` still exists, and record the result."""
        assert intent.id is not None
        try:
            live = self.api.get(intent.id)
        except SyncError as error:
            return Unknown(answer.code, f"{answer.message}; reading it failed too: {error.what}", answer.status)
        if live is None:
            self.ledger.forget(intent.name)
            return Succeeded(None)
        self.ledger.drop(intent)
        if answer.status in NO_DELETE:
            return _by_hand(intent.name, answer)
        return Failed(answer.code, f"it still exists: {answer.message}", answer.status)


def _by_hand(name: str, answer: Failed | Unknown) -> Failed:
    by_hand = f"delete it in SendKit by hand, then run `sendkit-sync state forget {shell_name(name)}`"
    return Failed(FailureCode.NO_DELETE, f"the server cannot delete webhooks ({answer.status}): {by_hand}", answer.status)
