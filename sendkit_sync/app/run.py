"""What runs do before the first call: lock, check, resolve, refresh, plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..applying.executor import Executor
from ..applying.results import Report, Result
from ..applying.settings import RunSettings
from ..config import Config
from ..core.errors import ErrorCode, RefusedError
from ..core.last_run import LastRun
from ..core.model import State
from ..planning.limits import FORCE, exceeded_limits
from ..planning.plan import LiveSide, Plan
from ..planning.scope import PlanScope
from .checks import check_api, check_encryption, check_lease, workspace_of
from .context import Context
from .events import Performed
from .git_guard import refuse_for_git
from .outcome import document, exit_code
from .plan import live_side, plan_of
from .wiring import bind_recipients, bind_workspace, client, executor_of, ledger_of, read_key, system_clock, user_and_host


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The arguments of a run. The lock shows `purpose` to others."""

    config: Config
    purpose: str
    scope: PlanScope = field(default_factory=PlanScope)
    settings: RunSettings = field(default_factory=RunSettings)
    refresh: bool = False
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run that holds the lock, with earlier calls resolved. `recorded_before` is the state before that.

    `live` is None if the run did not read the live webhooks.
    """

    context: Context
    executor: Executor
    plan: Plan
    live: LiveSide | None
    recorded_before: State | None
    purpose: str
    config: Config

    @classmethod
    @contextmanager
    def open(cls, context: Context, request: RunRequest) -> Iterator[Run]:
        """Open a run. Raises errors of the lock, the state, the API and the config before anything is changed."""
        config = request.config
        check_lease(context, config, request.settings)
        before: State | None = None
        workspace_id: str | None = None

        def check(state: State | None) -> None:
            nonlocal before, workspace_id
            check_api(context, state, config.state_path)
            check_encryption(config, state)
            refuse_for_git(context, config, state)
            before, workspace_id = state, workspace_of(context, config, state)
            read_key(context)

        with (
            ledger_of(context, config.state_path, request.purpose, request.lock_timeout_s, check) as ledger,
            client(context, workspace_id) as api,
        ):
            for warning in ledger.warnings:
                context.warn(warning)
            bind_workspace(ledger, workspace_id)
            executor = executor_of(api, ledger, config, context, request.settings)
            executor.resolve_earlier()
            live = live_side(context, executor.read_live, ledger.state) if request.refresh else None
            plan = plan_of(context, config, ledger.state, request.scope, live, api.get)
            yield cls(context, executor, plan, live, before, request.purpose, config)

    def check_limits(self, *, force: bool) -> None:
        """Raise `RefusedError` if the plan exceeds a limit that needs --force."""
        found = exceeded_limits(self.plan)
        if found and not force:
            raise RefusedError(ErrorCode.LIMITS_EXCEEDED, "; ".join(found), hint=FORCE)

    def execute(self) -> Report:
        """Carry out the plan, report each action, and keep for `status` what was done."""
        report = self.executor.execute(self.plan, self._performed)
        bind_recipients(self.executor.ledger, self.config)
        summary = document(report)["summary"]
        counts = {result: count for result, count in summary.items() if count} if isinstance(summary, dict) else {}
        ended_at = float(int(system_clock().now()))
        self.executor.ledger.note_run(LastRun(ended_at, user_and_host(), self.purpose, int(exit_code(report)), counts))
        return report

    def _performed(self, result: Result) -> None:
        self.context.observer(Performed(result))


def warn_of(context: Context, report: Report) -> None:
    """Report the warnings of a run. Call this after its state is closed."""
    for warning in report.warnings:
        context.warn(warning)
    for duplicate in report.duplicates:
        context.warn(f"live webhook {duplicate} duplicates one that this run created; delete it in SendKit")
