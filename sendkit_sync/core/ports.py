"""The protocols between the layers: time, randomness, the API, the ledger, stores, ciphers and forges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from .fields import Settings
from .last_run import LastRun
from .model import Intent, LiveWebhook, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from .outcomes import Outcome


class Clock(Protocol):
    """The source of time. All durations are in seconds."""

    def now(self) -> float:
        """Return the wall-clock time in seconds since the epoch, UTC. It may go back."""
        ...

    def monotonic(self) -> float:
        """Return a time that never goes back. Only differences have a meaning."""
        ...

    def boottime(self) -> float:
        """Return a time like `monotonic` that includes the time during which the machine was suspended."""
        ...

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        """Wait for `wake`, at most `duration_s`. Return whether it was set."""
        ...


class Rng(Protocol):
    """The source of randomness."""

    def secret(self) -> str:
        """Return a new signing secret: 32 random bytes as 64 hex digits, like those the API generates."""
        ...

    def token(self) -> str:
        """Return 16 random hex digits, to identify an operation, a journal or a lineage."""
        ...

    def below(self, bound_s: float) -> float:
        """Return a random duration from 0 to `bound_s`, for full jitter."""
        ...


class Api(Protocol):
    """SendKit's webhooks, one method per call. Thread-safe.

    `create`, `update` and `delete` return an `Outcome` and never raise for what the server or the network does. They retry
    calls that are known not to have happened, and call `before_attempt` before each retry. Reads can be repeated safely. They
    raise `KeyRefusedError`, `ApiUnreachableError`, `NoEndpointError` (404, 405, 501) or `ApiError`.
    """

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        """POST one webhook. Without `secret`, the server generates one."""
        ...

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        """PATCH `fields`, keyed by the API's names. A secret among them is a `Secret`."""
        ...

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        """DELETE one webhook."""
        ...

    def list(self) -> Sequence[LiveWebhook]:
        """Return all webhooks of the workspace, in the API's order."""
        ...

    def get(self, webhook_id: str) -> LiveWebhook | None:
        """Return one webhook, or None if the API answers 404."""
        ...

    def workspaces(self) -> Sequence[str]:
        """Return the ids of the workspaces that the key reaches."""
        ...

    def now(self) -> float:
        """Return SendKit's time: seconds since the epoch, as the latest response tells it, to a second or two."""
        ...


class Ledger(Protocol):
    """Records what a run does, under the lock. Every method returns only when its entry is durable.

    Thread-safe. All methods may raise `StateIOError`; after that, nothing more is recorded.
    """

    @property
    def state(self) -> State:
        """Everything that is recorded so far, as a value that never changes. Costs a copy after each change."""
        ...

    def record_of(self, name: str) -> WebhookRecord | None:
        """Return the record of a webhook, or None. Takes constant time, as the next ones."""
        ...

    def pending_of(self, name: str) -> tuple[Intent, ...]:
        """Return the intents of a name that have no outcome, oldest first."""
        ...

    def updates_of(self, webhook_id: str) -> Sequence[Intent]:
        """Return the updates of one webhook that have no outcome, under any name. The cost grows with all intents."""
        ...

    def staged_of(self, name: str) -> StoredSecret | None:
        """Return the staged secret of a name, or None."""
        ...

    @property
    def workspace_id(self) -> str | None:
        """The workspace that all the ids belong to, as configured; None where it is not known yet."""
        ...

    def has_id(self, webhook_id: str) -> bool:
        """Return whether a webhook with that id is recorded. Takes constant time."""
        ...

    def begin(self, intent: Intent) -> None:
        """Record a call that is about to be sent."""
        ...

    def restamp(self, intent: Intent, sent_at: float) -> None:
        """Record that the call of `intent` is sent again, at `sent_at`."""
        ...

    def record(self, name: str, recorded: WebhookRecord, *, replaces: str | None = None) -> None:
        """Record a webhook under `name` and resolve all intents of that name. Also drops the record `replaces`."""
        ...

    def drop(self, intent: Intent) -> None:
        """Record that the call of `intent` changed nothing."""
        ...

    def expire(self, name: str) -> None:
        """Record that the creates of `name` have no match and are too old for one to appear."""
        ...

    def forget(self, name: str) -> None:
        """Remove the record of `name` and all its intents."""
        ...

    def stage(self, name: str, secret: StoredSecret) -> None:
        """Keep a secret for the webhook `name` that is drawn and not yet sent; the outcome that sends it clears it."""
        ...

    def unstage(self, name: str) -> None:
        """Drop the staged secret of `name`."""
        ...

    def set_workspace(self, workspace_id: str | None) -> None:
        """Record the workspace as configured, or None if none is."""
        ...

    def set_observed_workspace(self, workspace_id: str | None) -> None:
        """Record the workspace that the API's responses show, or None if it is not known."""
        ...

    def set_recipients(self, recipients: tuple[str, ...]) -> None:
        """Record the age public keys that secrets are encrypted for from now on."""
        ...

    def note_list_worked(self) -> None:
        """Record that the list of webhooks was read."""
        ...

    def note_run(self, run: LastRun) -> None:
        """Keep what this run did, with the next snapshot. It alone makes no new one."""
        ...

    def before_call(self) -> None:
        """Return when a call that changes something may start. Raises `FencedError` if another run has taken over."""
        ...


