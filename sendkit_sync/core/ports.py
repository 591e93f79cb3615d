"""What applying needs of the world, as protocols: the API, and the ledger that remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from .model import Intent, Live, Recorded, Secret, Settings, State
from .outcomes import Answer


class Api(Protocol):
    """SendKit's webhooks, one call a method; safe to use from several threads.

    `create`, `update` and `delete` come back with an `Answer`, and never raise for what the server or the network
    did. They try again what is sure not to have happened, and call `before_resend` each time before they do.
    The reading calls may be repeated freely, and raise: `KeyRefusedError`, `ApiUnreachableError`,
    `NoEndpointError` (404, 405, 501), else `ApiError`.
    """

    def create(self, name: str, settings: Settings, secret: Secret | None, before_resend: Callable[[], None]) -> Answer:
        """POST one webhook; without `secret` the server draws one."""
        ...

    def update(self, webhook_id: str, fields: Mapping[str, object], before_resend: Callable[[], None]) -> Answer:
        """PATCH the named fields, given under the API's names; a secret among them is a `Secret`."""
        ...

    def delete(self, webhook_id: str, before_resend: Callable[[], None]) -> Answer:
        """DELETE one webhook."""
        ...

    def list(self) -> Sequence[Live]:
        """Return all webhooks of the workspace, in the API's order."""
        ...

    def get(self, webhook_id: str) -> Live | None:
        """Return one webhook, or None where the API says 404."""
        ...


class Ledger(Protocol):
    """The record of a run, under the lock. Every method returns once its entry is on disk, and not before.

    Safe to use from several threads. All may raise `StateIOError`, after which nothing more is taken.
    """

    @property
    def state(self) -> State:
        """All that is recorded up to now."""
        ...

    def has_id(self, webhook_id: str) -> bool:
        """Tell whether a webhook of that id is recorded, at a cost that does not grow with their number."""
        ...

    def begin(self, intent: Intent) -> None:
        """Note a call that is about to be made."""
        ...

    def resend(self, intent: Intent, sent_at: float) -> None:
        """Note that the call of `intent` is made once more, at `sent_at`."""
        ...

    def record(self, name: str, recorded: Recorded, *, replaces: str | None = None) -> None:
        """Record a webhook under `name`, and resolve all intents of that name (and drop the record `replaces`)."""
        ...

    def drop(self, intent: Intent) -> None:
        """Note that the call of `intent` changed nothing."""
        ...

    def expire(self, name: str) -> None:
        """Note that the creates of `name` left no trace and are too old to leave one."""
        ...

    def forget(self, name: str) -> None:
        """Drop the record of `name` and all its intents."""
        ...

    def set_workspace(self, workspace_id: str | None) -> None:
        """Note the workspace that all the ids belong to; None where it is not known yet."""
        ...
