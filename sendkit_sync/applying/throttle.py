"""Limits the concurrent calls of a run, and lets none start once the run is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..core.fields import Settings
from ..core.model import LiveWebhook, Secret
from ..core.outcomes import Failed, FailureCode, Outcome
from ..core.ports import Api, Clock

LONG_S = 1.0
"""After a longer wait, the intent gets a new time, so that `--resend-after` counts from the call."""

_REFUSED_KEY = (401, 403)


class StopReason:
    """Why a run starts no more calls: a signal, or an outcome after which no call can succeed."""

    def __init__(self, stop: threading.Event) -> None:
        """`stop` is set by a signal."""
        self.stop = stop
        self._reason: Failed | None = None
        self._turn = threading.Lock()

    @property
    def stopped(self) -> bool:
        """Whether the run starts no more calls."""
        return self._reason is not None or self.stop.is_set()

    @property
    def interrupted(self) -> bool:
        """Whether a signal was received."""
        return self.stop.is_set()

    @property
    def key_refused(self) -> bool:
        """Whether the API rejected the key."""
        return self._reason is not None and self._reason.status in _REFUSED_KEY

    @property
    def unreachable(self) -> bool:
        """Whether the API could not be reached."""
        return self._reason is not None and self._reason.unreachable

    @property
    def outcome(self) -> Failed:
        """The outcome of calls that are not sent."""
        if self._reason is not None:
            return Failed(FailureCode.STOPPED, f"the run was stopped: {self._reason.message}")
        return Failed(FailureCode.INTERRUPTED, "the run was interrupted")

    def set(self, reason: Failed) -> None:
        """Stop the run. The first reason counts, but a refused key replaces any other."""
        with self._turn:
            if self._reason is None or reason.status in _REFUSED_KEY:
                self._reason = reason


@dataclass(frozen=True, slots=True)
class Throttle:
    """The `Api` of a run. `slots` limits the number of concurrent calls.

    More threads than that may wait here, with the intents of their calls already on disk, so that a run waits for the API and
    not for the disk.
    """

    api: Api
    clock: Clock
    stop_reason: StopReason
    slots: AbstractContextManager[object]
    before_call: Callable[[], None]
    """Raises if this run may no longer start a call (`Ledger.before_call`)."""

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        """POST one webhook. Without `secret`, the server generates one."""
        return self._pass(lambda again: self.api.create(name, settings, secret, again), before_attempt)

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        """PATCH `fields`, keyed by the API's names. A secret among them is a `Secret`."""
        return self._pass(lambda again: self.api.update(webhook_id, fields, again), before_attempt)

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        """DELETE one webhook."""
        return self._pass(lambda again: self.api.delete(webhook_id, again), before_attempt)

    def list(self) -> Sequence[LiveWebhook]:
        """Return all webhooks of the workspace, in the API's order."""
        with self.slots:
            return self.api.list()

    def get(self, webhook_id: str) -> LiveWebhook | None:
        """Return one webhook, or None if the API answers 404."""
        with self.slots:
            return self.api.get(webhook_id)

    def workspaces(self) -> Sequence[str]:
        """Return the ids of the workspaces that the key reaches."""
        with self.slots:
            return self.api.workspaces()

    def now(self) -> float:
        """Return SendKit's time."""
        return self.api.now()

    def _pass(self, call: Callable[[Callable[[], None]], Outcome], before_attempt: Callable[[], None]) -> Outcome:
        def again() -> None:
            before_attempt()
            self.before_call()

        came = self.clock.monotonic()
        with self.slots:
            if self.stop_reason.stopped:
                return self.stop_reason.outcome
            if self.clock.monotonic() - came > LONG_S:
                before_attempt()
            self.before_call()
            answer = call(again)
            if isinstance(answer, Failed) and (answer.stops_run or answer.unreachable):
                self.stop_reason.set(answer)  # before the slot is released, so that the next call does not try the same
            return answer
