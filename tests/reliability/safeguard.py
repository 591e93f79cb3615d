"""A safeguard as data: where it stands in the package, what is left without it, and the case that notices."""

from __future__ import annotations

from dataclasses import dataclass

Edit = tuple[str, str, str]
"""A file of the package, the text that holds the safeguard, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Safeguard:
    """What keeps something from going wrong. `case` is a test, as pytest names it; it fails without `edits` undone."""

    name: str
    case: str
    edits: tuple[Edit, ...]

    def __str__(self) -> str:
        return self.name


def one(name: str, case: str, file: str, there: str, instead: str) -> Safeguard:
    """Return a safeguard that stands in one place."""
    return Safeguard(name, case, ((file, there, instead),))
