"""The use case `apply`: plans, asks for approval, and carries out the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..applying.results import Report, Status
from ..applying.settings import RunSettings
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import ActionKind
from ..planning.plan import Plan
from ..planning.scope import PlanScope
from .checks import check_targets, refuse_unset_secrets
from .context import Context, Source
from .events import Planned
from .run import Run, RunRequest, warn_of
from .test import verify
from .wiring import load, pinned

if TYPE_CHECKING:
    from .saved_plan import SavedPlan

CHANGED = (ActionKind.CREATE, ActionKind.UPDATE)
"""What changes where SendKit delivers to, or how it signs."""

Approve = Callable[[Plan], bool]
"""Decides whether a plan with changes is carried out. May raise."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """The arguments of an apply. `plan_file` is a saved plan, which has its own scope and `refresh`.

    `verify` tests the receivers of all webhooks that were created or changed.
    """

    source: Source = field(default_factory=Source)
    plan_file: str | None = None
    scope: PlanScope = field(default_factory=PlanScope)
    refresh: bool = False
    force: bool = False
    verify: bool = False
    settings: RunSettings = field(default_factory=RunSettings)
    lock_timeout_s: float = 0.0


def apply(context: Context, request: ApplyRequest, approve: Approve = lambda _: True) -> Report:
    """Make SendKit match the config, and return the result of each action.

    Reports the plan before it asks `approve`. Without approval nothing is changed and `RefusedError` is raised.
    """
    saved = _saved(request)
    config = load(context, request.source)
    context = pinned(context, config)
    refuse_unset_secrets(config)
    run_request = RunRequest(
        config,
        "apply",
        scope=saved.options if saved else request.scope,
        settings=request.settings,
        refresh=saved.refresh if saved else request.refresh,
        lock_timeout_s=request.lock_timeout_s,
    )
    with Run.open(context, run_request) as run:
        if saved is not None:
            saved.check_base(run.recorded_before)
            saved.check(run.plan)
        else:
            check_targets(run.plan)
        context.observer(Planned(run.plan))
        run.check_limits(force=request.force)
        if doable(run.plan, request.settings) and not approve(run.plan):
            raise RefusedError(ErrorCode.DECLINED, "not applied", hint="Nothing was changed.")
        report = run.execute()
    warn_of(context, report)
    if request.verify and not report.interrupted:
        sent = [one.name for one in report.results if one.status is Status.DONE and one.kind in CHANGED]
        return replace(report, deliveries=verify(context, request.source, sent))
    return report


def doable(plan: Plan, settings: RunSettings) -> bool:
    """Return whether the plan has an action that is not blocked."""
    return bool(plan.actions) and (settings.allow_duplicate or len(plan.actions) > len(plan.blocked))


def _saved(request: ApplyRequest) -> SavedPlan | None:
    if request.plan_file is None:
        return None
    if request.refresh or request.scope != PlanScope():
        raise UsageError(
            ErrorCode.PLAN_OPTIONS_CONFLICT,
            "--refresh, --prune and --target are part of a saved plan",
            hint="Leave them out when you pass --plan.",
        )
    from .saved_plan import load as load_plan

    return load_plan(request.plan_file)
