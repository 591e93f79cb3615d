"""What the ledger needs of a place that keeps a state: a snapshot plus a journal under a lock."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Protocol

from .clock import Clock


class JournalWriter(Protocol):
    """An open journal."""

    def append(self, data: bytes) -> None:
        """Add whole lines; durable on return. Raises `StateIOError`, and then nobody knows how much is kept.

        Raises `JournalGoneError` where the journal is there no more.
        """
        ...

    def there(self) -> bool:
        """Tell whether the journal is still in its place."""
        ...

    def close(self) -> None:
        """Let go of it; what was appended stays."""
        ...


class Store(Protocol):
    """One state. Each method comes back when its effect outlives the process and the machine.

    A write that dies half way leaves the former content or the new one, never a piece; only `append` may leave a
    torn last line. All raise `StateIOError`. Writing takes the lock, reading does not.
    """

    @property
    def path(self) -> str:
        """Where the snapshot is, for messages."""
        ...

    @property
    def journal_path(self) -> str:
        """Where the journal is, for messages."""
        ...

    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> AbstractContextManager[None]:
        """Hold the lock; it goes with its process.

        Raises `LockedError` where it stays busy for `timeout_s`, or until `stop` is set.
        """
        ...

    def read_snapshot(self) -> bytes | None:
        """Return the snapshot, or None where there is none."""
        ...

    def snapshot_is(self, data: bytes | None) -> bool:
        """Tell whether the snapshot is `data` still."""
        ...

    def read_journal(self) -> bytes | None:
        """Return the journal, or None where there is none."""
        ...

    def write_snapshot(self, data: bytes) -> None:
        """Replace the snapshot; the former one stays as the backup."""
        ...

    def create_journal(self, header: bytes) -> JournalWriter:
        """Replace the journal by one that holds `header` from the first moment."""
        ...

    def remove_journal(self) -> None:
        """Remove the journal, if there is one."""
        ...
