"""Moves a state to another store in three steps, so that at no moment two places hold a state that may be written.

(1) The source is folded and marked in one write: from here on nobody writes it. (2) The destination gets the state. (3) The
source is marked as moved. Run again after a kill, it goes on where it was. Each step is taken under both locks, and the
source's is confirmed before the destination is written: a mover that was halted and aborted meanwhile writes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from ..core.errors import ErrorCode, RefusedError
from ..core.failpoints import reached
from ..core.ports import Clock, Store, Term
from .codec import decode_snapshot, encode_snapshot
from .marks import Mark, find_mark, refuse
from .node import text_of
from .snapshots import read_stored


@dataclass(frozen=True, slots=True)
class Move:
    """From one store to another; `to` is the destination as the user wrote it, which is what the source will say."""

    source: Store
    destination: Store
    to: str
    clock: Clock
    stop: threading.Event
    lock_timeout_s: float

    def run(self) -> None:
        """Move the state, or finish a move that was begun; raises `RefusedError` where the destination holds another state."""
        with self._lock(self.source) as source:
            mark = find_mark(source.read().snapshot)
            if mark is None:
                mark = self._begin(source)
            elif mark.to != self.to:
                refuse(mark, self.source.address)
            if mark.document is not None:
                with self._lock(self.destination) as destination:
                    self._deliver(mark, source, destination)
                source.fold(replace(mark, document=None).encode(), last=True)
            reached("move-finished")

    def abort(self) -> None:
        """Keep the state at its source; raises `RefusedError` where no move is under way, or the state lives there already."""
        with self._lock(self.source) as source:
            mark = find_mark(source.read().snapshot)
            if mark is None or mark.document is None:
                raise RefusedError(
                    ErrorCode.NO_MOVE, "no move is under way", where=self.source.address, hint="There is nothing to abort."
                )
            with self._lock(self.destination) as destination:
                found = destination.read()
                there = find_mark(found.snapshot)
                untouched = found.snapshot in (None, mark.document.encode()) and found.journal is None
                if not untouched and (there is None or there.lineage != mark.lineage):
                    raise self._taken("the destination holds a state that is in use")
                destination.fold(Mark(self.source.address, mark.lineage, mark.serial, None).encode(), last=True)
            reached("move-tombstoned")
            source.fold(mark.document.encode(), last=True)

    def _begin(self, source: Term) -> Mark:
        """Fold the source and mark it, in one write."""
        stored = source.read()
        loaded = read_stored(self.source, stored)
        if loaded is None:
            raise RefusedError(
                ErrorCode.NOTHING_RECORDED, "nothing is recorded here", where=self.source.address, hint="Check --state."
            )
        snapshot, state, journal = loaded
        if journal is not None and journal != snapshot.journal:
            state = replace(state, serial=state.serial + 1)
        document = encode_snapshot(state, journal or snapshot.journal).decode()
        mark = Mark(self.to, state.lineage, state.serial, document)
        source.fold(mark.encode())
        reached("move-begun")
        return mark

    def _deliver(self, mark: Mark, source: Term, destination: Term) -> None:
        """Write the state to the destination, unless it is there."""
        assert mark.document is not None
        found = destination.read()
        there = find_mark(found.snapshot)
        empty = found.snapshot is None and found.journal is None
        if empty or (there is not None and (there.lineage, there.document) == (mark.lineage, None)):
            source.confirm()
            destination.fold(mark.document.encode(), last=True)
        elif there is not None:
            raise self._taken("the state there is being moved elsewhere")
        else:
            held = decode_snapshot(text_of(found.snapshot or b"", self.destination.address), self.destination.address).state
            if held.lineage != mark.lineage or held.serial < mark.serial:
                raise self._taken("the destination holds another state")
        reached("move-delivered")

    def _taken(self, what: str) -> RefusedError:
        hint = "Nothing was overwritten. Name a destination that holds no state."
        return RefusedError(ErrorCode.DESTINATION_IN_USE, what, where=self.destination.address, hint=hint)

    @contextmanager
    def _lock(self, store: Store) -> Iterator[Term]:
        held: AbstractContextManager[Term] = store.locked(
            clock=self.clock, purpose="state migrate", timeout_s=self.lock_timeout_s, stop=self.stop
        )
        with held as term:
            yield term
