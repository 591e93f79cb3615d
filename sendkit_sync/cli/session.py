"""What `apply` and its kin do before the first call: lock, settle, look at the live side, plan."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ..applying.executor import Executor, RunSettings
from ..applying.refresh import read_live
from ..config import Config
from ..core.clock import SystemClock, SystemRng
from ..core.errors import ErrorCode, NoEndpointError, RefusedError
from ..core.model import State
from ..core.ports import Api
from ..planning.limits import exceeded_limits
from ..planning.plan import LiveSide, Plan
from ..planning.scope import PlanScope
from ..state import open_ledger, read_state
from .git_guard import refuse_for_git
from .output.messages import say
from .wiring import Calls, Context, check_api, cipher_for, client, plan_of, refuse_clear_writes, workspace_of


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is asked for. `purpose` is what the lock tells others."""

    config: Config
    path: str
    purpose: str
    calls: Calls
    options: PlanScope = field(default_factory=PlanScope)
    limits: RunSettings = field(default_factory=RunSettings)
    refresh: bool = False
    lock_timeout_s: float = 0.0


@dataclass(slots=True)
class Session:
    """A run under the lock, its earlier calls settled.

    `state_before` is what was recorded before that; `wanted` counts the webhooks of the config.
    """

    executor: Executor
    plan: Plan
    state_before: State
    wanted: int

    def check_limits(self, *, force: bool) -> None:
        """Raise `RefusedError` where the plan takes away more at once than goes without --force."""
        state = self.executor.ledger.state
        found = exceeded_limits(self.plan, wanted=self.wanted, recorded=len(state.webhooks))
        if found and not force:
            raise RefusedError(ErrorCode.LIMITS_EXCEEDED, "; ".join(found), hint="If that is meant, use --force.")


@contextmanager
def session(context: Context, wanted: RunRequest, stop: threading.Event) -> Iterator[Session]:
    """Open a run: raises what the state, the lock, the API and the config may raise, before anything is changed."""
    state = read_state(wanted.path)
    check_api(state, context, wanted.path)
    refuse_clear_writes(wanted.config, state, wanted.path)
    refuse_for_git(wanted.config, state, wanted.path)
    workspace_id = workspace_of(wanted.config, state)
    clock, rng, cipher = SystemClock(), SystemRng(), cipher_for(wanted.config, context)
    with (
        client(context, workspace_id, wanted.calls, stop=stop, on_wait=say) as api,
        open_ledger(
            wanted.path,
            api=context.api_url,
            clock=clock,
            rng=rng,
            purpose=wanted.purpose,
            lock_timeout_s=wanted.lock_timeout_s,
            stop=stop,
        ) as ledger,
    ):
        before = state if state is not None else replace(ledger.state, webhooks={}, pending={})
        # Once more: another run may have held the lock since the first look.
        workspace_of(wanted.config, ledger.state)
        refuse_clear_writes(wanted.config, ledger.state, wanted.path)
        if ledger.state.workspace_id != workspace_id and (ledger.state.empty or ledger.state.workspace_id is None):
            ledger.set_workspace(workspace_id)
        server_secrets = wanted.config.generate_secret == "server"
        executor = Executor.over(api, ledger, cipher, clock, rng, wanted.limits, stop, server_secrets=server_secrets)
        executor.settle()
        live = live_side(api, ledger.state, wanted.limits.parallelism) if wanted.refresh else None
        plan = plan_of(wanted.config, ledger.state, context, wanted.path, wanted.options, live)
        yield Session(executor, plan, before, len(wanted.config.webhooks))


def live_side(api: Api, state: State | None, parallelism: int) -> LiveSide | None:
    """Read the live side; None, and a line that says so, where the server has no list."""
    try:
        return read_live(api, state, parallelism)
    except NoEndpointError:
        say("warning: the server has no list of webhooks: the plan is made from recorded state alone")
        return None


def look(context: Context, config: Config, state: State | None, calls: Calls, stop: threading.Event) -> LiveSide | None:
    """Read the live side for a dry run: no lock, and GET only."""
    with client(context, workspace_of(config, state), calls, stop=stop, on_wait=say) as api:
        return live_side(api, state, RunSettings().parallelism)
