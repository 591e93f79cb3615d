"""The use case `test`: has SendKit send a signed test delivery to a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.diagnostics import printable
from ..core.errors import ApiError, ErrorCode, NoEndpointError, RefusedError
from ..core.model import WebhookRecord
from .checks import check_api, not_recorded, workspace_of
from .context import Context, Source
from .wiring import client, pinned, read_config, read_state

if TYPE_CHECKING:
    from ..api.client import Client


@dataclass(frozen=True, slots=True)
class TestDelivery:
    """Whether the receiver accepted the test delivery, and the status that it answered with, if any."""

    webhook_id: str
    delivered: bool
    status: int | None


def test(context: Context, source: Source, name: str) -> TestDelivery:
    """Have SendKit send a test delivery to a recorded webhook. Raises `RefusedError` if it cannot."""
    config = read_config(context, source, entries=False)
    context = pinned(context, config)
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
                hint="Run `sendkit-sync apply --refresh` to create it again.",
            ) from error
        raise RefusedError(
            ErrorCode.NO_TEST_ENDPOINT,
            f"the server cannot send test deliveries: {error.what}",
            hint="Sign a request yourself and send it to the receiver.",
        ) from error
    except ApiError as error:
        if error.status is not None and 300 <= error.status < 500:
            raise
        hint = "It may have been delivered, so it was not sent again. Check the receiver."
        raise ApiError(ErrorCode.TEST_UNANSWERED, error.what, status=error.status, where=error.where, hint=hint) from error
