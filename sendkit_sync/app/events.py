"""What a use case reports while it runs, as typed values; whoever listens decides what of it is shown, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..applying.results import Result
    from ..core.diagnostics import Diagnostic
    from ..planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know of and that stops nothing; `hint` says what to do about it."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact worth a line: a wait, something that was left out."""

    message: str


@dataclass(frozen=True, slots=True)
class ConfigWarned:
    """The warnings of the config files, in order."""

    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a run, made under the lock; nothing of it is carried out yet."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Performed:
    """One action and its result; each is reported once, when nothing more is learned of it in this run."""

    result: Result


@dataclass(frozen=True, slots=True)
class Called:
    """One API call and its outcome: the status, or what went wrong. Comes from several threads."""

    method: str
    outcome: str


Event = Warned | Noted | ConfigWarned | Planned | Performed | Called
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