@dataclass(frozen=True, slots=True)
class StoredState:
    """The bytes of one state. `snapshot` is None if nothing was ever recorded, `journal` if no run is open.

    `last_run` is the JSON text that the last run left for `status`, on stores that keep it.
    """

    snapshot: bytes | None
    journal: bytes | None
    last_run: str | None = None


class Term(Protocol):
    """The exclusive right to write one state, from locking it to releasing it.

    Each method returns when its effect survives a crash of the machine. An interrupted write leaves the old or the new
    content, never a part; only `append` may leave a torn last line. All methods raise `StateIOError`. On a store with a lease
    they also raise `FencedError` if another process holds it; then nothing was written.
    """

    def read(self) -> StoredState:
        """Return the state as this term last wrote or found it."""
        ...

    def start(self, header: bytes) -> None:
        """Start a new journal with the line `header`. A store may delay this until the first `append`."""
        ...

    def pace(self) -> None:
        """Wait until the store accepts the next write. Entries that arrive meanwhile share it."""
        ...

    def append(self, lines: bytes) -> None:
        """Append complete lines to the journal. If it raises, it is unknown how much was kept.

        Raises `JournalGoneError` if the journal was deleted.
        """
        ...

    def fold(self, snapshot: bytes | None, *, last: bool = False) -> None:
        """End the journal and make `snapshot` the current one and the old one its backup. None keeps both.

        `last`: this term writes nothing afterwards, so a store with a lease can release it in the same write.
        """
        ...

    def renew_backup(self) -> None:
        """Replace the backup with a copy of the snapshot, because its old content must not be kept."""
        ...

    def before_call(self) -> None:
        """Return when a call to the API may start. Raises if this term may have ended."""
        ...

    def confirm(self) -> None:
        """Show by a write that this term goes on; raises `FencedError` where it has ended."""
        ...

    def note_run(self, text: str) -> None:
        """Store `text`, JSON about this run, with the next write."""
        ...


class Store(Protocol):
    """One state in one place. Reading needs no lock."""

    @property
    def address(self) -> str:
        """The path or URL of the state, for messages. Never contains a credential."""
        ...

    @property
    def journal_address(self) -> str:
        """Where the journal is, for messages."""
        ...

    @property
    def has_lease(self) -> bool:
        """Whether the lock is a lease, which a holder loses if it stops renewing it."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What is weak about the store, found when its lock was taken last, in words for people."""
        ...

    def read(self) -> StoredState:
        """Return a consistent snapshot and journal."""
        ...

    def holder(self) -> str | None:
        """Return who holds the lease, in words, or None where nobody does, or where there is no lease."""
        ...

    def unlock(self) -> None:
        """Take the lease away from its holder, who can write nothing more; on a store without a lease do nothing."""
        ...

    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> AbstractContextManager[Term]:
        """Lock the state. Raises `LockedError` if it stays locked for `timeout_s`, or when `stop` is set."""
        ...


class SecretCipher(Protocol):
    """Converts secrets to what the state stores, and back."""

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin, *, proved: bool = True) -> StoredSecret:
        """Return `secret` as the state stores it for the webhook `name`.

        If an identity is at hand, it is `proved`: only a holder of that identity can have written it.
        """
        ...

    def decrypt(self, names: Sequence[str], stored: StoredSecret, *, proved: bool = False) -> Secret | None:
        """Return the secret, or None if it is encrypted and there is no identity.

        `names`: the names under which it may have been encrypted. `proved`: also return None unless an identity that is at
        hand proves who wrote it. Raises `SecretUnreadableError` if it was encrypted for another webhook, API address or
        state, or is in clear where it must not be.
        """
        ...


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged pull request: its name as people write it, its last commit, and the bodies of this tool's comments on it."""

    name: str
    commit: str
    comments: tuple[str, ...]


class Forge(Protocol):
    """The forge that runs a job. The methods raise `ApiError` and `ApiUnreachableError`."""

    @property
    def branch(self) -> str:
        """The branch that the job runs for."""
        ...

    @property
    def proposed(self) -> str:
        """The last commit of the pull request that the job plans."""
        ...

    def comment(self, body: str) -> str:
        """Create or update the comment on the job's pull request. Return what was done, as a sentence."""
        ...

    def merged(self) -> Merged | None:
        """Return the pull request of this repository whose merge is the job's commit, or None."""
        ...
