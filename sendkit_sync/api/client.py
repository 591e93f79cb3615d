"""The API client. A change returns an `Outcome`; a read returns a value or raises. Both include retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlencode

from ..core.api_address import address_hint, checked_address, visible
from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, ErrorCode, KeyRefusedError, NoEndpointError, UsageError
from ..core.fields import Settings
from ..core.model import PLATFORM_KEY_PREFIX, LiveWebhook, Secret
from ..core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from ..core.ports import Clock, Rng
from ..core.redaction import Redactor
from . import wire
from .network_errors import CHECK_NETWORK, ExchangeError
from .retry import Pause
from .sender import Call, Sender, StoppedError
from .server_clock import ServerClock
from .transport import Reply, Transport

PAGE_SIZE = 100
MAX_PAGES = 10_000
MAX_WEBHOOKS = 200_000
MAX_LIST_BYTES = 256 * 1024 * 1024
"""How much of a list is kept: a server that never ends it must not fill the memory."""
MAX_MESSAGE = 300
KEY = "Set SENDKIT_API_KEY to an API key of this workspace, exactly as SendKit shows it."
LATER = "Try again. If it keeps failing, contact SendKit."
BLOCKED = "Ask whoever runs that proxy or firewall to allow calls to the API. NO_PROXY lists hosts to reach without a proxy."
WORKSPACE = "Set SENDKIT_WORKSPACE_ID or `workspace` in the config to the workspace id. With export, use --workspace."

_NO_ENDPOINT = (404, 405, 501)


class Client:
    """SendKit's webhooks over HTTP. Implements `core.ports.Api`. Thread-safe."""

    def __init__(
        self,
        base_url: str,
        key: Secret,
        workspace_id: str | None,
        *,
        timeout_s: float = 30.0,
        retry_for_s: float = 120.0,
        clock: Clock,
        rng: Rng,
        stop: threading.Event,
        strict_ca: bool = True,
        on_wait: Callable[[str], None] = lambda _: None,
        on_call: Callable[[str, str], None] = lambda method, outcome: None,
        redactor: Redactor | None = None,
    ) -> None:
        """`redactor` knows the secrets to redact in messages besides the key and those that are sent."""
        self._base = checked_address(base_url)
        self._redactor = redactor or Redactor()
        self._redactor.add(key)
        self._server_clock = ServerClock(clock)
        self._sender = Sender(
            base=self._base,
            headers=_headers(key, workspace_id),
            transport=Transport(timeout_s, strict_ca=strict_ca),
            clock=clock,
            server_clock=self._server_clock,
            rng=rng,
            stop=stop,
            pause=Pause(clock, stop, on_wait),
            retry_for_s=retry_for_s,
            on_wait=on_wait,
            on_call=on_call,
            clean=self._cleaned,
        )

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        """POST one webhook. Without `secret`, the server generates one."""
        fields: dict[str, object] = {"name": name, **settings.wire()}
        if secret is not None:
            fields["secret"] = secret
        return self._change(Call("POST", "/v1/webhooks"), fields, before_attempt)

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        """PATCH `fields`, keyed by the API's names. A secret among them is a `Secret`."""
        return self._change(Call("PATCH", _path(webhook_id), repeat_if=_leaves_update_open), fields, before_attempt)

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        """DELETE one webhook."""
        return self._change(Call("DELETE", _path(webhook_id)), None, before_attempt)

    def get(self, webhook_id: str) -> LiveWebhook | None:
        """Return one webhook, or None if the API answers 404."""
        reply = self._read(_get(_path(webhook_id)))
        if reply.status == 404:
            return None
        live = wire.live_of(wire.data_of(wire.decode(self._raise_for_status(reply).body)))
        if live is None:
            raise self._protocol_error("the response contains no webhook", reply.status)
        if live.id.lower() != webhook_id.lower():
            raise self._protocol_error("the response contains a different webhook", reply.status)
        return live

    def test(self, webhook_id: str) -> Mapping[str, object]:
        """Have the API send a test delivery to the webhook, and return the result it reports.

        Sent only once: after an incomplete response or a 5xx, the receiver may already have it.
        """
        reply = self._raise_for_status(self._read(Call("POST", _path(webhook_id) + "/test")))
        data = wire.data_of(wire.decode(reply.body))
        if not isinstance(data, dict):
            raise self._protocol_error("the response contains no test result", reply.status)
        return data

    def close(self) -> None:
        """Close all connections."""
        self._sender.transport.close()

    def list(self) -> Sequence[LiveWebhook]:
        """Return all webhooks of the workspace, in the API's order."""
        found: dict[str, LiveWebhook] = {}
        cursors: set[str] = set()
        query: dict[str, object] = {"limit": PAGE_SIZE}
        size = 0
        for _ in range(MAX_PAGES):
            reply = self._raise_for_status(self._read(_get("/v1/webhooks?" + urlencode(query))))
            value = wire.decode(reply.body)
            items = wire.data_of(value)
            if not isinstance(value, dict) or not isinstance(items, list):
                raise self._protocol_error("the response contains no list of webhooks", reply.status)
            known = len(found)
            for item in items:
                live = wire.live_of(item)
                if live is None:
                    raise self._protocol_error("the list contains a webhook without a valid id", reply.status)
                found.setdefault(live.id, live)
            size += len(reply.body)
            if len(found) > MAX_WEBHOOKS or size > MAX_LIST_BYTES:
                raise self._protocol_error("the list is too large: more webhooks or bytes than any workspace has")
            stale = bool(items) and len(found) == known
            following = self._following(value.get("pagination"), query, stale=stale)
            if following is None:
                return tuple(found.values())
            cursor = following.get("cursor")
            if isinstance(cursor, str):
                if cursor in cursors:
                    raise self._protocol_error("the list never ends: the API returned the same cursor twice")
                cursors.add(cursor)
            query = following
        raise self._protocol_error(f"the list does not end after {MAX_PAGES} pages")

    def _following(self, pagination: object, query: Mapping[str, object], *, stale: bool) -> dict[str, object] | None:
        """Return the query for the next page, or None after the last. `stale`: the page held nothing new."""
        if not isinstance(pagination, dict):
            return None
        cursor = pagination.get("nextCursor")
        if isinstance(pagination.get("hasMore"), bool):
            if not pagination["hasMore"]:
                return None
            if not isinstance(cursor, str) or not cursor:
                raise self._protocol_error("the list has more pages, but the API returned no cursor")
            return {"limit": PAGE_SIZE, "cursor": cursor}
        page = query.get("page", 1)
        pages = pagination.get("pages")
        if not stale and isinstance(page, int) and isinstance(pages, int) and page < pages:
            return {"limit": PAGE_SIZE, "page": page + 1}
        return None

    def workspaces(self) -> Sequence[str]:
        """Return the ids of the workspaces that the key reaches; raises as `list` does."""
        reply = self._raise_for_status(self._read(_get("/v1/workspaces")))
        items = wire.data_of(wire.decode(reply.body))
        ids = [item.get("id") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        if not ids or not all(isinstance(found, str) and visible(found) for found in ids):
            raise self._protocol_error("the response contains no list of workspaces", reply.status)
        return tuple(str(found) for found in ids)

    def now(self) -> float:
        """Return SendKit's time: the local clock, corrected by the `Date` of the latest response."""
        return self._server_clock.now()

    def _change(self, call: Call, fields: Mapping[str, object] | None, before_attempt: Callable[[], None]) -> Outcome:
        for value in (fields or {}).values():
            if isinstance(value, Secret):
                self._redactor.add(value)
        if fields is not None:
            call = replace(call, body=wire.encode(fields))
        try:
            reply = self._sender.send(call, before_attempt)
        except StoppedError as error:
            if error.sent:
                return Unknown(FailureCode.INTERRUPTED, "the run was stopped before the call was repeated")
            return Failed(FailureCode.INTERRUPTED, "the run was stopped before the call was sent")
        except ExchangeError as error:
            message = self._cleaned(error.message)
            if error.sent:
                return Unknown(error.code, message, error.status)
            return Failed(error.code, message, stops_run=error.code is FailureCode.CERTIFICATE, unreachable=True)
        message = self._server_message(reply) if reply.status >= 300 else ""
        outcome = _classified(reply, message, wants_live=call.method != "DELETE")
        if reply.repeated and not isinstance(outcome, Succeeded):
            # An earlier attempt may have done what this one did not, so its secret may be the one in force.
            return Unknown(outcome.code, outcome.message)
        return outcome

    def _read(self, call: Call) -> Reply:
        try:
            return self._sender.send(call)
        except StoppedError:
            raise ApiError(
                ErrorCode.RUN_STOPPED,
                "the run was stopped",
                where=self._base,
                hint="Run the command again. It continues where it stopped.",
            ) from None
        except ExchangeError as error:
            message = self._cleaned(error.message)
            if error.sent:
                raise ApiError(ErrorCode.API_ERROR, message, status=error.status, where=self._base, hint=LATER) from None
            hint = error.hint or CHECK_NETWORK
            raise ApiUnreachableError(ErrorCode.API_UNREACHABLE, message, where=self._base, hint=hint) from None

    def _server_message(self, reply: Reply) -> str:
        return self._cleaned(wire.message_of(reply.body, _status_line(reply)))

    def _cleaned(self, text: str) -> str:
        # Shortened first, or redacting would take a minute for the longest answer; and again, for people.
        return printable(self._redactor.clean(text, 4 * MAX_MESSAGE), MAX_MESSAGE)

    def _raise_for_status(self, reply: Reply) -> Reply:
        """Return a 2xx `reply`; raise the error that any other status means for a read."""
        if 200 <= reply.status < 300:
            return reply
        if reply.status in (401, 403) and wire.is_foreign(reply.body):
            raise ApiError(ErrorCode.NOT_THE_API, _foreign_text(reply), status=reply.status, where=self._base, hint=BLOCKED)
        message = self._server_message(reply)
        if reply.status in (401, 403):
            raise KeyRefusedError(ErrorCode.API_KEY_REFUSED, f"the API rejected the key: {message}", where=self._base, hint=KEY)
        what = f"the API answered {reply.status}: {message}"
        if reply.status in _NO_ENDPOINT:
            hint = address_hint(self._base)
            raise NoEndpointError(ErrorCode.NO_ENDPOINT, what, status=reply.status, where=self._base, hint=hint)
        raise ApiError(ErrorCode.API_ERROR, what, status=reply.status, where=self._base, hint=LATER)

    def _protocol_error(self, what: str, status: int | None = None) -> ApiError:
        return ApiError(ErrorCode.PROTOCOL_ERROR, what, status=status, where=self._base, hint=address_hint(self._base))


def _classified(reply: Reply, message: str, *, wants_live: bool) -> Outcome:
    """Return the outcome of a call that got a response (docs/reliability.md, Outcomes)."""
    status = reply.status
    if 200 <= status < 300:
        return _success(reply, wants_live=wants_live)
    if 300 <= status < 400:
        # A 303 may follow a POST that created the webhook. It is never followed: the API key would be sent along.
        text = f"the API answered {status}, a redirect, which is never followed: check the API address"
        return Unknown(FailureCode.REDIRECT, text, status)
    if status in (401, 403) and wire.is_foreign(reply.body):
        return Unknown(FailureCode.NOT_THE_API, _foreign_text(reply), status)
    if 400 <= status < 500 and status not in (408, 409):
        return Failed(_REFUSALS.get(status, FailureCode.REJECTED), message, status, stops_run=status in (401, 403))
    return Unknown(_DOUBTS.get(status, FailureCode.SERVER_ERROR), message, status)


def _success(reply: Reply, *, wants_live: bool) -> Succeeded | Unknown:
    value = wire.decode(reply.body)
    if wants_live:
        live = wire.live_of(wire.data_of(value))
        if live is not None:
            return Succeeded(live)
        return Unknown(FailureCode.RESPONSE_INVALID, "the response contains no webhook", reply.status)
    # DELETE is undocumented (SendKit API), so its response must say that it succeeded: a proxy's page, an empty body
    # or an "accepted" does not prove that the webhook is gone.
    if reply.status == 204 or (isinstance(value, dict) and value.get("success") is True):
        return Succeeded(None)
    return Unknown(FailureCode.RESPONSE_INVALID, "the response does not confirm the deletion", reply.status)


_REFUSALS = {
    401: FailureCode.KEY_REFUSED,
    403: FailureCode.KEY_REFUSED,
    404: FailureCode.NOT_FOUND,
    429: FailureCode.RATE_LIMITED,
}
_DOUBTS = {408: FailureCode.TIMEOUT, 409: FailureCode.CONFLICT}


def _foreign_text(reply: Reply) -> str:
    return f"the response {reply.status} is not from the API but from a proxy or firewall in front of it"


def _leaves_read_open(reply: Reply) -> bool:
    return reply.status >= 500 and reply.status != 501


def _leaves_update_open(reply: Reply) -> bool:
    return reply.status != 501 and isinstance(_classified(reply, "", wants_live=True), Unknown)


def _get(path: str) -> Call:
    return Call("GET", path, repeat_if=_leaves_read_open)


def _status_line(reply: Reply) -> str:
    return f"HTTP {reply.status} {reply.reason}".rstrip()


def _path(webhook_id: str) -> str:
    return "/v1/webhooks/" + quote(webhook_id, safe="")


def _headers(key: Secret, workspace_id: str | None) -> dict[str, str]:
    text = key.reveal()
    if not visible(text):
        raise KeyRefusedError(
            ErrorCode.API_KEY_INVALID,
            "the API key is empty or contains a space, a line break or a non-ASCII character",
            hint=KEY,
        )
    headers = {"X-Api-Key": text}
    if text.startswith(PLATFORM_KEY_PREFIX):
        if not workspace_id:
            raise UsageError(ErrorCode.WORKSPACE_MISSING, "a platform key needs a workspace", hint=WORKSPACE)
        if not visible(workspace_id):
            raise UsageError(
                ErrorCode.WORKSPACE_INVALID,
                "the workspace id contains a space, a line break or a non-ASCII character",
                hint=WORKSPACE,
            )
        headers["X-Workspace-Id"] = workspace_id
    return headers
