"""The seams as protocols: time, chance, the API, the ledger, stores, ciphers and forges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from .fields import Settings
from .model import Intent, LiveWebhook, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from .outcomes import Outcome


class Clock(Protocol):
    """What the project knows of time; all durations are in seconds."""

    def now(self) -> float:
        """Return the wall clock: seconds since the epoch, UTC. It may go back."""
        ...

    def monotonic(self) -> float:
        """Return a clock that never goes back, with no meaning but in differences."""
        ...

    def boottime(self) -> float:
        """Return a clock like `monotonic` that also counts the time in which the machine was suspended."""
        ...

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        """Wait, at most `duration_s`, for `wake`; return whether it was set."""
        ...


class Rng(Protocol):
    """What the project knows of chance."""

    def secret(self) -> str:
        """Return a new signing secret: 32 random bytes as 64 hex digits, the API's own recipe."""
        ...

    def token(self) -> str:
        """Return 16 random hex digits that name an operation, a journal or a lineage."""
        ...

    def below(self, bound_s: float) -> float:
        """Return a random duration from 0 to `bound_s`, for full jitter."""
        ...


class Api(Protocol):
    """SendKit's webhooks, one call a method; safe to use from several threads.

    `create`, `update` and `delete` come back with an `Outcome`, and never raise for what the server or the network
    did. They try again what is sure not to have happened, and call `before_attempt` each time before they do.
    The reading calls may be repeated freely, and raise: `KeyRefusedError`, `ApiUnreachableError`,
    `NoEndpointError` (404, 405, 501), else `ApiError`.
    """

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        """POST one webhook; without `secret` the server draws one."""
        ...

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        """PATCH the named fields, given under the API's names; a secret among them is a `Secret`."""
        ...

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        """DELETE one webhook."""
        ...

    def list(self) -> Sequence[LiveWebhook]:
        """Return all webhooks of the workspace, in the API's order."""
        ...

    def get(self, webhook_id: str) -> LiveWebhook | None:
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

    def restamp(self, intent: Intent, sent_at: float) -> None:
        """Note that the call of `intent` is made once more, at `sent_at`."""
        ...

    def record(self, name: str, recorded: WebhookRecord, *, replaces: str | None = None) -> None:
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

    def before_call(self) -> None:
        """Return once a call that changes something may start; raises `FencedError` where another run has taken over."""
        ...


@dataclass(frozen=True, slots=True)
class StoredState:
    """The bytes of one state. `snapshot` is None where nothing was ever recorded, `journal` where no run is open.

    `last_run` is the JSON text that the last run left for `status`, on stores that keep one.
    """

    snapshot: bytes | None
    journal: bytes | None
    last_run: str | None = None


class Term(Protocol):
    """The exclusive right to write one state, from taking its lock until giving it back.

    Each method returns when its effect outlives the process and the machine. A write that dies half way leaves the
    former content or the new one, never a piece; only `append` may leave a torn last line. All raise `StateIOError`;
    on a store with a lease also `FencedError`, once another process holds it: then nothing was written.
    """

    def read(self) -> StoredState:
        """Return the state as this term last wrote or found it."""
        ...

    def start(self, header: bytes) -> None:
        """Begin a new journal with the line `header`; a store may hold it back until the first `append`."""
        ...

    def pace(self) -> None:
        """Wait until the store takes the next write; entries that gather meanwhile share it."""
        ...

    def append(self, lines: bytes) -> None:
        """Append whole lines to the journal. When it raises, nobody knows how much is kept.

        Raises `JournalGoneError` where someone deleted the journal.
        """
        ...

    def fold(self, snapshot: bytes | None, *, last: bool = False) -> None:
        """End the journal and make `snapshot` the current one, the former its backup; None leaves both as they are.

        `last`: nothing is written in this term after it, so that a store with a lease releases it in the same write.
        """
        ...

    def renew_backup(self) -> None:
        """Replace the backup by a copy of the snapshot: what it held before must not stay."""
        ...

    def before_call(self) -> None:
        """Return once a call to the API may start; raises where this term may have ended."""
        ...

    def note_run(self, text: str) -> None:
        """Keep `text`, JSON about this run, with the next write."""
        ...


class Store(Protocol):
    """One state in one place. Reading needs no lock."""

    @property
    def address(self) -> str:
        """The path or URL of the state, for messages; never a credential."""
        ...

    @property
    def journal_address(self) -> str:
        """Where the journal is, for messages."""
        ...

    @property
    def has_lease(self) -> bool:
        """Whether the lock is a lease, which a holder that stands still loses."""
        ...

    def read(self) -> StoredState:
        """Return snapshot and journal as of one moment."""
        ...

    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> AbstractContextManager[Term]:
        """Hold the right to write; raises `LockedError` where it stays busy for `timeout_s`, or until `stop` is set."""
        ...


class SecretCipher(Protocol):
    """Turns secrets into what the state keeps, and back."""

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin) -> StoredSecret:
        """Return `secret` as the state of webhook `name` is to hold it."""
        ...

    def decrypt(self, names: Sequence[str], stored: StoredSecret) -> Secret | None:
        """Return the secret, or None where it is sealed and there is no identity.

        `names` are those that its seal may have been made under. Raises `SecretUnreadableError` for a seal that
        belongs to another webhook or another API address.
        """
        ...


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged pull request: its name as people write it, and what this tool's comments on it say."""

    name: str
    comments: tuple[str, ...]


class Forge(Protocol):
    """The forge of one job. The methods raise `ApiError` and `ApiUnreachableError`."""

    @property
    def branch(self) -> str:
        """The branch that the job runs for."""
        ...

    def comment(self, body: str) -> str:
        """Let the one comment on the job's pull request say `body`; return what was done, as a sentence."""
        ...

    def merged(self) -> Merged | None:
        """Return the pull request, from within the repository, that made the job's commit; None where there is none."""
        ...
