"""A register in memory, whose writes meet the fates that a test orders, and the lease store over it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from enum import StrEnum

from sendkit_sync.state.stores.head import Head, decode_head, encode_head
from sendkit_sync.state.stores.lease import LeaseStore
from sendkit_sync.state.stores.register import RegisterError
from support.world import FakeClock


class Fate(StrEnum):
    """What becomes of a write, and what its writer hears of it."""

    FINE = "fine"
    UNSENT = "unsent"
    """It did not happen, and there is no answer."""
    LOST = "lost"
    """It happened, and there is no answer."""
    BUSY = "busy"
    """It did not happen; the store asks for fewer writes."""
    DONE_BUT_BUSY = "done-but-busy"
    """It happened, and is answered 503."""
    CONFLICT = "conflict"
    """It did not happen; answered 409, as where another write is under way."""
    DONE_BUT_CONFLICT = "done-but-conflict"
    TWICE = "twice"
    """A proxy sent it twice; the answer of the second comes, which was refused."""
    LATE = "late"
    """There is no answer, and it arrives after the next other write."""
    BEFORE_NEXT = "before-next"
    """There is no answer, and it arrives just before the next write."""


HAPPENED = {Fate.FINE, Fate.LOST, Fate.DONE_BUT_BUSY, Fate.DONE_BUT_CONFLICT, Fate.TWICE}
BUSY = {Fate.BUSY, Fate.DONE_BUT_BUSY}


class Cell:
    """What the register holds; it outlives the processes. `conditions` off makes a store that ignores them."""

    def __init__(self, *, conditions: bool = True) -> None:
        self.content: bytes | None = None
        self.conditions = conditions
        self.under_way: list[tuple[Fate, str | None, bytes]] = []
        self.history: list[bytes] = []
        self.away = False
        self.full_at: int | None = None

    @property
    def version(self) -> str | None:
        """The digest of the content, as on S3: the same content has the same version again."""
        return None if self.content is None else hashlib.md5(self.content, usedforsecurity=False).hexdigest()

    def write(self, condition: str | None, content: bytes) -> bool:
        """Write on a condition; return whether it held."""
        if self.conditions and condition != self.version:
            return False
        self.content = content
        self.history.append(content)
        return True

    def arrive(self, fate: Fate, after: bytes | None = None) -> None:
        """Let the writes happen that were under way with this fate, but for those of the same content as `after`."""
        for entry in [entry for entry in self.under_way if entry[0] is fate and entry[2] != after]:
            self.under_way.remove(entry)
            self.write(*entry[1:])


class FakeRegister:
    """One process's view of a cell; `fates` are used up in the order of the writes, and then all is fine.

    `point` is called before and after each write, with a name for it: a test may let the process die there.
    """

    address = "fake://register"

    def __init__(self, cell: Cell, fates: Sequence[Fate] = (), point: Callable[[str], None] = lambda name: None) -> None:
        self.cell = cell
        self.fates = list(reversed(fates))
        self.writes = 0
        self._point = point

    def peek(self) -> Head | None:
        return self.read()

    def read(self) -> Head | None:
        self._point("register-read")
        if self.cell.away:
            raise RegisterError("the store cannot be reached")
        if self.cell.content is None:
            return None
        version = self.cell.version
        assert version is not None
        return decode_head(self.cell.content.rstrip(b"\n"), self.address, version, lambda pointer: b"")

    def swap(self, base: Head | None, head: Head) -> Head:
        self._point("register-write")
        self.writes += 1
        if self.cell.away:
            raise RegisterError("the store cannot be reached")
        snapshot, backup = (None if text is None else text.decode() for text in (head.snapshot, head.backup))
        content = encode_head(head, snapshot, backup, [piece.decode() for piece in head.journal])
        if self.cell.full_at is not None and len(content) > self.cell.full_at:
            raise RegisterError("the store answered 413", lasting=True)
        condition = None if base is None else base.version
        fate = self.fates.pop() if self.fates else Fate.FINE
        self.cell.arrive(Fate.BEFORE_NEXT)
        held = fate in HAPPENED and self.cell.write(condition, content)
        if held:
            self.cell.arrive(Fate.LATE, content)
        if fate in (Fate.LATE, Fate.BEFORE_NEXT):
            self.cell.under_way.append((fate, condition, content))
        self._point("register-written")
        if fate is Fate.FINE and held:
            version = self.cell.version
            assert version is not None
            return Head(head.term, head.nonce, head.holder, head.snapshot, head.backup, head.journal, head.last_run, version)
        raise RegisterError(str(fate), busy=fate in BUSY)

    def prove(self, *, first: bool) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Nothing is held."""


def fake_store(
    cell: Cell,
    fates: Sequence[Fate] = (),
    clock: FakeClock | None = None,
    point: Callable[[str], None] = lambda name: None,
) -> LeaseStore:
    """Return a store over a register in memory, without a thread that renews."""
    return LeaseStore(FakeRegister(cell, fates, point), clock or FakeClock(), renews=False)
