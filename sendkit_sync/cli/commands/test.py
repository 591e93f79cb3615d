"""`test`: has SendKit send a signed test delivery to a webhook."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from ...core.diagnostics import printable
from ...core.errors import ApiError, ErrorCode, ExitCode, NoEndpointError, RefusedError
from ...core.model import WebhookRecord
from ...state import read_state
from ..completion import recorded_names
from ..opened import not_recorded
from ..options import config_flag, retry_flag, state_flag, timeout_flag
from ..output.messages import say
from ..wiring import Calls, Context, check_api, client, read_config, workspace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...api.client import Client


@click.command("test")
@click.argument("name", shell_complete=recorded_names)
@config_flag
@state_flag
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context, /, name: str, configs: tuple[str, ...], state_path: str | None, timeout: float, retry_for: float
) -> int:
    """Have SendKit send a signed test delivery to a webhook.

    Fails if the receiver does not accept it.
    """
    config = read_config(configs, state_path, entries=False)
    path = state_path or config.state_path
    state = read_state(path)
    check_api(state, context, path)
    recorded = state.webhooks.get(name) if state is not None else None
    if recorded is None:
        raise not_recorded(name, path)
    with client(context, workspace_of(config, state), Calls(timeout, retry_for), stop=threading.Event(), on_wait=say) as api:
        answer = _answer(api, name, recorded)
    status = answer.get("statusCode")
    shown = f"answered {status}" if isinstance(status, int) and status else "gave no answer"
    delivered = answer.get("delivered") is True
    word = "delivered" if delivered else "not delivered"
    click.echo(f'"{printable(name, 256)}" ({recorded.id}): {word}; the receiver {shown}.')
    return ExitCode.DONE if delivered else ExitCode.FAILED


def _answer(api: Client, name: str, recorded: WebhookRecord) -> Mapping[str, object]:
    try:
        return api.test(recorded.id)
    except NoEndpointError as error:
        if error.status == 404 and api.get(recorded.id) is None:
            raise RefusedError(
                ErrorCode.GONE_IN_SENDKIT,
                f'"{printable(name)}" ({recorded.id}) is gone in SendKit',
                hint="Run apply --refresh to create it anew.",
            ) from error
        raise RefusedError(
            ErrorCode.NO_TEST_ENDPOINT,
            f"the server sends no test payloads: {error.what}",
            hint="Sign a request of your own to the receiver.",
        ) from error
    except ApiError as error:
        if error.status is not None and 300 <= error.status < 500:
            raise
        hint = "It may have been delivered all the same, so it was not sent again: look at the receiver."
        raise ApiError(ErrorCode.TEST_UNANSWERED, error.what, status=error.status, where=error.where, hint=hint) from error
