"""Carries out a plan: resolves earlier intents, runs preflight checks and the actions, and resolves again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial

from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, KeyRefusedError, NoEndpointError, RefusedError
from ..core.model import ActionKind, LiveWebhook
from ..core.outcomes import FAILS_UNLESS_LIVE, Failed, FailureCode, Outcome, Succeeded, Unknown
from ..core.ports import Api, Clock, Ledger, Rng, SecretCipher
from ..planning.plan import Action, Plan, SecretSource
from .adopt import adopt_unchanged
from .create import Creator
from .delete import Deleter
from .pool import Runner, run_all
from .preflight import NO_LIST, Preflight, check_workspace
from .resolving import expire_old, resolve_creates, unproved_names
from .results import Failure, Report, Result, Status
from .throttle import NOT_BEGUN, StopReason, Throttle
from .update import Updater

AHEAD = 2
"""Number of further calls that are prepared, with durable intents, while they wait for a slot."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Settings of a run. Durations in seconds."""

    parallelism: int = 4
    settle_s: float = 10.0
    resend_after_s: float = 300.0
    allow_duplicate: bool = False

    @property
    def workers(self) -> int:
        """Number of threads. With one call at a time, each action waits for the previous one."""
        return self.parallelism + min(AHEAD, self.parallelism - 1)


Observer = Callable[[Result], None]
"""Called once for each action of a run, with its final result."""


def _ignore(_: Result) -> None: ...


