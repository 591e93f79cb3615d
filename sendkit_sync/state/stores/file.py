"""The bytes of a state on disk: snapshot, backup and journal, each replaced atomically."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ...core.errors import ErrorCode, JournalGoneError, StateIOError
from ...core.failpoints import reached
from ...core.files import io_errors, open_regular, read_regular, sync_folder, write_all, write_new
from ...core.ports import Clock, StoredState
from .file_lock import locked

MAX_BYTES = 512 * 1024 * 1024
"""How large a snapshot or a journal may be: enough for some 500,000 webhooks."""

_PIECE = 1024 * 1024
_READ_ATTEMPTS = 100
TEMPORARY = ".tmp"
_datasync = getattr(os, "fdatasync", os.fsync)


class FileStore:
    """The `Store` of one file and its neighbours; a symbolic link at `address` is followed, not replaced."""

    has_lease = False
    warnings = ()

    def __init__(self, address: str) -> None:
        self.address = os.path.realpath(address)
        self.journal_address = self.address + ".journal"
        self.lock_path = self.address + ".lock"
        self.backup_path = self.address + ".backup"
        self.folder = str(Path(self.address).parent)

    def read(self) -> StoredState:
        """Return snapshot and journal, read again until the snapshot holds still."""
        for _ in range(_READ_ATTEMPTS):
            snapshot = self.read_snapshot()
            journal = _read(self.journal_address, follow=False)
            if self._snapshot_is(snapshot):
                return StoredState(snapshot, journal)
        raise StateIOError(
            ErrorCode.STATE_KEEPS_CHANGING,
            "the state keeps changing",
            where=self.address,
            hint="Try again when the other run has ended.",
        )

    @contextmanager
    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> Iterator[FileTerm]:
        """Hold the lock; raises `LockedError` where it stays busy for `timeout_s`, or until `stop` is set."""
        self._check_folder()
        with locked(self.lock_path, clock=clock, purpose=purpose, timeout_s=timeout_s, stop=stop):
            term = FileTerm(self)
            try:
                yield term
            finally:
                term.close()

    def holder(self) -> None:
        """Return None: a lock on a file is no lease, and goes with its process."""

    def unlock(self) -> None:
        """Do nothing."""

    def read_snapshot(self) -> bytes | None:
        """Return the snapshot, or None where there is none."""
        snapshot = _read(self.address, follow=True)
        if snapshot is None:
            self._check_folder()
        return snapshot

    def _check_folder(self) -> None:
        if not Path(self.folder).is_dir():
            raise StateIOError(
                ErrorCode.STATE_FOLDER_MISSING,
                "the folder of the state does not exist",
                where=self.address,
                hint="Create or mount the folder, or use another path: --state, or `state` in the config.",
            )

    def _snapshot_is(self, data: bytes | None) -> bool:
        """Tell whether the snapshot is `data` still, without a second copy of it."""
        with io_errors(self.address, "cannot read"):
            try:
                with os.fdopen(open_regular(self.address, os.O_RDONLY, follow=True), "rb", buffering=0) as file:
                    return data is not None and _holds(file, memoryview(data))
            except FileNotFoundError:
                return data is None


class FileTerm:
    """The `Term` of a file: the time that a process holds its lock."""

    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._descriptor: int | None = None
        self._base: str | None = None

    def read(self) -> StoredState:
        """Return snapshot and journal."""
        return self._store.read()

    def start(self, header: bytes) -> None:
        """Create a journal that holds its header from the first moment."""
        self._base = _digest(self._store.read_snapshot())
        path = self._store.journal_address
        with io_errors(path, "cannot create the journal"):
            _replace(path, header)
            sync_folder(self._store.folder)
            self._descriptor = open_regular(path, os.O_WRONLY | os.O_APPEND)
        reached("journal-opened")

    def pace(self) -> None:
        """Return at once: a disk takes the next write when it takes it."""

    def append(self, lines: bytes) -> None:
        """Append to the journal; durable on return."""
        assert self._descriptor is not None
        with io_errors(self._store.journal_address, "cannot write the journal"):
            write_all(self._descriptor, lines)
            _datasync(self._descriptor)
        if not self._journal_is_there():
            raise JournalGoneError(
                ErrorCode.JOURNAL_DELETED,
                "the journal was deleted during the run",
                where=self._store.journal_address,
                hint="What was known is in the state. Run the command again.",
            )

    def fold(self, snapshot: bytes | None, *, last: bool = False) -> None:
        """Replace the snapshot, then remove the journal; raises `StateIOError` where another run wrote meanwhile."""
        if not self._journal_is_there() and not self._untouched():
            raise StateIOError(
                ErrorCode.STATE_FENCED,
                "another run took over the state, because the lock file or the journal was deleted",
                where=self._store.address,
                hint="Nothing was overwritten. Run the command again after the other run. Never delete these files.",
            )
        if snapshot is not None:
            self._write_snapshot(snapshot)
        if not Path(self._store.journal_address).exists():
            return
        reached("fold-done")
        with io_errors(self._store.journal_address, "cannot remove the journal"):
            Path(self._store.journal_address).unlink(missing_ok=True)
            sync_folder(self._store.folder)
        self.close()
        reached("journal-removed")

    def renew_backup(self) -> None:
        """Replace the backup by a copy of the snapshot: what it held before must not stay."""
        snapshot = self._store.read_snapshot()
        if snapshot is not None:
            self._write_backup(snapshot)
            with io_errors(self._store.backup_path, "cannot replace the backup"):
                sync_folder(self._store.folder)

    def before_call(self) -> None:
        """Return at once: the lock goes with this process alone."""

    def confirm(self) -> None:
        """Return at once: the lock goes with this process alone."""

    def note_run(self, text: str) -> None:
        """Keep nothing: a file is often committed, and a run that changes nothing must leave it alone."""

    def close(self) -> None:
        """Close the journal, folded or not."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _journal_is_there(self) -> bool:
        """Tell whether nobody deleted it: by hand, by `git clean`, or as a run that a deleted lock file let in."""
        return self._descriptor is None or os.fstat(self._descriptor).st_nlink > 0

    def _untouched(self) -> bool:
        """Tell whether no other run has written since this one began its journal."""
        journal, snapshot = _read(self._store.journal_address, follow=False), self._store.read_snapshot()
        return journal is None and (snapshot is None or _digest(snapshot) == self._base)

    def _write_snapshot(self, data: bytes) -> None:
        path = self._store.address
        former = self._store.read_snapshot()
        with io_errors(path, "cannot write the state"):
            temporary = path + TEMPORARY
            write_new(temporary, data)
            reached("snapshot-written")
            if former is not None:
                self._write_backup(former)
            Path(temporary).replace(path)
            sync_folder(self._store.folder)
        reached("snapshot-renamed")

    def _write_backup(self, data: bytes) -> None:
        path = self._store.backup_path
        with io_errors(path, "cannot replace the backup"):
            _replace(path, data)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()


def _holds(file: FileIO, data: memoryview) -> bool:
    """Tell whether the rest of `file` is `data`."""
    while piece := file.read(_PIECE):
        if piece != data[: len(piece)]:
            return False
        data = data[len(piece) :]
    return not data


def _read(path: str, *, follow: bool) -> bytes | None:
    with io_errors(path, "cannot read"):
        try:
            return read_regular(path, MAX_BYTES, follow=follow)
        except FileNotFoundError:
            return None


def _replace(path: str, data: bytes) -> None:
    """Put a file with `data` in the place of whatever is at `path`; the lock makes the fixed name beside it safe."""
    write_new(path + TEMPORARY, data)
    Path(path + TEMPORARY).replace(path)
