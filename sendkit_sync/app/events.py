"""The events that a use case reports while it runs. The observer decides what is shown, and how."""

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
    """A warning, which stops nothing. `hint` says what to do about it."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A note, for example about a wait."""

    message: str


@dataclass(frozen=True, slots=True)
class ConfigWarned:
    """The warnings of the config files, in order."""

    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a run, made under the lock and before anything is carried out."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Performed:
    """One action with its final result in this run. Each is reported once."""

    result: Result


@dataclass(frozen=True, slots=True)
class Called:
    """One API call and its outcome: the status, or what went wrong. Reported from several threads."""

    method: str
    outcome: str


Event = Warned | Noted | ConfigWarned | Planned | Performed | Called
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore all events."""
