"""The bytes of a state on disk: snapshot, backup and journal, each replaced atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StateIOError
from ..failpoints import reached

_datasync = getattr(os, "fdatasync", os.fsync)


@contextmanager
def io_errors(where: str, what: str) -> Iterator[None]:
    """Turn an `OSError` into a `StateIOError`."""
    try:
        yield
    except OSError as error:
        raise StateIOError(f"{what}: {error.strerror or type(error).__name__}", where=where) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however short the single writes are."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if count <= 0:
            raise OSError(5, "nothing was written")
        view = view[count:]


class FileStore:
    """The files of one state; a symbolic link at `path` is followed, not replaced."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.journal_path = self.path + ".journal"
        self.lock_path = self.path + ".lock"
        self.backup_path = self.path + ".backup"
        self._folder = str(Path(self.path).parent)

    def read_snapshot(self) -> bytes | None:
        return _read(self.path)

    def read_journal(self) -> bytes | None:
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

    def create_journal(self, header: bytes) -> int:
        """Create a journal that holds its header from the first moment; return a descriptor to append to."""
        with io_errors(self.journal_path, "cannot create the journal"):
            Path(_write_new(self.journal_path, header)).replace(self.journal_path)
            self._sync_folder()
            descriptor = os.open(self.journal_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        reached("journal-opened")
        return descriptor

    def append(self, descriptor: int, data: bytes) -> None:
        """Append to the journal; durable on return."""
        with io_errors(self.journal_path, "cannot write the journal"):
            write_all(descriptor, data)
            _datasync(descriptor)

    def remove_journal(self) -> None:
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
