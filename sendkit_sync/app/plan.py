"""The use case `plan`: the dry run. It never writes the state, and sends GET at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import Config
from ..core.errors import InvalidError, NoEndpointError
from ..core.model import State
from ..core.ports import Api
from ..core.redaction import REDACTOR
from ..planning.plan import LiveSide, Plan
from ..planning.planner import make_plan
from ..planning.scope import PlanScope
from .checks import check_api, check_targets, refuse_clear_writes, refuse_shared, workspace_of
from .context import Context, Source
from .git_guard import warn_of_git
from .wiring import client, load, read_state


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan is asked for; with `out` it is saved to that file."""

    source: Source = field(default_factory=Source)
    scope: PlanScope = field(default_factory=PlanScope)
    refresh: bool = False
    out: str | None = None


def plan(context: Context, request: PlanRequest) -> Plan:
    """Return what apply would do; raises `ConfigError`, and what the state, and with `refresh` the API, may raise."""
    config = load(context, request.source)
    state = read_state(config.state_path)
    warn_of_git(context, config, state)
    try:
        refuse_clear_writes(config, state)
    except InvalidError as error:
        context.warn(str(error), error.hint)
    made = plan_of(context, config, state, request.scope)
    check_targets(made)
    if request.refresh:
        made = plan_of(context, config, state, request.scope, look(context, config, state))
    if request.out is not None:
        from .saved_plan import save

        save(request.out, made, refresh=request.refresh, prune=request.scope.prune)
    return made


def plan_of(context: Context, config: Config, state: State | None, scope: PlanScope, live: LiveSide | None = None) -> Plan:
    """Return the plan of `config` against `state`; raises `InvalidError` where they do not fit together."""
    check_api(context, state, config.state_path)
    for recorded in state.webhooks.values() if state else ():
        for stored in recorded.secrets():
            if stored.clear is not None:
                REDACTOR.add(stored.clear)
    refuse_shared(config, state)
    return make_plan(
        config.webhooks,
        state,
        api=context.api_url,
        config_digest=config.digest(),
        workspace_id=workspace_of(context, config, state),
        options=scope,
        live=live,
    )


def look(context: Context, config: Config, state: State | None) -> LiveSide | None:
    """Read the live side for a dry run: no lock, and GET only."""
    from ..applying.executor import RunSettings

    with client(context, workspace_of(context, config, state)) as api:
        return live_side(context, api, state, RunSettings().parallelism)


def live_side(context: Context, api: Api, state: State | None, parallelism: int) -> LiveSide | None:
    """Read the live side; None, and a warning, where the server has no list."""
    from ..applying.refresh import read_live

    try:
        return read_live(api, state, parallelism)
    except NoEndpointError:
        context.warn("the server has no list of webhooks: the plan is made from recorded state alone")
        return None
