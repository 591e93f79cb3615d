"""A `Store` in memory: what is durable outlives the runs, and a run can die or be refused in the middle of a write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sendkit_sync.core.errors import ErrorCode, LockedError, StateIOError
from sendkit_sync.core.ports import Clock, StoredState
from support.world import World


class Disk:
    """What is there after a crash."""

    def __init__(self) -> None:
        self.snapshot: bytes | None = None
        self.backup: bytes | None = None
        self.journal: bytes | None = None
        self.locked: str | None = None


class MemoryStore:
    """The state on a `Disk`, as one process sees it; its own `Term`.

    `refuse_at` is the number of the write that finds the disk full, and `torn` tells how many bytes of a line stay
    of a write that is cut.
    """

    address = "memory"
    journal_address = "memory.journal"
    has_lease = False
    warnings = ()

    def __init__(
        self, disk: Disk, world: World, *, refuse_at: int | None = None, torn: Callable[[int], int] = lambda size: size // 2
    ) -> None:
        self.disk = disk
        self._world = world
        self._refuse_at = refuse_at
        self._torn = torn
        self._writes = 0

    @contextmanager
    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> Iterator[MemoryStore]:
        if self.disk.locked:
            raise LockedError(f"the state is locked by {self.disk.locked}", where=self.address, holder=None)
        self.disk.locked = purpose
        try:
            yield self
        finally:
            self.disk.locked = None

    def read(self) -> StoredState:
        return StoredState(self.disk.snapshot, self.disk.journal)

    def start(self, header: bytes) -> None:
        self._world.point("journal")
        self._refuse()
        self.disk.journal = header
        self._world.point("journal-created")

    def pace(self) -> None:
        """It takes each write at once."""

    def append(self, lines: bytes) -> None:
        assert self.disk.journal is not None
        try:
            self._world.point("append")
            self._refuse()
        except BaseException:
            if not self._world.dead or self._world.dies_at == "append":
                self.disk.journal += lines[: self._torn(len(lines))]
            raise
        self.disk.journal += lines

    def fold(self, snapshot: bytes | None, *, last: bool = False) -> None:
        if snapshot is not None:
            self._write_snapshot(snapshot)
        self._world.point("journal-remove")
        self._refuse()
        self.disk.journal = None
        self._world.point("journal-gone")

    def renew_backup(self) -> None:
        self._world.point("backup")
        self._refuse()
        self.disk.backup = self.disk.snapshot

    def before_call(self) -> None:
        """The lock goes with its process alone."""

    def confirm(self) -> None:
        """The lock goes with its process alone."""

    def holder(self) -> None:
        """There is no lease."""

    def unlock(self) -> None:
        """There is no lease."""

    def note_run(self, text: str) -> None:
        """Nothing is kept."""

    def _write_snapshot(self, data: bytes) -> None:
        self._world.point("snapshot")
        self._refuse()
        if self.disk.snapshot is not None:
            self.disk.backup = self.disk.snapshot
            self._world.point("backup-written")
        self.disk.snapshot = data
        self._world.point("snapshot-replaced")

    def _refuse(self) -> None:
        self._writes += 1
        if self._refuse_at is not None and self._writes >= self._refuse_at:
            raise StateIOError(ErrorCode.FILE_IO, "cannot write: no space", where=self.address)
