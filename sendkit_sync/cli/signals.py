"""Ends a run cleanly on a signal."""

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
from .output.streams import write_error

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Use `handler` for the signals that end a run, inside the block."""
    former = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, one in former.items():
            signal.signal(number, one)


@contextmanager
def stopping(
    stop: threading.Event, message: str = "Stopping after the calls in flight have finished and are recorded."
) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP set `stop`, which stops new calls and lets those in flight finish.

    `message` is then shown on a terminal.
    """

    def end() -> None:
        first = not stop.is_set()
        stop.set()
        if first and message and sys.stderr.isatty():
            write_error("\n")
            note(message)

    def handle(number: int, frame: FrameType | None) -> None:
        # In a thread, because the signal may arrive while the main thread waits on `stop` and holds its lock.
        threading.Thread(target=end, daemon=True).start()

    with handled(handle):
        yield


@contextmanager
def interrupted_by(stop: threading.Event) -> Iterator[None]:
    """Replace an error that only means that `stop` ended a wait or a call with `KeyboardInterrupt`."""
    try:
        yield
    except (ApiError, ApiUnreachableError, LockedError):
        if stop.is_set():
            raise KeyboardInterrupt from None
        raise
