"""One register that is only ever swapped, on a condition, and what makes such a swap sure.

A conditional write may have happened although it failed: its answer was lost, or turned into an error, or a proxy sent it
twice and only the second answer came. So each write carries a fresh nonce, and after any error the register is read: our
nonce means done, the version we started from means that the same swap may be tried again, anything else that someone
else has written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from ...core.errors import ErrorCode, FencedError, StateIOError
from ...core.ports import Clock
from .head import Head

T = TypeVar("T")

WRITE_FOR_S = 120.0
"""How long a write is tried while the store does not answer: longer than a restart, or a failover, takes."""
READ_FOR_S = 15.0
LONGEST_PAUSE_S = 5.0
BUSY_INTERVAL_S = 1.0
"""How far apart writes are kept once a store asked for it: Google documents one write a second for one object."""


class RegisterError(Exception):
    """A read or a swap failed, and nobody knows whether it happened.

    `busy`: the store asks for fewer writes. `lasting`: trying again cannot help, for lack of a right, or of space.
    """

    def __init__(self, what: str, *, busy: bool = False, lasting: bool = False, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.busy = busy
        self.lasting = lasting
        self.hint = hint


class Register(Protocol):
    """One state in one place that can compare and swap. All methods but `close` raise `RegisterError`."""

    @property
    def address(self) -> str:
        """The URL, without options, for messages."""
        ...

    def peek(self) -> Head | None:
        """Return the head, its texts left out where that is cheaper; None where there is none."""
        ...

    def read(self) -> Head | None:
        """Return the whole head as of one moment, or None where there is none."""
        ...

    def swap(self, base: Head | None, head: Head) -> Head:
        """Replace `base`, or nothing where it is None, by `head`; return `head` with its version.

        Durable on return. Raises where the register holds anything else. The journal of `head` begins with that of `base`,
        or is empty.
        """
        ...

    def prove(self, *, first: bool) -> Sequence[str]:
        """Show that the store keeps what a swap needs; return warnings. Raises `RegisterError` for one that does not.

        `first`: no state is there yet, so that a store which costs something to try can be tried now.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(slots=True)
class Swapper:
    """Swaps and reads that go on until they are sure, or the time is over."""

    register: Register
    clock: Clock
    interval_s: float = 0.0
    _next_at: float = 0.0
    _never: threading.Event = field(default_factory=threading.Event)

    def pace(self) -> None:
        """Wait until the store takes the next write."""
        left = self._next_at - self.clock.monotonic()
        if left > 0:
            self.clock.sleep(left, self._never)

    def swap(self, base: Head | None, head: Head, *, for_s: float = WRITE_FOR_S) -> Head:
        """Replace `base` by `head`, whose nonce is fresh, and return it with its version.

        Raises `FencedError` where the register holds neither, and `StateIOError` where the store cannot be asked: then
        nobody knows whether the swap happened, or is yet to happen.
        """
        deadline = self.clock.monotonic() + for_s
        tries = 0
        while True:
            self.pace()
            try:
                self._next_at = self.clock.monotonic() + self.interval_s
                return self.register.swap(base, head)
            except RegisterError as error:
                failure = error
            if failure.busy:
                self.interval_s = BUSY_INTERVAL_S
                self._next_at = self.clock.monotonic() + self.interval_s
            if failure.lasting:
                raise self._failed("cannot write the state", failure) from failure
            found = self._look(deadline)
            if found is not None and found.nonce == head.nonce:
                return replace(head, version=found.version)
            if (found and found.nonce) != (base and base.nonce):
                raise FencedError(
                    ErrorCode.STATE_FENCED,
                    "another run took over the lease, or the state was replaced",
                    where=self.register.address,
                    hint="Nothing was overwritten. What this run recorded before is safe; the next run resolves the rest.",
                )
            if self.clock.monotonic() >= deadline:
                raise self._failed("cannot write the state", failure) from failure
            if base is not None and found is not None:
                base = replace(base, version=found.version)
            tries += 1
            self._rest(tries)

    def read(self, *, for_s: float = READ_FOR_S, whole: bool = True) -> Head | None:
        """Return the head, asking again for `for_s` where the store does not answer; raises `StateIOError`."""
        return self._asked(self.register.read if whole else self.register.peek, "cannot read the state", for_s)

    def prove(self, *, first: bool) -> Sequence[str]:
        """Do what `Register.prove` does, again where the store does not answer; raises `StateIOError`."""
        return self._asked(lambda: self.register.prove(first=first), "cannot keep a state here", READ_FOR_S)

    def _asked(self, ask: Callable[[], T], what: str, for_s: float) -> T:
        deadline = self.clock.monotonic() + for_s
        tries = 0
        while True:
            try:
                return ask()
            except RegisterError as error:
                if error.lasting or self.clock.monotonic() >= deadline:
                    raise self._failed(what, error) from error
            tries += 1
            self._rest(tries)

    def _failed(self, what: str, error: RegisterError) -> StateIOError:
        """Return what to tell people of an error."""
        hint = error.hint or "What was recorded is safe. Check that the store can be reached, then run the command again."
        return StateIOError(ErrorCode.STORE_FAILED, f"{what}: {error.what}", where=self.register.address, hint=hint)

    def _look(self, deadline: float) -> Head | None:
        return self.read(for_s=max(READ_FOR_S, deadline - self.clock.monotonic()), whole=False)

    def _rest(self, tries: int) -> None:
        self.register.close()  # a connection that waits may be cut meanwhile, as the last one was
        self.clock.sleep(min(LONGEST_PAUSE_S, 0.1 * 2**tries), self._never)
