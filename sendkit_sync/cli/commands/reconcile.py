"""`reconcile`: one unattended run, for cron, systemd and Kubernetes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...app.context import Context
from ...app.events import ConfigWarned, Event, Performed, Planned, Warned
from ...app.reconcile import ReconcileRequest, ReconcileRun, reconcile
from ...applying.results import Result
from ...core.model import ActionKind
from ...core.redaction import REDACTOR
from ...planning.plan import Plan
from ...render.words import summary_line
from ..flags import flag
from ..options import MAX_CHANGES, PLACE, PRUNE, RUN, as_command, duration, switch
from ..output.console import console
from ..output.logs import event
from ..output.messages import show_done
from ..output.report import counts, note_failure
from ..signals import stopping

DEADLINE_HELP = "Time limit for the whole run. When it expires, calls in flight finish and no new ones start."


@as_command(
    "reconcile",
    *PLACE,
    PRUNE,
    switch("--dry-run", "Only refresh and plan. Sends GET requests only, writes no state, takes no lock."),
    MAX_CHANGES,
    duration("--deadline", "10m", DEADLINE_HELP),
    flag("--metrics-file", metavar="FILE", help="Write Prometheus metrics to FILE. Needs the extra `metrics`."),
    switch("--metrics-per-webhook", "Add the delivery counts of each webhook to the metrics."),
    switch("--quiet-warnings", "Print no warnings, so that a run without a failure prints nothing to stderr."),
    *RUN,
)
def command(context: Context, /, quiet_warnings: bool, **request: Any) -> int:
    """Run once, unattended: resolve, refresh, plan, apply. For schedulers.

    Never asks, and prints one summary line to stdout.
    """
    with stopping(context.stop):
        event("run_started", command="reconcile", dry_run=request["dry_run"])
        observe = _without_warnings if quiet_warnings else _observe
        return reconcile(replace(context, observer=observe), ReconcileRequest(**request), _end).exit_code


def _without_warnings(seen: Event) -> None:
    if not isinstance(seen, Warned | ConfigWarned):
        _observe(seen)


def _observe(seen: Event) -> None:
    match seen:
        case Planned(plan):
            _planned(plan)
        case Performed(result):
            _performed(result)
        case _:
            console(seen)


def _planned(plan: Plan) -> None:
    kinds = {str(kind): plan.count(kind) for kind in ActionKind}
    event("planned", **kinds, unchanged=plan.unchanged, drifted=plan.drifted, unresolved=len(plan.unresolved))


def _performed(result: Result) -> None:
    failure = result.failure
    logged = event(
        "action",
        action=str(result.kind),
        name=result.name,
        id=result.id,
        status=str(result.status),
        code=failure.code if failure else None,
        message=failure.message if failure else None,
    )
    if not logged:
        note_failure(result)


def _end(one: ReconcileRun) -> None:
    """Say in one line and one event what became of the pass."""
    event("run_finished", exit_code=int(one.exit_code), duration_s=round(one.duration_s, 3), **one.counts)
    show_done(REDACTOR.clean(_line(one)) + "\n")


def _line(one: ReconcileRun) -> str:
    done = ""
    if one.report is not None:
        done = f"Reconciled: {counts(one.report)}. {one.counts['in_sync']} in sync."
    elif one.plan is not None and one.request.dry_run:
        done = f"Dry run: {summary_line(one.plan)}"
    if one.error is not None:
        done = f"Not reconciled: {one.error.what}"
    elif one.stopped:
        reason = f"the deadline of {one.request.deadline_s:g} s is over" if one.late else "interrupted"
        done = f"Not reconciled: {reason}. {done}".rstrip()
    if one.metrics_lost:
        done = f"{done} The metrics could not be written.".lstrip()
    return done or "Not reconciled."
