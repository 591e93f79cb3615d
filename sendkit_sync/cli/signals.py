"""Lets a signal end a run in good order."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..core.errors import ApiError, ApiUnreachableError, LockedError
from .output.messages import note

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Let `handler` have the signals that end a run, for as long as the block lasts."""
    former = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, one in former.items():
            signal.signal(number, one)


@contextmanager
def stopping(
    stop: threading.Event, told: str = "Stopping: what is under way is finished and recorded first."
) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP set `stop`, which stops new calls and lets those under way end.

    `told` is what a terminal is told then.
    """

    def end() -> None:
        first = not stop.is_set()
        stop.set()
        if first and told and sys.stderr.isatty():
            note(f"\n{told}")

    def handle(number: int, frame: FrameType | None) -> None:
        # From a thread: the signal may have come while this one waits on `stop` and holds the event's own lock.
        threading.Thread(target=end, daemon=True).start()

    with handled(handle):
        yield


@contextmanager
def interrupted_by(stop: threading.Event) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the place of an error that only says that `stop` ended a wait or a call early."""
    try:
        yield
    except (ApiError, ApiUnreachableError, LockedError):
        if stop.is_set():
            raise KeyboardInterrupt from None
        raise
