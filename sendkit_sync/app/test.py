"""The use case `test`: has SendKit send signed test deliveries to webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..core.diagnostics import printable
from ..core.errors import ApiError, ErrorCode, NoEndpointError, RefusedError, SyncError
from ..core.outcomes import TestDelivery
from ..core.redaction import REDACTOR
from .checks import check_api, not_recorded, nothing_recorded, workspace_of
from .context import Context, Source
from .wiring import client, pinned, read_config, read_state, system_clock

if TYPE_CHECKING:
    from ..api.client import Client

AT_ONCE = 4
"""Number of test deliveries in flight."""


@dataclass(frozen=True, slots=True)
class TestRequest:
    """The webhooks to test: `names`, or all that are recorded if there are none."""

    __test__ = False

    names: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)


def test(context: Context, request: TestRequest) -> tuple[TestDelivery, ...]:
    """Have SendKit send a test delivery to each webhook, and return the results in the order of the names.

    With one name, raises `RefusedError` or `ApiError` if it cannot be tested; with several, the result says so. What concerns
    all of them, such as a refused key, is raised.
    """
    config = read_config(context, request.source, entries=False)
    context = pinned(context, config)
    path = config.state_path
    state = read_state(path)
    check_api(context, state, path)
    if state is None or not state.webhooks:
        raise nothing_recorded(path) if not request.names else not_recorded(request.names[0], path)
    names = tuple(dict.fromkeys(request.names)) or tuple(sorted(state.webhooks))
    for name in names:
        if name not in state.webhooks:
            raise not_recorded(name, path)
    ids = {name: state.webhooks[name].id for name in names}
    with client(context, workspace_of(context, config, state)) as api:
        if len(names) == 1:
            return (_tested(api, names[0], ids[names[0]]),)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return tuple(pool.map(lambda name: _tried(api, name, ids[name]), names))


def verify(context: Context, source: Source, names: Sequence[str]) -> tuple[TestDelivery, ...]:
    """Test webhooks after a run; what stops all tests is the error of each."""
    if not names:
        return ()
    try:
        return test(context, TestRequest(tuple(names), source))
    except SyncError as error:
        return tuple(TestDelivery(name, "", error=REDACTOR.clean(error.what)) for name in names)


def _tried(api: Client, name: str, webhook_id: str) -> TestDelivery:
    try:
        return _tested(api, name, webhook_id)
    except (ApiError, RefusedError) as error:
        if error.code is ErrorCode.NO_TEST_ENDPOINT:
            raise
        return TestDelivery(name, webhook_id, error=REDACTOR.clean(error.what))


def _tested(api: Client, name: str, webhook_id: str) -> TestDelivery:
    began = system_clock().monotonic()
    answer = _answer(api, name, webhook_id)
    took_s, code = system_clock().monotonic() - began, answer.get("statusCode")
    status = code if isinstance(code, int) and code else None
    return TestDelivery(name, webhook_id, answer.get("delivered") is True, status, took_s)


def _answer(api: Client, name: str, webhook_id: str) -> Mapping[str, object]:
    try:
        return api.test(webhook_id)
    except NoEndpointError as error:
        if error.status == 404 and api.get(webhook_id) is None:
            raise RefusedError(
                ErrorCode.GONE_IN_SENDKIT,
                f'"{printable(name)}" ({webhook_id}) is gone in SendKit',
                hint="Run `sendkit-sync apply --refresh` to create it again.",
            ) from error
        raise RefusedError(
            ErrorCode.NO_TEST_ENDPOINT,
            f"the server cannot send test deliveries: {error.what}",
            hint="Sign a request here instead: sendkit-sync trigger NAME --to URL",
        ) from error
    except ApiError as error:
        if error.status is not None and 300 <= error.status < 500:
            raise
        hint = "It may have been delivered, so it was not sent again. Check the receiver."
        raise ApiError(ErrorCode.TEST_UNANSWERED, error.what, status=error.status, where=error.where, hint=hint) from error
