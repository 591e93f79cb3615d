"""The warnings of a run, each once."""

from __future__ import annotations

import threading


class Warnings:
    """Lines for people, in the order they came; safe to use from several threads."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._turn = threading.Lock()

    def add(self, *lines: str) -> None:
        """Add what was not said before."""
        with self._turn:
            self._lines |= dict.fromkeys(lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines up to now."""
        with self._turn:
            return tuple(self._lines)
