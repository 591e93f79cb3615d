"""`reconcile`: one unattended run, for cron, systemd and Kubernetes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from ...app.metrics import Figures, check_extra, write
from ...applying.executor import RunSettings
from ...applying.results import Report, Result, Status
from ...core.clock import SystemClock
from ...core.errors import ApiError, ErrorCode, ExitCode, LockedError, RefusedError, SyncError
from ...core.model import ActionKind
from ...core.ports import Clock
from ...core.redaction import REDACTOR
from ...planning.plan import Plan, Reason
from ...planning.scope import PlanScope
from ...render.words import summary_line
from ...state import read_state
from ..options import (
    Duration,
    config_flag,
    flag,
    lock_flag,
    parallelism_flag,
    prune_flag,
    resend_flag,
    retry_flag,
    settle_flag,
    state_flag,
    timeout_flag,
)
from ..outcome import counts, exit_code, say_failure, say_findings
from ..output.logs import event
from ..output.messages import say, say_warnings
from ..session import RunRequest, look, session
from ..signals import stopping
from ..wiring import Calls, Context, plan_of, read_config, read_key
from .apply import refuse_unset_secrets

OUTSIDE = (Reason.DRIFT, Reason.MISSING)


@dataclass(slots=True)
class ReconcileRun:
    """One pass: what it is asked for, and what is known of it so far."""

    context: Context
    dry_run: bool
    force: bool
    max_changes: int | None
    deadline_s: float
    code: ExitCode = ExitCode.FAILED
    figures: Figures = field(default_factory=Figures)
    line: str = ""
    """What a person reads at the end."""
    late: bool = False
    """Whether the deadline ended it."""
    metrics_lost: bool = False
    """Whether the metrics could not be written."""

    def ended_by_stop(self, error: SyncError, stop: threading.Event) -> bool:
        """Tell whether `error` only says that a wait or a call was ended early.

        A lock that is still busy at the deadline is an error of its own.
        """
        ends = (ApiError,) if self.late else (ApiError, LockedError)
        return stop.is_set() and isinstance(error, ends)


@click.command("reconcile")
@config_flag
@state_flag
@prune_flag
@flag("--dry-run", is_flag=True, help="Only refresh and plan. Sends GET requests only, writes no state, takes no lock.")
@flag("--max-changes", type=click.IntRange(0), metavar="N", help="Refuse a plan with more than N changes.")
@flag(
    "--deadline",
    type=Duration(),
    default="10m",
    help="Time limit for the whole run. When it expires, calls in flight finish and no new ones start.",
)
@flag("--metrics-file", metavar="FILE", help="Write Prometheus metrics to FILE. Needs the extra `metrics`.")
@flag("--force", is_flag=True, help="Allow deleting or re-creating more than 30% of the recorded webhooks in one run.")
@flag("--allow-duplicate", is_flag=True, help="Create the webhook even if a live one looks like a duplicate.")
@parallelism_flag
@lock_flag
@settle_flag
@resend_flag
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context,
    /,
    configs: tuple[str, ...],
    state_path: str | None,
    prune: bool,
    dry_run: bool,
    max_changes: int | None,
    deadline: float,
    metrics_file: str | None,
    force: bool,
    lock_timeout: float,
    timeout: float,
    retry_for: float,
    **limits: float,
) -> int:
    """Run once, unattended: resolve, refresh, plan, apply. For schedulers.

    Never asks, and prints one summary line to stdout.
    """
    if metrics_file is not None:
        check_extra()
    one = ReconcileRun(context, dry_run, force, max_changes, deadline)

    def wanted() -> RunRequest:
        config = read_config(configs, state_path)
        read_key(context)
        say_warnings(config)
        if not dry_run:
            refuse_unset_secrets(config)
        return RunRequest(
            config,
            state_path or config.state_path,
            "reconcile",
            Calls(timeout, retry_for, one.figures.called),
            options=PlanScope(prune),
            limits=RunSettings(**limits),  # type: ignore[arg-type]
            refresh=True,
            lock_timeout_s=lock_timeout,
        )

    clock = SystemClock()
    began = clock.monotonic()
    try:
        with stopping() as stop, ending(one, stop):
            event("run_started", command="reconcile", dry_run=dry_run)
            _carry_out(one, wanted, stop)
    finally:
        _end(one, clock, began, metrics_file)
    return ExitCode.FAILED if one.metrics_lost and one.code is ExitCode.DONE else one.code


@contextmanager
def ending(one: ReconcileRun, stop: threading.Event) -> Iterator[None]:
    """End the run at its deadline as a signal would: calls under way are finished and recorded."""

    def end() -> None:
        one.late = not stop.is_set()
        stop.set()

    timer = threading.Timer(one.deadline_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _carry_out(one: ReconcileRun, read: Callable[[], RunRequest], stop: threading.Event) -> None:
    """Do what is asked for, and note what came of it; an error that is no end by `stop` goes on to the caller."""
    try:
        wanted = read()
        one.figures.counts["wanted"] = len(wanted.config.webhooks)
        one.code = _look(one, wanted, stop) if one.dry_run else _apply(one, wanted, stop)
    except SyncError as error:
        if not one.ended_by_stop(error, stop):
            one.code, one.line = error.exit_code, f"Not reconciled: {error.what}"
            raise
        one.code = ExitCode.INTERRUPTED
    if one.code is ExitCode.INTERRUPTED:
        why = f"the deadline of {one.deadline_s:g} s is over" if one.late else "interrupted"
        one.code = ExitCode.FAILED if one.late else ExitCode.INTERRUPTED
        one.line = f"Not reconciled: {why}. {one.line}".rstrip()


def _look(one: ReconcileRun, wanted: RunRequest, stop: threading.Event) -> ExitCode:
    state = read_state(wanted.path)
    live = look(one.context, wanted.config, state, wanted.calls, stop)
    plan = plan_of(wanted.config, state, one.context, wanted.path, wanted.options, live)
    _planned(one, plan)
    one.line = f"Dry run: {summary_line(plan)}"
    return ExitCode.DONE


def _apply(one: ReconcileRun, wanted: RunRequest, stop: threading.Event) -> ExitCode:
    with session(one.context, wanted, stop) as run:
        _planned(one, run.plan)
        run.check_limits(force=one.force)
        if one.max_changes is not None and len(run.plan.actions) > one.max_changes:
            raise RefusedError(
                ErrorCode.TOO_MANY_CHANGES,
                f"the plan has more changes than --max-changes {one.max_changes}: {len(run.plan.actions)}",
                hint="Nothing was changed. Look at `sendkit-sync plan --refresh`, then raise the limit or apply by hand.",
            )
        run.executor.on_result = _tell
        report = run.executor.execute(run.plan)
        _count(one, run.plan, report)
        one.figures.counts["unresolved"] = len(run.executor.ledger.state.unresolved())
    say_findings(report)
    return exit_code(report)


def _planned(one: ReconcileRun, plan: Plan) -> None:
    drifted = sum(action.reason in OUTSIDE for action in plan.actions)
    one.figures.counts |= {
        "in_sync": plan.unchanged,
        "drifted": drifted,
        "unresolved": len(plan.unresolved),
        "secrets_missing": len(plan.missing_secrets),
    }
    kinds = {str(kind): plan.count(kind) for kind in ActionKind}
    event("planned", **kinds, unchanged=plan.unchanged, drifted=drifted, unresolved=len(plan.unresolved))


def _tell(result: Result) -> None:
    failure = result.failure
    told = event(
        "action",
        action=str(result.kind),
        name=result.name,
        id=result.id,
        status=str(result.status),
        code=failure.code if failure else None,
        message=failure.message if failure else None,
    )
    if not told:
        say_failure(result)


def _count(one: ReconcileRun, plan: Plan, report: Report) -> None:
    kept = (ActionKind.CREATE, ActionKind.UPDATE, ActionKind.ADOPT)
    planned = {action.name for action in plan.actions if action.kind in kept}
    mended = sum(one.status is Status.DONE and one.name in planned for one in report.results if one.kind in kept)
    one.figures.counts |= {
        "in_sync": plan.unchanged + mended,
        "created": report.count(Status.DONE, ActionKind.CREATE),
        "updated": report.count(Status.DONE, ActionKind.UPDATE),
        "failed": report.count(Status.FAILED) + report.count(Status.NOT_ATTEMPTED),
    }
    one.line = f"Reconciled: {counts(report)}. {one.figures.counts['in_sync']} in sync."


def _end(one: ReconcileRun, clock: Clock, began: float, metrics_file: str | None) -> None:
    """Write the metrics, and say in one line and one event what the run came to."""
    duration_s = clock.monotonic() - began
    if metrics_file is not None:
        try:
            write(metrics_file, one.figures, now=clock.now(), duration_s=duration_s, good=one.code is ExitCode.DONE)
        except SyncError as error:
            say(f"warning: {error}")
            one.metrics_lost = True
            one.line = f"{one.line} The metrics could not be written.".lstrip()
    event("run_finished", exit_code=int(one.code), duration_s=round(duration_s, 3), **one.figures.counts)
    click.echo(REDACTOR.clean(one.line) or "Not reconciled.")
