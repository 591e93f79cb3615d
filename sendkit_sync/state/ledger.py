"""The ledger of a run: it appends each entry to the journal and folds the journal when the run ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from ..core import failpoints
from ..core.errors import ErrorCode, JournalGoneError, StateIOError
from ..core.last_run import LastRun
from ..core.model import ActionKind, Intent, State, StoredSecret, WebhookRecord
from ..core.ports import Clock, Rng, Store, Term
from . import journal
from .codec import Snapshot, encode_run
from .snapshots import fold, recover
from .stores import open_store

Check = Callable[[State | None], None]

MEND = "What was recorded is safe. Check that the disk is writable and has free space, then run the command again."


@contextmanager
def open_ledger(
    store: Store | str,
    *,
    api: str,
    clock: Clock,
    rng: Rng,
    purpose: str,
    lock_timeout_s: float = 0.0,
    stop: threading.Event | None = None,
    check: Check = lambda _: None,
) -> Iterator[JournalLedger]:
    """Hold the lock of a store, given as such or by its address, recover what a killed run left, and fold on leaving.

    `stop` ends the wait for the lock. `check` is given what is recorded, or None, under the lock and before anything is
    written; what it raises ends the run.
    """
    store = open_store(store) if isinstance(store, str) else store
    with store.locked(clock=clock, purpose=purpose, timeout_s=lock_timeout_s, stop=stop or threading.Event()) as term:
        failpoints.reached("lock-taken")
        snapshot = recover(store, term, api, rng, check)
        ledger = JournalLedger(store, term, snapshot, rng.token())
        try:
            yield ledger
        except BaseException as error:
            if ledger.stop() and isinstance(error, Exception | KeyboardInterrupt):
                ledger.fold()
            raise
        if not ledger.stop():
            what = "the journal could not be written; the next run recovers it"
            raise StateIOError(ErrorCode.STATE_WRITE_FAILED, what, where=store.journal_address, hint=MEND)
        ledger.fold()


class JournalLedger:
    """The `Ledger` over a term of a store; a group commit makes threads share one write."""

    def __init__(self, store: Store, term: Term, snapshot: Snapshot, journal_id: str) -> None:
        self._store = store
        self._term = term
        self._snapshot = snapshot
        self._journal = journal_id
        self._book = journal.MutableState.of(snapshot.state)
        self._turn = threading.Condition()
        self._buffer: list[bytes] = []
        self._taken = 0
        self._durable = 0
        self._leading = False
        self._failure: str | None = None
        self._gone = False
        self._renews_backup = False
        self._shown: State | None = None
        header = journal.Header(journal_id, snapshot.state.lineage, snapshot.state.serial)
        term.start(header.line())

    @property
    def state(self) -> State:
        """All that is recorded up to now, as a value that never changes; made anew after each change."""
        with self._turn:
            if self._shown is None:
                self._shown = self._book.onto(self._snapshot.state)
            return self._shown

    def record_of(self, name: str) -> WebhookRecord | None:
        """Return the record of a webhook, or None where there is none."""
        return self._book.webhooks.get(name)

    def pending_of(self, name: str) -> tuple[Intent, ...]:
        """Return the intents of a name that have no outcome, oldest first."""
        return self._book.pending.get(name, ())

    def updates_of(self, webhook_id: str) -> list[Intent]:
        """Return the updates of one webhook that have no outcome, under any name."""
        with self._turn:
            intents = [intent for group in self._book.pending.values() for intent in group]
        return [intent for intent in intents if intent.action is ActionKind.UPDATE and intent.id == webhook_id]

    def staged_of(self, name: str) -> StoredSecret | None:
        """Return the staged secret of a name, or None where there is none."""
        return self._book.staged.get(name)

    @property
    def workspace_id(self) -> str | None:
        """The workspace that all the ids belong to, as configured; None where it is not known yet."""
        return self._book.workspace_id

    @property
    def warnings(self) -> Sequence[str]:
        """What is weak about the store, in words for people."""
        return self._store.warnings

    def has_id(self, webhook_id: str) -> bool:
        """Tell whether a webhook of that id is recorded."""
        return self._book.ids[webhook_id] > 0

    def begin(self, intent: Intent) -> None:
        """Note a call that is about to be made."""
        self._append(journal.begin(intent), "intent")

    def restamp(self, intent: Intent, sent_at: float) -> None:
        """Note that the call of `intent` is made once more."""
        self._append(journal.restamp(intent.name, intent.op, sent_at), "intent")

    def record(self, name: str, recorded: WebhookRecord, *, replaces: str | None = None) -> None:
        """Record a webhook, and resolve all intents of its name."""
        self._append(journal.record(name, recorded, replaces), "outcome")

    def drop(self, intent: Intent) -> None:
        """Note that the call of `intent` changed nothing."""
        self._append(journal.drop(intent.name, intent.op), "outcome")

    def expire(self, name: str) -> None:
        """Note that the creates of `name` left no trace."""
        self._append(journal.expire(name), "outcome")

    def forget(self, name: str) -> None:
        """Drop the record of `name` and all its intents."""
        self._append(journal.forget(name), "outcome")

    def stage(self, name: str, secret: StoredSecret) -> None:
        """Keep a secret for the webhook `name` that is drawn and not yet sent."""
        self._append(journal.stage(name, secret), "intent")

    def unstage(self, name: str) -> None:
        """Drop the staged secret of `name`."""
        self._append(journal.unstage(name), "outcome")

    def set_workspace(self, workspace_id: str | None) -> None:
        """Record the workspace as configured, or None if none is."""
        self._append(journal.workspace(workspace_id), "outcome")

    def set_observed_workspace(self, workspace_id: str | None) -> None:
        """Record the workspace that the API's responses show, or None if it is not known."""
        self._append(journal.observed_workspace(workspace_id))

    def set_recipients(self, recipients: tuple[str, ...]) -> None:
        """Record the age public keys that secrets are encrypted for from now on."""
        self._append(journal.recipients(recipients))

    def note_list_worked(self) -> None:
        """Record that the list of webhooks was read."""
        self._append(journal.list_worked())

    def replace_all(
        self,
        webhooks: Mapping[str, WebhookRecord],
        pending: Mapping[str, tuple[Intent, ...]],
        staged: Mapping[str, StoredSecret],
    ) -> None:
        """Take these in the place of all that is kept, the same but for how their secrets are encrypted.

        They are on disk when the journal is folded, all or none; no entry announces them. What the backup held before
        does not stay.
        """
        with self._turn:
            self._check()
            self._renews_backup = True
            self._shown = None
            self._book.webhooks, self._book.pending, self._book.staged = dict(webhooks), dict(pending), dict(staged)

    def note_run(self, run: LastRun) -> None:
        """Keep what this run did, for `status`: with the next snapshot, or where the store keeps it beside."""
        with self._turn:
            self._snapshot = replace(self._snapshot, state=replace(self._snapshot.state, last_run=run))
            self._shown = None
        self._term.note_run(json.dumps(encode_run(run), sort_keys=True))

    def stop(self) -> bool:
        """Take no more entries; return whether all that was taken can be folded.

        It can where the journal is gone: then what this process knows is written nowhere else.
        """
        with self._turn:
            self._turn.wait_for(lambda: not self._leading)
            sound = self._failure is None or self._gone
            self._failure = self._failure or "the ledger is closed"
            self._turn.notify_all()
            return sound

    def fold(self) -> None:
        """Fold the journal into the snapshot, after `stop`; raises `StateIOError` where another run took over."""
        self._snapshot = fold(self._term, self._snapshot, self.state, self._journal, last=not self._renews_backup)
        if self._renews_backup:
            self._term.renew_backup()

    def before_call(self) -> None:
        """Return once a call to the API may start; raises `FencedError` where another run has taken over."""
        self._term.before_call()
        failpoints.reached("gate-passed")

    def _append(self, entry: journal.Entry, kind: str | None = None) -> None:
        """Append `entry`, durably; `kind` names its fail points, None for one that is about no call."""
        line = journal.encode_line(entry.body)
        with self._turn:
            self._check()
            self._buffer.append(line)
            self._taken += 1
            number = self._taken
            entry.change(self._book)
            self._shown = None
        if kind is not None:
            failpoints.reached(f"{kind}-buffered")
        self._commit(number)
        if kind is not None:
            failpoints.reached(f"{kind}-durable")

    def _commit(self, number: int) -> None:
        """Return once the line `number` is durable: as the leader who writes all buffered lines, or waiting for one."""
        with self._turn:
            self._turn.wait_for(lambda: self._durable >= number or self._failure is not None or not self._leading)
            if self._durable >= number:
                return
            self._check()
            self._leading = True
        try:
            self._term.pace()
            with self._turn:
                lines, last = self._buffer, self._taken
                self._buffer = []
            self._term.append(b"".join(lines))
        except BaseException as error:
            self._gone = isinstance(error, JournalGoneError)
            self._finish(0, str(error) if isinstance(error, StateIOError) else "a write was interrupted")
            raise
        self._finish(last, None)

    def _finish(self, durable: int, failure: str | None) -> None:
        with self._turn:
            self._leading = False
            self._durable = max(self._durable, durable)
            self._failure = self._failure or failure
            self._turn.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise StateIOError(
                ErrorCode.STATE_WRITE_FAILED,
                f"nothing more is recorded: {self._failure}",
                where=self._store.journal_address,
                hint=MEND,
            )
