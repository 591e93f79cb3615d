"""The result of each action of a run, and their counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..core.model import ActionKind
from ..core.outcomes import NOT_SENT, Failed, Misplaced, Outcome, Succeeded, TestDelivery, Unknown


class Status(StrEnum):
    """What became of an action; the values are those of the JSON output."""

    DONE = "done"
    FAILED = "failed"
    UNRESOLVED = "unresolved"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class Result:
    """One action and its outcome. `action_id` is the webhook that the action is about, None for a create."""

    kind: ActionKind
    name: str
    action_id: str | None
    outcome: Outcome | Misplaced

    @property
    def id(self) -> str | None:
        """The webhook, or None if none is known."""
        live = self.outcome.live if isinstance(self.outcome, Succeeded | Misplaced) else None
        return self.action_id if live is None else live.id

    @property
    def status(self) -> Status:
        """What became of the action, in one word."""
        match self.outcome:
            case Succeeded():
                return Status.DONE
            case Unknown():
                return Status.UNRESOLVED
            case Failed(code=code) if code in NOT_SENT:
                return Status.NOT_ATTEMPTED
            case Failed() | Misplaced():
                return Status.FAILED

    @property
    def failure(self) -> Failed | Unknown | Misplaced | None:
        """Why the action is not done, or None if it is."""
        return None if isinstance(self.outcome, Succeeded) else self.outcome


Observer = Callable[[Result], None]
"""Called once for each action of a run, when its result is final."""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    `results` are in the order of the plan, resolved intents first. `warnings` are lines for people. `key_refused`
    and `unreachable` tell what stopped the run; `interrupted`: a signal did. `duplicates` are the ids of live
    webhooks that double one created in this run. `deliveries` are the test deliveries of `--verify`, None without it.
    """

    results: tuple[Result, ...]
    warnings: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    key_refused: bool = False
    unreachable: bool = False
    interrupted: bool = False
    deliveries: tuple[TestDelivery, ...] | None = None

    def count(self, status: Status, *kinds: ActionKind) -> int:
        """Return the number of results with `status` and, if given, one of `kinds`."""
        return sum(result.status is status and (not kinds or result.kind in kinds) for result in self.results)

    @property
    def changed(self) -> int:
        """The number of actions that were done."""
        return self.count(Status.DONE)
