"""The lock of a state: `flock` on a file that is never deleted and says who holds it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...core.errors import ErrorCode, LockedError, StateIOError
from ...core.files import PRIVATE, io_errors, open_regular, write_all
from ...core.ports import Clock
from .holder import holder_card, shown_holder

_POLL_S = 0.2
MAX_BYTES = 4096
CARD = b'{"who": '
"""How the content of a lock begins."""

OTHER_NAME = "Nothing was written to it. Choose another path for the state: --state, or `state` in the config."


@contextmanager
def locked(path: str, *, clock: Clock, purpose: str, timeout_s: float, stop: threading.Event) -> Iterator[None]:
    """Hold the lock file `path`; wait for it at most `timeout_s`, and no longer than until `stop` is set."""
    with io_errors(path, "cannot open the lock"):
        descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        _refuse_other_file(descriptor, path)
        _take(descriptor, path, clock, timeout_s, stop)
        with io_errors(path, "cannot write the lock"):
            if os.fstat(descriptor).st_uid == os.geteuid():
                os.fchmod(descriptor, PRIVATE)
            os.ftruncate(descriptor, 0)
            write_all(descriptor, holder_card(clock, purpose).encode() + b"\n")
        try:
            yield
        finally:
            with io_errors(path, "cannot clear the lock"):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _refuse_other_file(descriptor: int, path: str) -> None:
    """Raise `StateIOError` where a file that is no lock has the lock's name: `state: poetry` leads to `poetry.lock`."""
    held = os.pread(descriptor, MAX_BYTES, 0).strip(b"\0")  # a power cut may leave zero bytes, or half a card
    if not held.startswith(CARD[: len(held)]):
        raise StateIOError(ErrorCode.LOCK_NOT_OURS, "is not a lock file of sendkit-sync", where=path, hint=OTHER_NAME)


def _take(descriptor: int, path: str, clock: Clock, timeout_s: float, stop: threading.Event) -> None:
    deadline = clock.monotonic() + timeout_s
    while True:
        with io_errors(path, "cannot lock"):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return
        left = deadline - clock.monotonic()
        if left <= 0 or clock.sleep(min(_POLL_S, left), stop):
            holder = _holder(descriptor)
            raise LockedError(
                f"the state is locked by {holder or 'another run'}",
                where=path,
                holder=holder,
                hint="Wait for the other run, or pass --lock-timeout. The lock ends with its process; do not delete the file.",
            )


def _holder(descriptor: int) -> str | None:
    try:
        return shown_holder(os.pread(descriptor, MAX_BYTES, 0))
    except OSError:
        return None
