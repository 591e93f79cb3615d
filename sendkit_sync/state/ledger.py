"""The ledger of a run: it appends each entry to the journal and folds the journal when the run ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from ..core import failpoints
from ..core.errors import JournalGoneError, StateIOError
from ..core.model import Intent, State, WebhookRecord
from ..core.ports import Clock, Rng, Store
from . import journal
from .codec import Snapshot
from .snapshots import fold, recover
from .stores.file import FileStore

MEND = "What was recorded is safe. See that the disk has space and takes writes, then run it again."


def open_ledger(
    path: str,
    *,
    api: str,
    clock: Clock,
    rng: Rng,
    purpose: str,
    lock_timeout_s: float = 0.0,
    stop: threading.Event | None = None,
) -> AbstractContextManager[JournalLedger]:
    """Open the ledger of the state file `path`."""
    store = FileStore(path)
    return open_store(store, api=api, clock=clock, rng=rng, purpose=purpose, lock_timeout_s=lock_timeout_s, stop=stop)


@contextmanager
def open_store(
    store: Store,
    *,
    api: str,
    clock: Clock,
    rng: Rng,
    purpose: str,
    lock_timeout_s: float = 0.0,
    stop: threading.Event | None = None,
) -> Iterator[JournalLedger]:
    """Hold the lock, recover what a killed run left, and fold the journal on leaving; `stop` ends the wait for the lock."""
    with store.locked(clock=clock, purpose=purpose, timeout_s=lock_timeout_s, stop=stop or threading.Event()):
        failpoints.reached("lock-taken")
        snapshot = recover(store, api, rng)
        ledger = JournalLedger(store, snapshot, rng.token())
        try:
            try:
                yield ledger
            except (Exception, KeyboardInterrupt):
                if ledger.stop():
                    ledger.fold()
                raise
            if not ledger.stop():
                what = "the journal could not be written; the next run recovers it"
                raise StateIOError(what, where=store.journal_path, hint=MEND)
            ledger.fold()
        finally:
            ledger.close()


def renew_backup(path: str, *, clock: Clock, purpose: str, lock_timeout_s: float) -> None:
    """Let the backup of the state file `path` be a copy of it: what was kept otherwise before is not to stay."""
    store = FileStore(path)
    with store.locked(clock=clock, purpose=purpose, timeout_s=lock_timeout_s, stop=threading.Event()):
        store.renew_backup()


class JournalLedger:
    """The `Ledger` over a store; a group commit makes threads share one fsync."""

    def __init__(self, store: Store, snapshot: Snapshot, journal_id: str) -> None:
        self._store = store
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
        self._base = store.read_snapshot()
        header = journal.Header(journal_id, snapshot.state.lineage, snapshot.state.serial)
        self._writer = store.create_journal(header.line())

    @property
    def state(self) -> State:
        """All that is recorded up to now; its mappings go on changing with the ledger."""
        book = self._book
        return replace(self._snapshot.state, workspace_id=book.workspace_id, webhooks=book.webhooks, pending=book.pending)

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

    def set_workspace(self, workspace_id: str | None) -> None:
        """Note the workspace that all the ids belong to; None where it is not known yet."""
        self._append(journal.workspace(workspace_id), "outcome")

    def replace_all(self, webhooks: Mapping[str, WebhookRecord], pending: Mapping[str, tuple[Intent, ...]]) -> None:
        """Take these records and intents in the place of all, the same but for how their secrets are kept.

        They are on disk when the journal is folded, all or none; no entry announces them.
        """
        with self._turn:
            self._check()
            self._book.webhooks, self._book.pending = dict(webhooks), dict(pending)

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
        if not self._writer.there() and not self._untouched():
            raise StateIOError(
                "another run took the state over, for the lock file or the journal was deleted",
                where=self._store.path,
                hint="Nothing was overwritten. Run again when the other one has ended, and leave both files alone.",
            )
        self._snapshot = fold(self._store, self._snapshot, self.state, self._journal)

    def _untouched(self) -> bool:
        """Tell whether no other run has written since this one began."""
        return self._store.read_journal() is None and self._store.read_snapshot() in (self._base, None)

    def close(self) -> None:
        """Let go of the journal, folded or not."""
        self.stop()
        self._writer.close()

    def _append(self, entry: journal.Entry, kind: str) -> None:
        line = journal.encode_line(entry.body)
        with self._turn:
            self._check()
            self._buffer.append(line)
            self._taken += 1
            number = self._taken
            entry.change(self._book)
        failpoints.reached(f"{kind}-buffered")
        self._commit(number)
        failpoints.reached(f"{kind}-durable")

    def _commit(self, number: int) -> None:
        """Return once the line `number` is durable: as the leader who writes all buffered lines, or waiting for one."""
        with self._turn:
            self._turn.wait_for(lambda: self._durable >= number or self._failure is not None or not self._leading)
            if self._durable >= number:
                return
            self._check()
            self._leading = True
            lines, last = self._buffer, self._taken
            self._buffer = []
        try:
            self._writer.append(b"".join(lines))
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
            raise StateIOError(f"nothing more is recorded: {self._failure}", where=self._store.journal_path, hint=MEND)
