"""Lets a signal end a run in good order."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .messages import say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping(told: str = "Stopping: what is under way is finished and recorded first.") -> Iterator[threading.Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set; a signal stops new calls and lets those under way end.

    `told` is what a terminal is told then.
    """
    stop = threading.Event()

    def end() -> None:
        first = not stop.is_set()
        stop.set()
        if first and told and sys.stderr.isatty():
            say(f"\n{told}")

    def handle(number: int, frame: FrameType | None) -> None:
        # From a thread: the signal may have come while this one waits on `stop` and holds the event's own lock.
        threading.Thread(target=end, daemon=True).start()

    former = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
