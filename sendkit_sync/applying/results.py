"""What became of each action of a run, and the counts of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..core.model import ActionKind
from ..core.outcomes import FailureCode


class Status(StrEnum):
    """What became of an action; the values are those of the JSON output."""

    DONE = "done"
    FAILED = "failed"
    UNRESOLVED = "unresolved"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action is not done: a stable `code` for scripts, a `message` for people."""

    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """One action and what became of it. `id` is None where no webhook is known."""

    kind: ActionKind
    name: str
    id: str | None
    status: Status
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    `results` are in the order of the plan, settled intents first. `warnings` are lines for people. `key_refused`
    and `unreachable` say what stopped the run; `interrupted` that a signal did. `duplicates` are the ids of live
    webhooks that double one made in this run.
    """

    results: tuple[Result, ...]
    warnings: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    key_refused: bool = False
    unreachable: bool = False
    interrupted: bool = False

    def count(self, status: Status, *kinds: ActionKind) -> int:
        """Return how many results have `status` (and one of `kinds`, where given)."""
        return sum(result.status is status and (not kinds or result.kind in kinds) for result in self.results)

    @property
    def changed(self) -> int:
        """How many actions were done."""
        return self.count(Status.DONE)
