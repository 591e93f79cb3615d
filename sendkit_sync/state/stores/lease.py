"""A state in a register, held by a lease: one head, and a holder that loses it when it stands still.

An append is a swap, and at the same time the renewal. A holder that is fenced stops: each of its writes names the version
that it wrote last, so nothing of what the next holder wrote is overwritten.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ...core.diagnostics import printable
from ...core.errors import ErrorCode, FencedError, LockedError, StateIOError
from ...core.failpoints import reached
from ...core.ports import Clock, StoredState
from .head import Head
from .holder import holder_card, shown_holder
from .register import Register, RegisterError, Swapper

DEAD_AFTER_S = 60.0
"""A lease is dead when its nonce stood still for so long on the observer's own clock."""
SEND_WITHIN_S = 30.0
"""A call starts only within this time of the start of the last confirmed write: half of what makes a lease dead."""
RENEW_AFTER_S = 20.0
POLL_S = 2.0

log = logging.getLogger(__name__)


def _token() -> str:
    return os.urandom(16).hex()


class LeaseStore:
    """The `Store` over a register. `renews` starts a thread that renews while nothing is written."""

    has_lease = True

    def __init__(self, register: Register, clock: Clock, *, renews: bool = True, token: Callable[[], str] = _token) -> None:
        self.address = register.address
        self.journal_address = register.address
        self.warnings: tuple[str, ...] = ()
        self._register = register
        self._clock = clock
        self._renews = renews
        self._token = token
        self._users = 0
        self._sighting: tuple[str, float] | None = None

    def read(self) -> StoredState:
        """Return snapshot and journal as of one moment."""
        with self._closing():
            head = Swapper(self._register, self._clock).read()
        return StoredState(None, None) if head is None else _stored(head)

    @contextmanager
    def locked(self, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> Iterator[LeaseTerm]:
        """Hold the lease; raises `LockedError` where a live holder keeps it for `timeout_s`, or until `stop` is set.

        Whether a holder lives shows when its nonce changes; so even without a timeout it is watched for up to a minute.
        """
        with self._closing():
            term = LeaseTerm(Swapper(self._register, clock), clock, self._token, *self._take(clock, purpose, timeout_s, stop))
            keeper = threading.Thread(target=term.keep, name="lease", daemon=True)
            if self._renews:
                keeper.start()
            try:
                yield term
            finally:
                term.release()
                if self._renews:
                    keeper.join()

    def holder(self) -> str | None:
        """Return who holds the lease, in words, or None where nobody does."""
        with self._closing():
            head = Swapper(self._register, self._clock).read(whole=False)
        return None if head is None or head.holder is None else shown_holder(head.holder) or "another run"

    def unlock(self) -> None:
        """Take the lease from its holder and give it back: the holder is fenced from here on."""
        with self._closing():
            swapper = Swapper(self._register, self._clock)
            head = swapper.read()
            if head is not None and head.holder is not None:
                swapper.swap(head, replace(head, term=head.term + 1, nonce=self._token(), holder=None))

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Close the register on leaving, where no one else of this process uses it."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._register.close()

    def _take(self, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> tuple[Head, float]:
        """Return the head that this process holds from now on, and when the swap began that made it so."""
        swapper = Swapper(self._register, clock)
        deadline = clock.monotonic() + timeout_s
        first: str | None = None
        whole = True
        while True:
            head = swapper.read(whole=whole)
            if head is None or head.holder is None or self._is_dead(head, clock):
                if not whole:
                    whole = True
                    continue
                self.warnings = tuple(swapper.prove(first=head is None))
                with suppress(FencedError):  # another taker was faster
                    return self._begin(swapper, head, holder_card(clock, purpose))
                continue
            whole = False
            first = first or head.nonce
            lives = head.nonce != first
            if stop.is_set() or (lives and clock.monotonic() >= deadline):
                raise self._locked(head)
            log.info("the lease is held by %s; watching whether it is renewed", self._who(head))
            clock.sleep(POLL_S, stop)

    def _is_dead(self, head: Head, clock: Clock) -> bool:
        """Tell whether the nonce of a held head stood still for long enough; nothing of the holder's clock counts."""
        if self._sighting is None or self._sighting[0] != head.nonce:
            self._sighting = (head.nonce, clock.boottime())
        return clock.boottime() - self._sighting[1] >= DEAD_AFTER_S

    def _begin(self, swapper: Swapper, base: Head | None, card: str) -> tuple[Head, float]:
        head = Head(0, "") if base is None else base
        began = swapper.clock.boottime()
        held = swapper.swap(base, replace(head, term=head.term + 1, nonce=self._token(), holder=card))
        if base is not None and base.holder is not None:
            log.warning("took over the lease of %s, which was not renewed for %.0f s", self._who(base), DEAD_AFTER_S)
            reached("taken-over")
        return held, began

    def _who(self, head: Head) -> str:
        return shown_holder(head.holder or "") or "another run"

    def _locked(self, head: Head) -> LockedError:
        return LockedError(
            f"the state is locked by {self._who(head)}",
            where=self.address,
            holder=shown_holder(head.holder or ""),
            hint="Wait for the other run, or pass --lock-timeout. The lease of a dead run expires after a minute; "
            "`sendkit-sync state unlock` takes it at once.",
        )


class LeaseTerm:
    """The `Term` of a lease: from the swap that took it to the one that gives it back, or to being fenced."""

    def __init__(self, swapper: Swapper, clock: Clock, token: Callable[[], str], head: Head, began: float) -> None:
        self._swapper = swapper
        self._clock = clock
        self._token = token
        self._head = head
        self._confirmed_at = began
        self._header = b""
        self._last_run: str | None = head.last_run
        self._failure: StateIOError | None = None
        self._turn = threading.Lock()
        self._over = threading.Event()

    def read(self) -> StoredState:
        """Return the state as this term last wrote or found it."""
        return _stored(self._head)

    def start(self, header: bytes) -> None:
        """Begin a new journal; it is written with its first lines: taking the lease has shown that the store takes writes."""
        self._header = header

    def pace(self) -> None:
        """Wait until the store takes the next write."""
        self._swapper.pace()

    def append(self, lines: bytes) -> None:
        """Append to the journal; durable on return, and the lease is renewed."""
        self._write(lambda head: replace(head, journal=(*head.journal, lines if head.journal else self._header + lines)))

    def fold(self, snapshot: bytes | None, *, last: bool = False) -> None:
        """End the journal and replace the snapshot, and with `last` give the lease back, in one swap."""

        def change(head: Head) -> Head:
            holder = None if last else head.holder
            if snapshot is None:
                return replace(head, journal=(), holder=holder)
            return replace(head, journal=(), holder=holder, snapshot=snapshot, backup=head.snapshot)

        ends = last or self._head.journal
        if ends or snapshot is not None:
            self._write(change)
        if ends:
            reached("fold-done")

    def renew_backup(self) -> None:
        """Replace the backup by a copy of the snapshot."""
        self._write(lambda head: replace(head, backup=head.snapshot))

    def confirm(self) -> None:
        """Renew the lease, however recent the last write is."""
        self._write(lambda head: head)

    def note_run(self, text: str) -> None:
        """Keep `text` with the next write."""
        self._last_run = text

    def before_call(self) -> None:
        """Return once this term was confirmed less than 30 seconds ago; raises `FencedError` where it has ended."""
        self._check()
        while self._clock.boottime() - self._confirmed_at >= SEND_WITHIN_S:
            self._renew(SEND_WITHIN_S)

    def keep(self) -> None:
        """Renew the lease whenever nothing was written for a while, until the term is over."""
        while not self._over.wait(max(0.0, RENEW_AFTER_S - (self._clock.boottime() - self._confirmed_at))):
            try:
                self._renew(RENEW_AFTER_S)
            except StateIOError as error:
                log.warning("the lease cannot be renewed: %s", printable(error.what))
                return

    def release(self) -> None:
        """Give the lease back where it is still held; a lease that cannot be given back dies by itself."""
        self._over.set()
        with self._turn:
            failure, self._failure = self._failure, self._ended("the lease was released")
            if isinstance(failure, FencedError) or self._head.holder is None:
                return
            try:
                # Not what was written last: a write without an answer may have come true meanwhile, and stays.
                found = self._swapper.register.read()
                if found is not None and (found.term, found.holder) == (self._head.term, self._head.holder):
                    self._swapper.register.swap(found, replace(found, nonce=self._token(), holder=None))
            except RegisterError as error:
                log.info("the lease was not given back: %s", printable(error.what))

    def _renew(self, after_s: float) -> None:
        """Write a new nonce, unless another thread has written meanwhile."""
        if self._write(lambda head: head, after_s):
            reached("lease-renewed")

    def _write(self, change: Callable[[Head], Head], after_s: float = 0.0) -> bool:
        """Swap the head for a changed one; whatever goes wrong is final, for nobody knows what was written."""
        with self._turn:
            self._check()
            began = self._clock.boottime()
            if began - self._confirmed_at < after_s:
                return False
            head = replace(change(self._head), nonce=self._token(), last_run=self._last_run)
            try:
                self._head = self._swapper.swap(self._head, head)
            except BaseException as error:
                self._failure = error if isinstance(error, StateIOError) else self._ended("a write was interrupted")
                raise
            self._confirmed_at = began
            return True

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _ended(self, reason: str) -> StateIOError:
        hint = "What was recorded is safe. Run the command again."
        return StateIOError(ErrorCode.LEASE_ENDED, reason, where=self._swapper.register.address, hint=hint)


def _stored(head: Head) -> StoredState:
    return StoredState(head.snapshot, b"".join(head.journal) or None, head.last_run)