@dataclass(slots=True)
class Executor:
    """One run with one ledger. `run_all` runs several actions concurrently."""

    api: Api
    ledger: Ledger
    cipher: SecretCipher
    clock: Clock
    creator: Creator
    updater: Updater
    deleter: Deleter
    limits: RunSettings
    stop_reason: StopReason
    run_all: Runner = run_all
    _warnings: list[str] = field(default_factory=list)
    _adopted: list[Result] = field(default_factory=list)
    _observer: Observer = _ignore
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def over(
        cls,
        api: Api,
        ledger: Ledger,
        cipher: SecretCipher,
        clock: Clock,
        rng: Rng,
        limits: RunSettings,
        stop: threading.Event,
        *,
        server_secrets: bool = False,
        run_all: Runner = run_all,
        slots: AbstractContextManager[object] | None = None,
    ) -> Executor:
        """Return an executor with all its parts. `slots` limits concurrent calls instead of `limits.parallelism`."""
        stop_reason = StopReason(stop)
        throttle = Throttle(api, clock, stop_reason, slots or threading.Semaphore(limits.parallelism), ledger.before_call)
        creator = Creator(throttle, ledger, cipher, clock, rng, server_secrets)
        updater = Updater(throttle, ledger, cipher, clock, rng)
        deleter = Deleter(throttle, ledger, clock, rng)
        return cls(throttle, ledger, cipher, clock, creator, updater, deleter, limits, stop_reason, run_all=run_all)

    def settle(self) -> None:
        """Resolve every create and delete that an earlier run left without an outcome.

        Updates are not resolved, but planned again. Raises what `Api.list` raises, and `RefusedError` for the API key of
        another workspace. If the server has no list, creates stay unresolved.
        """
        pending = list(self.ledger.state.intents())
        deletes = [intent for intent in pending if intent.action is ActionKind.DELETE]
        if deletes:
            self._refuse_other_workspace()
        for intent in deletes:
            self.deleter.look(intent, Unknown(FailureCode.UNRESOLVED, "the outcome of an earlier delete is unknown"))
        names = sorted({intent.name for intent in pending if intent.action is ActionKind.CREATE})
        if not names:
            return
        try:
            live = self._settle(names, settle_s=0.0)
        except NoEndpointError:
            self._warn(NO_LIST)
            return
        state = self.ledger.state
        for name in names:
            if name not in state.pending and name in state.webhooks:
                self._adopted.append(Result(ActionKind.ADOPT, name, state.webhooks[name].id, Status.DONE))
        unproved = unproved_names(live, self.ledger)
        lost = [name for name in self.ledger.state.unresolved() if name not in unproved]
        expire_old(self.ledger, self.clock, lost, self.limits.resend_after_s)

    def execute(self, plan: Plan, observer: Observer = _ignore) -> Report:
        """Carry out `plan` as far as possible. Every outcome is recorded before `observer` is called.

        Raises `StateIOError` if an outcome cannot be recorded. Before the first create or delete, raises what `Api.list`
        raises, and `RefusedError` for the API key of another workspace.
        """
        self._observer = observer
        for result in self._adopted:
            self._announce(result)
        results: dict[str, Result] = {}
        creates = [action for action in plan.actions if action.kind is ActionKind.CREATE]
        if not creates and any(action.kind is ActionKind.DELETE for action in plan.actions):
            self._refuse_other_workspace()
        preflight = Preflight(self.api, self.ledger, self.limits.allow_duplicate, self._warn)
        seen, blocked = preflight.look(creates) if creates else ({}, {})
        for name, failure in blocked.items():
            self._note(results, Result(ActionKind.CREATE, name, None, Status.FAILED, failure))
        changes = {ActionKind.CREATE, ActionKind.UPDATE}
        self._run([action for action in plan.actions if action.kind in changes and action.name not in results], seen, results)
        unknown = [name for name, result in results.items() if _may_be_resolved(result)]
        self._settle_unknown(preflight, unknown, results)
        for name in unknown:
            self._announce(results[name])
        self._run([action for action in plan.actions if action.kind not in changes], seen, results)
        self._add_unresolved(results)
        made = {result.id for result in results.values() if result.id and result.kind is ActionKind.CREATE}
        return Report(
            results=tuple(self._adopted) + tuple(results.values()),
            warnings=tuple(self._warnings),
            duplicates=preflight.duplicates(made) if made else (),
            key_refused=self.stop_reason.key_refused,
            unreachable=self.stop_reason.unreachable,
            interrupted=self.stop_reason.interrupted,
        )

    def _run(self, actions: Sequence[Action], seen: Mapping[str, tuple[str, ...]], results: dict[str, Result]) -> None:
        """Carry out `actions` concurrently and add their results to `results`."""
        steps = [partial(self._guarded, action, seen.get(action.name, ())) for action in actions]
        for result in self.run_all(steps, parallelism=self.limits.workers, halted=lambda: self.stop_reason.on):
            self._note(results, result)
        for action in actions:
            if action.name not in results:
                self._note(results, Result(action.kind, action.name, action.id, Status.NOT_ATTEMPTED, self.stop_reason.why))

    def _guarded(self, action: Action, seen: tuple[str, ...]) -> Result:
        """Carry out `action`. If its outcome cannot be recorded, no prepared call may be sent any more."""
        try:
            return self._step(action, seen)
        except BaseException:
            self.stop_reason.pull(Failed(FailureCode.STOPPED, "an outcome could not be recorded"))
            raise

    def _step(self, action: Action, seen: tuple[str, ...]) -> Result:
        match action.kind:
            case ActionKind.CREATE:
                return self._create(action, seen)
            case ActionKind.UPDATE:
                answer, warnings = self.updater.update(action)
                self._warnings.extend(f'"{action.name}": {text}' for text in warnings)
                return _result(action, answer)
            case ActionKind.DELETE:
                assert action.id is not None
                return _result(action, self.deleter.delete(action.name, action.id))
            case ActionKind.FORGET:
                self.ledger.forget(action.name)
                return Result(action.kind, action.name, action.id, Status.DONE)
            case ActionKind.ADOPT:
                adopt_unchanged(self.ledger, action)
                return Result(action.kind, action.name, action.id, Status.DONE)

    def _create(self, action: Action, seen: tuple[str, ...]) -> Result:
        assert action.desired is not None
        former, source = action.recorded, action.secret_source or SecretSource.GENERATED
        answer, warnings = self.creator.create(action.desired, seen, former=former, replaces=action.former_name, source=source)
        self._warnings.extend(f'"{action.name}": {text}' for text in warnings)
        if isinstance(answer, Succeeded) and answer.live is not None:
            wrong = self._check_workspace(answer.live)
            status = Status.DONE if wrong is None else Status.FAILED
            return Result(ActionKind.CREATE, action.name, answer.live.id, status, wrong)
        return _result(action, answer)

    def _check_workspace(self, live: LiveWebhook) -> Failure | None:
        if live.workspace_id is None:
            return None
        with self._turn:
            known = self.ledger.workspace_id
            if known is None:
                self.ledger.set_workspace(live.workspace_id)
                return None
        if live.workspace_id == known:
            return None
        message = f"recorded, but created in workspace {printable(live.workspace_id)} instead of {printable(known)}"
        self.stop_reason.pull(Failed(FailureCode.WRONG_WORKSPACE, message))
        return Failure(FailureCode.WRONG_WORKSPACE, message)

    def _refuse_other_workspace(self) -> None:
        """Raise `RefusedError` if the API key belongs to another workspace, whose 404 would prove nothing."""
        if self.ledger.workspace_id is not None:
            with suppress(NoEndpointError):
                check_workspace(self.api.list(), self.ledger.workspace_id)

    def _settle_unknown(self, preflight: Preflight, names: Sequence[str], results: dict[str, Result]) -> None:
        """Resolve the creates `names` of this run, whose outcomes are unknown."""
        if not names:
            return
        try:
            live = self._settle(names, settle_s=self.limits.settle_s)
        except (ApiError, ApiUnreachableError, KeyRefusedError, RefusedError) as error:
            self._warn(f"the live list cannot be read to resolve unknown outcomes: {error.what}")
            return
        state = self.ledger.state
        still_open = set(state.unresolved())
        # Not proved, but not live before the run: it may be ours.
        ours = unproved_names([one for one in live if not preflight.was_there(one)], self.ledger)
        for name in names:
            failure = results[name].failure
            if name not in still_open:
                results[name] = Result(ActionKind.CREATE, name, state.webhooks[name].id, Status.DONE)
            elif name not in ours and not self.stop_reason.interrupted and failure and failure.code in FAILS_UNLESS_LIVE:
                self._drop_last(name)
                results[name] = Result(ActionKind.CREATE, name, None, Status.FAILED, failure)

    def _drop_last(self, name: str) -> None:
        intents = self.ledger.pending_of(name)
        if intents:
            self.ledger.drop(intents[-1])

    def _settle(self, names: Sequence[str], *, settle_s: float) -> list[LiveWebhook]:
        return resolve_creates(
            self.api, self.ledger, self.cipher, self.clock, self.stop_reason.stop, names=names, settle_s=settle_s
        )

    def _add_unresolved(self, results: dict[str, Result]) -> None:
        """Add the intents of earlier runs that no action of this plan covers."""
        left: list[tuple[ActionKind, str, str | None]] = [
            (ActionKind.CREATE, name, None) for name in self.ledger.state.unresolved()
        ]
        left += [(one.action, one.name, one.id) for one in self.ledger.state.intents() if one.action is ActionKind.DELETE]
        for kind, name, webhook_id in left:
            if name not in results:
                failure = Failure(FailureCode.UNRESOLVED, f"the outcome of an earlier {kind} is unknown")
                results[name] = Result(kind, name, webhook_id, Status.UNRESOLVED, failure)
                self._announce(results[name])

    def _note(self, results: dict[str, Result], result: Result) -> None:
        results[result.name] = result
        if not _may_be_resolved(result):
            self._announce(result)

    def _announce(self, result: Result) -> None:
        reason = f": {result.failure.message}" if result.failure is not None else ""
        about = {"fields": {"action": str(result.kind), "name": result.name, "status": str(result.status)}}
        log.info('%s "%s": %s%s', result.kind, result.name, result.status.replace("_", " "), reason, extra=about)
        self._observer(result)

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def _may_be_resolved(result: Result) -> bool:
    """Return whether the live list may still resolve it."""
    return result.kind is ActionKind.CREATE and result.status is Status.UNRESOLVED


def _result(action: Action, answer: Outcome) -> Result:
    """Return the result of a call, other than a create that succeeded."""
    if isinstance(answer, Succeeded):
        return Result(action.kind, action.name, action.id, Status.DONE)
    failure = Failure(answer.code, answer.message)
    if isinstance(answer, Failed):
        status = Status.NOT_ATTEMPTED if answer.code in NOT_BEGUN else Status.FAILED
        return Result(action.kind, action.name, action.id, status, failure)
    if action.kind is not ActionKind.CREATE:
        failure = Failure(answer.code, f"{answer.message}; it can be sent again: run apply again")
    return Result(action.kind, action.name, action.id, Status.UNRESOLVED, failure)
