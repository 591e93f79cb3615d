"""The use case `plan`: the dry run. Never writes the state, and sends nothing but GET."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..config import Config
from ..core.errors import InvalidError, NoEndpointError
from ..core.model import State
from ..core.redaction import REDACTOR
from ..core.store_address import is_url, parse_address
from ..planning.plan import LiveSide, Plan
from ..planning.planner import make_plan
from ..planning.scope import PlanScope
from .adoption import Find, read_adoptable, to_adopt
from .checks import check_api, check_encryption, check_targets, refuse_shared, workspace_of
from .context import Context, Source
from .git_guard import warn_of_git
from .wiring import client, load, pinned, read_state, redact_url, system_clock


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """The arguments of a plan. With `out`, the plan is saved to that file."""

    source: Source = field(default_factory=Source)
    scope: PlanScope = field(default_factory=PlanScope)
    refresh: bool = False
    out: str | None = None


def plan(context: Context, request: PlanRequest) -> Plan:
    """Return what apply would do. Raises `ConfigError`, errors of the state and, with `refresh`, errors of the API."""
    config = load(context, request.source)
    context = pinned(context, config)
    state = read_state(config.state_path)
    if is_url(config.state_path):
        context.note(f"read the state from {parse_address(config.state_path).shown}")
    warn_of_git(context, config, state)
    try:
        check_encryption(config, state)
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


def plan_of(
    context: Context,
    config: Config,
    state: State | None,
    scope: PlanScope,
    live: LiveSide | None = None,
    find: Find | None = None,
) -> Plan:
    """Return the plan of `config` against `state`. Raises `InvalidError` if they do not match.

    `find` reads a live webhook that an `id` names; without it and without `live`, it is not known what adopting changes.
    """
    check_api(context, state, config.state_path)
    unread = to_adopt(config, state, scope)
    if live is not None:
        find = live.by_id.get
    adoptable = read_adoptable(unread, state, find) if find is not None else {}
    for recorded in state.webhooks.values() if state else ():
        if recorded.lifecycle.sensitive_url:
            redact_url(recorded.applied.url)
            redact_url(recorded.confirmed.url)
        for stored in recorded.secrets():
            if stored.clear is not None:
                REDACTOR.add(stored.clear)
    refuse_shared(config, state)
    return make_plan(
        config.webhooks,
        state,
        api=context.address,
        config_digest=config.digest(),
        workspace_id=workspace_of(context, config, state),
        options=scope,
        live=live,
        recipients=config.recipients,
        adoptable=adoptable,
    )


def look(context: Context, config: Config, state: State | None) -> LiveSide | None:
    """Read the live webhooks for a dry run, without a lock and with GET only."""
    from ..applying.live_list import LiveList
    from ..applying.refresh import read_live
    from ..applying.settings import RunSettings

    workspace_id = workspace_of(context, config, state)
    with client(context, workspace_id) as api:
        live_list = LiveList.dry(api, system_clock(), state, workspace_id, no_list=context.without_list)
        return live_side(context, lambda: read_live(live_list, state, RunSettings().parallelism), state)


def live_side(context: Context, read: Callable[[], LiveSide], state: State | None) -> LiveSide | None:
    """Return what `read` returns, or None, with a warning, if the server has no list."""
    try:
        live = read()
    except NoEndpointError:
        context.warn("the server cannot list webhooks; the plan uses the recorded state only")
        return None
    if state is not None and state.webhooks and state.recorded_ids() <= live.gone:
        count = len(state.webhooks)
        context.warn(
            f"none of the {count} recorded webhooks exists for this API key",
            "If they still exist in SendKit, the key belongs to another workspace: use the key of theirs.",
        )
    return live
