"""The use case `reconcile`: one unattended run, for cron, systemd and Kubernetes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product

from ..applying.results import Report, Status
from ..applying.settings import RunSettings
from ..config import Config
from ..core.errors import ApiError, ErrorCode, ExitCode, LockedError, RefusedError, SyncError
from ..core.model import INACTIVE, ActionKind, State
from ..planning.plan import LiveSide, Plan
from ..planning.scope import PlanScope
from .checks import refuse_unset_secrets
from .context import Context, Source
from .events import Called, Event, Planned
from .metrics import Figures, check_extra, label_of, write
from .outcome import exit_code
from .plan import look, plan_of
from .run import Run, RunRequest, warn_of
from .wiring import load, pinned, read_state, system_clock

KEPT = (ActionKind.CREATE, ActionKind.UPDATE, ActionKind.ADOPT)


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """The arguments of a run. `max_changes` None sets no limit; `metrics_file` None writes no metrics.

    With `metrics_per_webhook`, the file also has metrics of each webhook.
    """

    source: Source = field(default_factory=Source)
    prune: bool = False
    dry_run: bool = False
    force: bool = False
    max_changes: int | None = None
    deadline_s: float = 600.0
    metrics_file: str | None = None
    metrics_per_webhook: bool = False
    settings: RunSettings = field(default_factory=RunSettings)
    lock_timeout_s: float = 0.0


@dataclass(slots=True)
class ReconcileRun:
    """One run and its results so far. `error` is what ended it; `plan` and `report` are None until they exist."""

    request: ReconcileRequest
    exit_code: ExitCode = ExitCode.FAILED
    figures: Figures = field(default_factory=Figures)
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers for the log."""
    plan: Plan | None = None
    report: Report | None = None
    error: SyncError | None = None
    stopped: bool = False
    """Whether a signal or the deadline ended the run."""
    late: bool = False
    """Whether the deadline ended the run."""
    metrics_lost: bool = False
    """Whether the metrics could not be written."""
    duration_s: float = 0.0

    def ended_by_stop(self, error: SyncError, stop: threading.Event) -> bool:
        """Return whether `error` only means that a wait or a call was ended early.

        A lock that is still busy at the deadline is an error of its own.
        """
        ends = (ApiError,) if self.late else (ApiError, LockedError)
        return stop.is_set() and isinstance(error, ends)


def reconcile(
    context: Context, request: ReconcileRequest, on_end: Callable[[ReconcileRun], None] = lambda _: None
) -> ReconcileRun:
    """Run once: resolve, refresh, plan, apply. Returns the result.

    `on_end` is also called if the run ends in an error, before the error is raised.
    """
    if request.metrics_file is not None:
        check_extra()
    one = ReconcileRun(request)
    counting = replace(context, observer=_counting(context, one))
    clock = system_clock()
    began = clock.monotonic()
    try:
        with _deadline(one, context.stop):
            _carry_out(one, counting)
    finally:
        one.duration_s = clock.monotonic() - began
        _write_metrics(one, context, clock.now())
        on_end(one)
    return one


def _counting(context: Context, one: ReconcileRun) -> Callable[[Event], None]:
    def observe(event: Event) -> None:
        if isinstance(event, Called):
            one.figures.called(event.method, event.outcome)
        context.observer(event)

    return observe


