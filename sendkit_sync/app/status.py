"""The use case `status`: the health of every webhook, from the config, the state and SendKit's list. Sends GET at most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ..config import Config
from ..core.errors import (
    MEANINGS,
    ApiError,
    ApiUnreachableError,
    ErrorCode,
    ExitCode,
    KeyRefusedError,
    NoEndpointError,
    RefusedError,
)
from ..core.model import State
from ..planning.plan import LiveSide
from ..planning.scope import PlanScope
from ..planning.status import LIVE_PROBLEMS, Problem, Status, Unread, WorkspaceStatus, workspace_status
from .checks import workspace_of
from .context import Context, Source
from .plan import plan_of
from .wiring import client, load, pinned, read_state, system_clock


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """What a status is asked for; its exit code is not 0 where a webhook has one of the problems in `fail_on`."""

    source: Source = field(default_factory=Source)
    fail_on: Collection[Problem] = ()


def status(context: Context, request: StatusRequest) -> Status:
    """Return the health of all webhooks; where SendKit cannot be read, that of the recorded side.

    Raises `ConfigError`, and what the state may raise.
    """
    config = load(context, request.source)
    context = pinned(context, config)
    return Status(system_clock().now(), (_workspace(context, config, read_state(config.state_path)),))


def _workspace(context: Context, config: Config, state: State | None) -> WorkspaceStatus:
    plan = plan_of(context, config, state, PlanScope())
    live = _live(context, config, state)
    if isinstance(live, Unread):
        return workspace_status(plan, config.webhooks, state, None, address=config.state_path, unread=live)
    plan = plan_of(context, config, state, PlanScope(), live)
    return workspace_status(plan, config.webhooks, state, live, address=config.state_path)


def _live(context: Context, config: Config, state: State | None) -> LiveSide | Unread:
    from ..applying.live_list import LiveList
    from ..applying.refresh import read_live
    from ..applying.settings import RunSettings

    try:
        workspace_id = workspace_of(context, config, state)
        with client(context, workspace_id) as api:
            live_list = LiveList.dry(api, system_clock(), state, workspace_id, no_list=context.without_list)
            return read_live(live_list, state, RunSettings().parallelism)
    except NoEndpointError as error:
        return Unread(ErrorCode.NO_LIST, "the server cannot list webhooks", error.hint, ExitCode.FAILED)
    except (KeyRefusedError, ApiUnreachableError, ApiError, RefusedError) as error:
        return Unread(error.code, error.what, error.hint, error.exit_code)


def exit_code(found: Status, request: StatusRequest) -> ExitCode:
    """Return the exit code of a status, the first that fits.

    Without a key, or where the server has no list, that is said and no error, unless a problem was asked for that only
    the live list can rule out: a monitor must not take silence for health.
    """
    codes = {ExitCode.DONE}
    for workspace in found.workspaces:
        unread = workspace.unread
        expected = unread is not None and unread.code in (ErrorCode.API_KEY_MISSING, ErrorCode.NO_LIST)
        if unread is not None and (not expected or set(LIVE_PROBLEMS) & set(request.fail_on)):
            codes.add(unread.exit_code)
    if found.found(request.fail_on):
        codes.add(ExitCode.FAILED)
    return next(code for code in MEANINGS if code in codes)
