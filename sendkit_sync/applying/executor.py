"""Carries out a plan: resolves earlier calls, checks before the creates, runs the actions, resolves again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from ..core.model import ActionKind, DesiredWebhook
from ..core.outcomes import Failed, FailureCode, Unknown
from ..core.ports import Api, Clock, Ledger, Rng, SecretCipher
from ..planning.blockers import reason_and_advice
from ..planning.plan import Action, Blocker, LiveSide, Plan, Reason
from .adopt import adopt
from .create import Creator
from .delete import Deleter
from .live_list import LiveList
from .pool import Runner, run_all
from .preflight import Findings, Preflight
from .refresh import read_live
from .resolving import Resolver
from .results import Observer, Report, Result
from .running import ActionRunner
from .settings import RunSettings
from .throttle import StopReason, Throttle
from .update import Updater
from .warnings import Warnings

SENT = (ActionKind.CREATE, ActionKind.UPDATE)
"""What is carried out first: what is removed afterwards may be what an entry was renamed from."""

log = logging.getLogger(__name__)


def _ignore(_: Result) -> None: ...


@dataclass(slots=True)
class Executor:
    """One run against one ledger."""

    ledger: Ledger
    live_list: LiveList
    resolver: Resolver
    preflight: Preflight
    runner: ActionRunner
    stop_reason: StopReason
    warnings: Warnings
    parallelism: int
    _adopted: list[Result] = field(default_factory=list)
    _results: dict[str, Result] = field(default_factory=dict)
    _observer: Observer = _ignore

    @classmethod
    def over(
        cls,
        api: Api,
        ledger: Ledger,
        cipher: SecretCipher,
        clock: Clock,
        rng: Rng,
        settings: RunSettings,
        stop: threading.Event,
        *,
        server_secrets: bool = False,
        no_list: bool = False,
        run_all: Runner = run_all,
        slots: AbstractContextManager[object] | None = None,
    ) -> Executor:
        """Return a run with all its parts. `slots` limits the calls in flight, instead of `settings.parallelism`."""
        stop_reason, warnings = StopReason(stop), Warnings()
        throttle = Throttle(api, clock, stop_reason, slots or threading.Semaphore(settings.parallelism), ledger.before_call)
        live_list = LiveList.recording(throttle, clock, ledger, no_list=no_list)
        creator = Creator(throttle, ledger, cipher, rng, server_secrets)
        deleter = Deleter(throttle, ledger, rng)
        updater = Updater(throttle, ledger, cipher, rng)
        waits = settings.settle_s, settings.resend_after_s
        resolver = Resolver(throttle, ledger, cipher, clock, stop, live_list, deleter, warnings, *waits)
        preflight = Preflight(throttle, ledger, live_list, settings.allow_duplicate, warnings)
        runner = ActionRunner(
            ledger, creator, updater, deleter, live_list.guard, stop_reason, warnings, run_all, settings.workers
        )
        return cls(ledger, live_list, resolver, preflight, runner, stop_reason, warnings, settings.parallelism)

    def resolve_earlier(self) -> None:
        """Resolve what earlier runs left unresolved; raises what `Resolver.resolve_earlier` raises."""
        self._adopted = self.resolver.resolve_earlier()

    def read_live(self) -> LiveSide:
        """Return the live webhooks to plan with; raises what `refresh.read_live` raises."""
        return read_live(self.live_list, self.ledger.state, self.parallelism)

    def execute(self, plan: Plan, observer: Observer = _ignore) -> Report:
        """Carry out `plan` as far as possible; every outcome is recorded before `observer` is called.

        Raises `StateIOError` if an outcome cannot be recorded, and before the first create or delete what
        `LiveList.read` raises, and `RefusedError` for the key of another workspace.
        """
        self._observer = observer
        for result in self._adopted:
            self._announce(result)
        actions = []
        for action in plan.actions:
            if action.blocked_by is None or action.blocked_by.kind.duplicate:
                actions.append(self._recorded(action) if action.reason is Reason.ADOPTED else action)
            else:
                self._note(Result(action.kind, action.name, action.id, _blocked(action.blocked_by)))
        findings = self._check(actions)
        for webhook in plan.moved:
            self._record_source(webhook)
        for name, failure in findings.blocked.items():
            self._note(Result(ActionKind.CREATE, name, None, failure))
        self._run([action for action in actions if action.kind in SENT and action.name not in findings.blocked], findings)
        self._resolve(findings)
        self._run([action for action in actions if action.kind not in SENT], findings)
        self._add_unresolved()
        return self._report(findings)

    def _recorded(self, action: Action) -> Action:
        """Record the live webhook that an entry's `id` names, before anything else is looked at; what differs is sent later."""
        assert action.live is not None
        assert action.desired is not None
        cipher = self.runner.updater.cipher
        return replace(action, recorded=adopt(self.ledger, cipher, action.name, action.live, action.desired.lifecycle))

    def _check(self, actions: Sequence[Action]) -> Findings:
        creates = [action for action in actions if action.kind is ActionKind.CREATE]
        if creates:
            return self.preflight.check(creates)
        if any(action.kind is ActionKind.DELETE for action in actions):
            self.resolver.check_workspace()
        return Findings()

    def _record_source(self, webhook: DesiredWebhook) -> None:
        """Record the config file of an entry that was moved to another one."""
        record = self.ledger.record_of(webhook.name)
        if record is not None:
            self.ledger.record(webhook.name, replace(record, lifecycle=webhook.lifecycle))

    def _run(self, actions: Sequence[Action], findings: Findings) -> None:
        self.runner.run(actions, findings.possible_duplicates, self._note)

    def _resolve(self, findings: Findings) -> None:
        """Resolve the creates of this run that are unknown, and announce them."""
        unknown = {
            name: result.outcome
            for name, result in self._results.items()
            if result.kind is ActionKind.CREATE and isinstance(result.outcome, Unknown)
        }
        for name, outcome in self.resolver.resolve_sent(unknown, findings.live_before).items():
            self._results[name] = Result(ActionKind.CREATE, name, None, outcome)
            self._announce(self._results[name])

    def _add_unresolved(self) -> None:
        """Add what earlier runs left unresolved and no action of this plan was about."""
        for name in self.ledger.state.unresolved():
            if name not in self._results:
                outcome = self.resolver.unresolved(name, "the outcome of an earlier create is unknown")
                self._note(Result(ActionKind.CREATE, name, None, outcome), final=True)
        for intent in self.ledger.state.intents():
            if intent.action is ActionKind.DELETE and intent.name not in self._results:
                outcome = Unknown(FailureCode.UNRESOLVED, "the outcome of an earlier delete is unknown")
                self._note(Result(intent.action, intent.name, intent.id, outcome))

    def _report(self, findings: Findings) -> Report:
        results = self._results.values()
        created = {result.id for result in results if result.id and result.kind is ActionKind.CREATE}
        duplicates = self.preflight.duplicates(created, findings.live_before) if created else ()
        return Report(
            results=(*self._adopted, *results),
            warnings=self.warnings.lines,
            duplicates=duplicates,
            key_refused=self.stop_reason.key_refused,
            unreachable=self.stop_reason.unreachable,
            interrupted=self.stop_reason.interrupted,
        )

    def _note(self, result: Result, *, final: bool = False) -> None:
        self._results[result.name] = result
        if final or not _may_be_resolved(result):
            self._announce(result)

    def _announce(self, result: Result) -> None:
        reason = f": {result.failure.message}" if result.failure is not None else ""
        about = {"fields": {"action": str(result.kind), "name": result.name, "status": str(result.status)}}
        log.info('%s "%s": %s%s', result.kind, result.name, result.status.replace("_", " "), reason, extra=about)
        self._observer(result)


def _blocked(blocker: Blocker) -> Failed:
    reason, advice = reason_and_advice(blocker.name, blocker.kind)
    return Failed(FailureCode(blocker.kind.value), f"{reason}: {advice}")


def _may_be_resolved(result: Result) -> bool:
    """Return whether the live list may still tell what became of it."""
    return result.kind is ActionKind.CREATE and isinstance(result.outcome, Unknown)