@contextmanager
def _deadline(one: ReconcileRun, stop: threading.Event) -> Iterator[None]:
    """End the run at its deadline as a signal would: calls in flight finish and are recorded."""

    def end() -> None:
        one.late = not stop.is_set()
        stop.set()

    timer = threading.Timer(one.request.deadline_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _carry_out(one: ReconcileRun, context: Context) -> None:
    """Carry out the request and store the result. An error that was not caused by `stop` is raised."""
    try:
        config = load(context, one.request.source)
        context = pinned(context, config)
        one.figures.state = label_of(config.state_path)
        _set(one, desired=len(config.webhooks))
        code = _look(one, context, config) if one.request.dry_run else _apply(one, context, config)
    except SyncError as error:
        if not one.ended_by_stop(error, context.stop):
            one.exit_code, one.error = error.exit_code, error
            raise
        code = ExitCode.INTERRUPTED
    one.stopped = code is ExitCode.INTERRUPTED
    one.exit_code = ExitCode.FAILED if one.stopped and one.late else code


def _look(one: ReconcileRun, context: Context, config: Config) -> ExitCode:
    state = read_state(config.state_path)
    live = look(context, config, state)
    _planned(one, context, plan_of(context, config, state, PlanScope(one.request.prune), live))
    _seen(one, state, live)
    return ExitCode.DONE


def _apply(one: ReconcileRun, context: Context, config: Config) -> ExitCode:
    refuse_unset_secrets(config)
    request = RunRequest(
        config,
        "reconcile",
        scope=PlanScope(one.request.prune),
        settings=one.request.settings,
        refresh=True,
        lock_timeout_s=one.request.lock_timeout_s,
    )
    with Run.open(context, request) as run:
        _planned(one, context, run.plan)
        _seen(one, run.executor.ledger.state, run.live)
        run.check_limits(force=one.request.force)
        if one.request.max_changes is not None and len(run.plan.actions) > one.request.max_changes:
            raise RefusedError(
                ErrorCode.TOO_MANY_CHANGES,
                f"the plan has more changes ({len(run.plan.actions)}) than --max-changes {one.request.max_changes} allows",
                hint="Nothing was changed. Review `sendkit-sync plan --refresh`, then raise the limit or apply by hand.",
            )
        one.report = run.execute()
        _count(one, run.plan, one.report)
        after = run.executor.ledger.state
        one.figures.workspace = after.workspace_id or ""
        _set(one, unresolved=len(after.unresolved()))
    warn_of(context, one.report)
    return exit_code(one.report)


def _set(one: ReconcileRun, **counts: int) -> None:
    """Set numbers of webhooks, for the log and the metrics."""
    one.counts |= counts
    for name, number in counts.items():
        one.figures.set(f"webhooks_{name}", number)


def _planned(one: ReconcileRun, context: Context, plan: Plan) -> None:
    one.plan = plan
    one.figures.workspace = plan.workspace_id or ""
    _set(
        one,
        in_sync=plan.unchanged,
        drifted=plan.drifted,
        unresolved=len(plan.unresolved),
        secret_missing=len(plan.missing_secrets),
    )
    context.observer(Planned(plan))


def _seen(one: ReconcileRun, state: State | None, live: LiveSide | None) -> None:
    """Set what SendKit shows about the recorded webhooks."""
    if state is None or live is None:
        return
    found = {name: live.by_id[record.id] for name, record in state.webhooks.items() if record.id in live.by_id}
    _set(one, inactive=sum(webhook.status == INACTIVE for webhook in found.values()))
    one.figures.seen(found, single=one.request.metrics_per_webhook)


def _count(one: ReconcileRun, plan: Plan, report: Report) -> None:
    planned = {action.name for action in plan.actions if action.kind in KEPT}
    repaired = sum(result.status is Status.DONE and result.name in planned for result in report.results if result.kind in KEPT)
    _set(one, in_sync=plan.unchanged + repaired)
    one.counts |= {
        "created": report.count(Status.DONE, ActionKind.CREATE),
        "updated": report.count(Status.DONE, ActionKind.UPDATE),
        "failed": report.count(Status.FAILED) + report.count(Status.NOT_ATTEMPTED),
    }
    for kind, status in product(ActionKind, Status):
        one.figures.set("last_run_changes", report.count(status, kind), str(kind), str(status))


def _write_metrics(one: ReconcileRun, context: Context, now: float) -> None:
    path = one.request.metrics_file
    if path is None:
        return
    try:
        write(path, one.figures, now=now, duration_s=one.duration_s, good=one.exit_code is ExitCode.DONE)
    except SyncError as error:
        context.warn(str(error))
        one.metrics_lost = True
        if one.exit_code is ExitCode.DONE:
            one.exit_code = ExitCode.FAILED
