"""A `Store` in memory: what is durable outlives the runs, and a run can die or be refused in the middle of a write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from world import World

from sendkit_sync.core.errors import LockedError, StateIOError
from sendkit_sync.core.ports import Clock


class Disk:
    """What is there after a crash."""

    def __init__(self) -> None:
        self.snapshot: bytes | None = None
        self.backup: bytes | None = None
        self.journal: bytes | None = None
        self.locked = False


class MemoryStore:
    """The state on a `Disk`, as one process sees it.

    `refuse_at` is the number of the write that finds the disk full, and `torn` tells how many bytes of a line stay
    of a write that is cut.
    """

    path = "memory"
    journal_path = "memory.journal"

    def __init__(
        self, disk: Disk, world: World, *, refuse_at: int | None = None, torn: Callable[[int], int] = lambda size: size // 2
    ) -> None:
        self._disk = disk
        self._world = world
        self._refuse_at = refuse_at
        self._torn = torn
        self._writes = 0

    @contextmanager
    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> Iterator[None]:
        if self._disk.locked:
            raise LockedError("the state is locked", where=self.path, holder=None)
        self._disk.locked = True
        try:
            yield
        finally:
            self._disk.locked = False

    def read_snapshot(self) -> bytes | None:
        return self._disk.snapshot

    def snapshot_is(self, data: bytes | None) -> bool:
        return self._disk.snapshot == data

    def read_journal(self) -> bytes | None:
        return self._disk.journal

    def write_snapshot(self, data: bytes) -> None:
        self._world.point("snapshot")
        self._refuse()
        if self._disk.snapshot is not None:
            self._disk.backup = self._disk.snapshot
            self._world.point("backup-written")
        self._disk.snapshot = data
        self._world.point("snapshot-replaced")

    def create_journal(self, header: bytes) -> MemoryJournal:
        self._world.point("journal")
        self._refuse()
        self._disk.journal = header
        self._world.point("journal-created")
        return MemoryJournal(self)

    def remove_journal(self) -> None:
        self._world.point("journal-remove")
        self._refuse()
        self._disk.journal = None
        self._world.point("journal-gone")

    def append(self, data: bytes) -> None:
        assert self._disk.journal is not None
        try:
            self._world.point("append")
            self._refuse()
        except BaseException:
            if not self._world.dead or self._world.dies_at == "append":
                self._disk.journal += data[: self._torn(len(data))]
            raise
        self._disk.journal += data

    def _refuse(self) -> None:
        self._writes += 1
        if self._refuse_at is not None and self._writes >= self._refuse_at:
            raise StateIOError("cannot write: no space", where=self.path)


class MemoryJournal:
    """An open journal on a disk in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def append(self, data: bytes) -> None:
        self._store.append(data)

    def there(self) -> bool:
        return self._store.read_journal() is not None

    def close(self) -> None:
        """Nothing is held."""
