"""What `apply` and its kin do before the first call: lock, check, resolve, look at the live side, plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..applying.executor import Executor, RunSettings
from ..applying.results import Report, Result
from ..config import Config
from ..core.errors import ErrorCode, RefusedError
from ..core.model import State
from ..planning.limits import exceeded_limits
from ..planning.plan import LiveSide, Plan
from ..planning.scope import PlanScope
from .checks import check_api, check_lease, refuse_clear_writes, workspace_of
from .context import Context
from .events import Performed
from .git_guard import refuse_for_git
from .plan import live_side, plan_of
from .wiring import client, executor_of, ledger_of, read_key


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked for. `purpose` is what the lock tells others."""

    config: Config
    purpose: str
    scope: PlanScope = field(default_factory=PlanScope)
    settings: RunSettings = field(default_factory=RunSettings)
    refresh: bool = False
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run under the lock, its earlier calls resolved. `recorded_before` is what was recorded before that.

    `live` is None where the run did not read the live side.
    """

    context: Context
    executor: Executor
    plan: Plan
    live: LiveSide | None
    recorded_before: State | None
    desired: int
    """How many webhooks the config asks for."""

    @classmethod
    @contextmanager
    def open(cls, context: Context, request: RunRequest) -> Iterator[Run]:
        """Open a run: raises what the lock, the state, the API and the config may raise, before anything is changed."""
        config = request.config
        check_lease(context, config, request.settings)
        before: State | None = None
        workspace_id: str | None = None

        def check(state: State | None) -> None:
            nonlocal before, workspace_id
            check_api(context, state, config.state_path)
            refuse_clear_writes(config, state)
            refuse_for_git(context, config, state)
            before, workspace_id = state, workspace_of(context, config, state)
            read_key(context)

        with (
            ledger_of(context, config.state_path, request.purpose, request.lock_timeout_s, check) as ledger,
            client(context, workspace_id) as api,
        ):
            for warning in ledger.warnings:
                context.warn(warning)
            recorded = ledger.state
            if recorded.workspace_id != workspace_id and (recorded.empty or recorded.workspace_id is None):
                ledger.set_workspace(workspace_id)
            executor = executor_of(api, ledger, config, context, request.settings)
            executor.settle()
            live = live_side(context, api, ledger.state, request.settings.parallelism) if request.refresh else None
            plan = plan_of(context, config, ledger.state, request.scope, live)
            yield cls(context, executor, plan, live, before, len(config.webhooks))

    def check_limits(self, *, force: bool) -> None:
        """Raise `RefusedError` where the plan takes away more at once than goes without --force."""
        state = self.executor.ledger.state
        found = exceeded_limits(self.plan, desired=self.desired, recorded=len(state.webhooks))
        if found and not force:
            raise RefusedError(ErrorCode.LIMITS_EXCEEDED, "; ".join(found), hint="If that is meant, use --force.")

    def execute(self) -> Report:
        """Carry out the plan and report each action."""
        return self.executor.execute(self.plan, self._performed)

    def _performed(self, result: Result) -> None:
        self.context.observer(Performed(result))


def warn_of(context: Context, report: Report) -> None:
    """Report what a run warns of; to be called once its record is closed."""
    for warning in report.warnings:
        context.warn(warning)
    for twin in report.duplicates:
        context.warn(f"live webhook {twin} doubles one that this run made, and is not recorded; delete it in SendKit")
