"""The use case `test`: has SendKit send its signed test payload to a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.diagnostics import printable
from ..core.errors import ApiError, ErrorCode, NoEndpointError, RefusedError
from ..core.model import WebhookRecord
from .checks import check_api, not_recorded, workspace_of
from .context import Context, Source
from .wiring import client, read_config, read_state

if TYPE_CHECKING:
    from ..api.client import Client


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """Whether the receiver took the test payload, and the status that it answered, if it did."""

    webhook_id: str
    delivered: bool
    status: int | None


def test(context: Context, source: Source, name: str) -> TestDelivery:
    """Have SendKit send its test payload to a recorded webhook; raises `RefusedError` where it cannot."""
    config = read_config(context, source, entries=False)
    path = config.state_path
    state = read_state(path)
    check_api(context, state, path)
    record = state.webhooks.get(name) if state is not None else None
    if record is None:
        raise not_recorded(name, path)
    with client(context, workspace_of(context, config, state)) as api:
        answer = _answer(api, name, record)
    status = answer.get("statusCode")
    return TestDelivery(record.id, answer.get("delivered") is True, status if isinstance(status, int) and status else None)


def _answer(api: Client, name: str, record: WebhookRecord) -> Mapping[str, object]:
    try:
        return api.test(record.id)
    except NoEndpointError as error:
        if error.status == 404 and api.get(record.id) is None:
            raise RefusedError(
                ErrorCode.GONE_IN_SENDKIT,
                f'"{printable(name)}" ({record.id}) is gone in SendKit',
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
