"""The results of a run and their counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..core.model import ActionKind
from ..core.outcomes import FailureCode


class Status(StrEnum):
    """The status of an action. The values appear in the JSON output."""

    DONE = "done"
    FAILED = "failed"
    UNRESOLVED = "unresolved"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action was not done: a stable `code` for scripts and a `message` for people."""

    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """One action and its result. `id` is None if no webhook is known."""

    kind: ActionKind
    name: str
    id: str | None
    status: Status
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run.

    `results` are in the order of the plan, with resolved intents first. `warnings` are lines for people. `key_refused`,
    `unreachable` and `interrupted` (by a signal) say what stopped the run. `duplicates` holds the ids of live webhooks that
    duplicate one created in this run.
    """

    results: tuple[Result, ...]
    warnings: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    key_refused: bool = False
    unreachable: bool = False
    interrupted: bool = False

    def count(self, status: Status, *kinds: ActionKind) -> int:
        """Return the number of results with `status` and, if given, one of `kinds`."""
        return sum(result.status is status and (not kinds or result.kind in kinds) for result in self.results)

    @property
    def changed(self) -> int:
        """The number of actions that were done."""
        return self.count(Status.DONE)
