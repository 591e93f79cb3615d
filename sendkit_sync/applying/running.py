"""Carries out actions, several at once, and stops the run after one that no other call can fare better than."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..core.model import ActionKind
from ..core.outcomes import Failed, FailureCode, Misplaced, Outcome, Succeeded, Unknown
from ..core.ports import Ledger
from ..planning.plan import Action, SecretSource
from .adopt import adopt_unchanged
from .create import Creator
from .delete import Deleter
from .pool import Runner
from .results import Result
from .throttle import StopReason
from .update import Updater
from .warnings import Warnings
from .workspace import WorkspaceGuard

Resembled = Mapping[str, tuple[str, ...]]
"""By name of a create: the ids of live webhooks that it resembles."""


@dataclass(frozen=True, slots=True)
class ActionRunner:
    """Carries out the actions of one run, `workers` at once."""

    ledger: Ledger
    creator: Creator
    updater: Updater
    deleter: Deleter
    guard: WorkspaceGuard
    stop_reason: StopReason
    warnings: Warnings
    run_all: Runner
    workers: int

    def run(self, actions: Sequence[Action], resembled: Resembled, note: Callable[[Result], None]) -> None:
        """Carry out `actions`, and give the result of each to `note`, as they come.

        Until a response has shown the workspace of the key, creates go one by one.
        """
        left = list(actions)
        while not self.guard.confirmed and not self.stop_reason.stopped:
            first = next((action for action in left if action.kind is ActionKind.CREATE), None)
            if first is None:
                break
            left.remove(first)
            note(self._guarded(first, resembled))
        steps = [partial(self._guarded, action, resembled) for action in left]
        done = set()
        for result in self.run_all(steps, parallelism=self.workers, halted=lambda: self.stop_reason.stopped):
            done.add(result.name)
            note(result)
        for action in left:
            if action.name not in done:
                note(Result(action.kind, action.name, action.id, self.stop_reason.outcome))

    def _guarded(self, action: Action, resembled: Resembled) -> Result:
        """Carry out `action`. If its outcome cannot be recorded, calls that are prepared must not be sent any more."""
        try:
            return Result(action.kind, action.name, action.id, self._carry_out(action, resembled))
        except BaseException:
            self.stop_reason.set(Failed(FailureCode.STOPPED, "an outcome could not be recorded"))
            raise

    def _carry_out(self, action: Action, resembled: Resembled) -> Outcome | Misplaced:
        match action.kind:
            case ActionKind.CREATE:
                return self._create(action, resembled.get(action.name, ()))
            case ActionKind.UPDATE if action.sends:
                outcome, warnings = self.updater.update(action)
                self._warn(action, warnings)
                return _repeatable(outcome)
            case ActionKind.DELETE:
                assert action.id is not None
                return _repeatable(self.deleter.delete(action.name, action.id))
            case ActionKind.FORGET:
                self.ledger.forget(action.name)
            case ActionKind.ADOPT | ActionKind.UPDATE:
                adopt_unchanged(self.ledger, action)
        return Succeeded(None)

    def _create(self, action: Action, resembled: tuple[str, ...]) -> Outcome | Misplaced:
        assert action.desired is not None
        former, source = action.recorded, action.secret_source or SecretSource.GENERATED
        outcome, warnings = self.creator.create(
            action.desired, resembled, former=former, replaces=action.former_name, source=source
        )
        self._warn(action, warnings)
        if not isinstance(outcome, Succeeded) or outcome.live is None:
            return outcome
        misplaced = self.guard.check_created(action.name, outcome.live)
        if misplaced is not None:
            self.stop_reason.set(Failed(misplaced.code, misplaced.message))
        return misplaced or outcome

    def _warn(self, action: Action, texts: Sequence[str]) -> None:
        self.warnings.add(*(f'"{action.name}": {text}' for text in texts))


def _repeatable(outcome: Outcome) -> Outcome:
    """Return `outcome`; if it is unknown, say that the call may be sent again."""
    if isinstance(outcome, Unknown):
        return Unknown(outcome.code, f"{outcome.message}; it can be sent again: run apply again", outcome.status)
    return outcome
