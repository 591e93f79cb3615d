"""SendKit's time, from the `Date` of its responses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..core.ports import Clock


def seconds_of(text: str | None) -> float | None:
    """Return the seconds since the epoch of an HTTP date, or None for anything else."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


SAME_S = 2.0
"""Clocks that differ by less are taken for equal: a `Date` has whole seconds, and its response took a while."""


class ServerClock:
    """The local clock, corrected by the latest response that had a `Date`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = 0.0

    def now(self) -> float:
        """Return SendKit's time: seconds since the epoch, to a second or two. It may go back."""
        return self._clock.now() + self._offset_s

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take the time from the headers of a response that has just arrived, unless it comes from a cache."""
        date = None if "Age" in headers else seconds_of(headers.get("Date"))
        if date is not None:
            offset_s = date - self._clock.now()
            self._offset_s = offset_s if abs(offset_s) > SAME_S else 0.0
