"""The bytes of a state on disk: snapshot, backup and journal, each replaced atomically."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path

from ...core.errors import JournalGoneError, StateIOError
from ...core.failpoints import reached
from ...core.files import io_errors, write_all
from ...core.ports import Clock
from .file_lock import locked

_PIECE = 1024 * 1024
_datasync = getattr(os, "fdatasync", os.fsync)


class FileStore:
    """The `Store` of one file and its neighbours; a symbolic link at `path` is followed, not replaced."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.journal_path = self.path + ".journal"
        self.lock_path = self.path + ".lock"
        self.backup_path = self.path + ".backup"
        self._folder = str(Path(self.path).parent)

    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> AbstractContextManager[None]:
        """Hold the lock; raises `LockedError` where it stays busy for `timeout_s`, or until `stop` is set."""
        return locked(self.lock_path, clock=clock, purpose=purpose, timeout_s=timeout_s, stop=stop)

    def read_snapshot(self) -> bytes | None:
        """Return the snapshot, or None where there is none."""
        snapshot = _read(self.path)
        if snapshot is None and not Path(self._folder).is_dir():
            raise StateIOError(
                "there is no such folder for the state",
                where=self.path,
                hint="Make the folder, or mount it; or name another file: --state, or `state` in the config.",
            )
        return snapshot

    def snapshot_is(self, data: bytes | None) -> bool:
        """Tell whether the snapshot is `data` still, without a second copy of it."""
        with io_errors(self.path, "cannot read"):
            try:
                with Path(self.path).open("rb", buffering=0) as file:
                    return data is not None and _holds(file, memoryview(data))
            except FileNotFoundError:
                return data is None

    def read_journal(self) -> bytes | None:
        """Return the journal, or None where there is none."""
        return _read(self.journal_path)

    def write_snapshot(self, data: bytes) -> None:
        """Replace the snapshot; the former one stays as the backup."""
        former = self.read_snapshot()
        with io_errors(self.path, "cannot write the state"):
            temporary = _write_new(self.path, data)
            reached("snapshot-written")
            if former is not None:
                Path(_write_new(self.backup_path, former)).replace(self.backup_path)
            Path(temporary).replace(self.path)
            self._sync_folder()
        reached("snapshot-renamed")

    def renew_backup(self) -> None:
        """Let the backup be a copy of the snapshot, under the lock: what it held before is not to stay."""
        snapshot = self.read_snapshot()
        with io_errors(self.backup_path, "cannot replace the backup"):
            if snapshot is not None:
                Path(_write_new(self.backup_path, snapshot)).replace(self.backup_path)
                self._sync_folder()

    def create_journal(self, header: bytes) -> FileJournal:
        """Create a journal that holds its header from the first moment."""
        with io_errors(self.journal_path, "cannot create the journal"):
            Path(_write_new(self.journal_path, header)).replace(self.journal_path)
            self._sync_folder()
            descriptor = os.open(self.journal_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        reached("journal-opened")
        return FileJournal(self.journal_path, descriptor)

    def remove_journal(self) -> None:
        """Remove the journal, if there is one."""
        with io_errors(self.journal_path, "cannot remove the journal"):
            Path(self.journal_path).unlink(missing_ok=True)
            self._sync_folder()
        reached("journal-removed")

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class FileJournal:
    """An open journal file."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        """Append to the journal; durable on return."""
        with io_errors(self._path, "cannot write the journal"):
            write_all(self._descriptor, data)
            _datasync(self._descriptor)
        if not self.there():
            raise JournalGoneError(
                "the journal was deleted while the run was under way",
                where=self._path,
                hint="What was known is in the state. Run it again.",
            )

    def there(self) -> bool:
        """Tell whether nobody deleted it: by hand, by `git clean`, or as a run that a deleted lock file let in."""
        return os.fstat(self._descriptor).st_nlink > 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _holds(file: FileIO, data: memoryview) -> bool:
    """Tell whether the rest of `file` is `data`."""
    while piece := file.read(_PIECE):
        if piece != data[: len(piece)]:
            return False
        data = data[len(piece) :]
    return not data


def _read(path: str) -> bytes | None:
    with io_errors(path, "cannot read"):
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            return None


def _write_new(path: str, data: bytes) -> str:
    """Write `data`, durable, to the temporary file of `path`; the lock makes its fixed name safe."""
    temporary = path + ".tmp"
    Path(temporary).unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return temporary
