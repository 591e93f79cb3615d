"""The API client. A change returns an `Outcome`; a read returns a value or raises. Both include retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlencode

from ..core.errors import ApiError, ApiUnreachableError, ErrorCode, KeyRefusedError, NoEndpointError, UsageError
from ..core.fields import Settings
from ..core.model import PLATFORM_KEY_PREFIX, LiveWebhook, Secret
from ..core.outcomes import Failed, Outcome, Succeeded, Unknown
from ..core.ports import Clock, Rng
from . import wire
from .address import checked_address, visible
from .retry import Pause, backoff
from .sender import Sender, StoppedError
from .transport import ExchangeError, Reply, Transport

PAGE_SIZE = 100
MAX_PAGES = 10_000
READ_TRIES = 3
"""How many times a read is sent if its response is incomplete or a 5xx."""

ADDRESS = "Check that --api-url points to the SendKit API."
KEY = "Set SENDKIT_API_KEY to an API key of this workspace, exactly as SendKit shows it."
LATER = "Try again. If it keeps failing, contact SendKit."
UNREACHABLE = "Check the network, the proxy and --api-url, then try again."
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
        on_wait: Callable[[str], None] = lambda _: None,
        on_call: Callable[[str, str], None] = lambda method, outcome: None,
        clean: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`clean` redacts the secrets in a message that the call itself does not know."""
        self._base = checked_address(base_url)
        self._key = key
        self._clean = clean
        self._sender = Sender(
            base=self._base,
            headers=_headers(key, workspace_id),
            transport=Transport(timeout_s),
            clock=clock,
            rng=rng,
            stop=stop,
            pause=Pause(clock, stop, on_wait),
            retry_for_s=retry_for_s,
            on_wait=on_wait,
            on_call=on_call,
            clean=self._without_key,
        )

    def create(self, name: str, settings: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        """POST one webhook. Without `secret`, the server generates one."""
        fields: dict[str, object] = {"name": name, **settings.wire()}
        if secret is not None:
            fields["secret"] = secret
        return self._change("POST", "/v1/webhooks", fields, before_attempt)

    def update(self, webhook_id: str, fields: Mapping[str, object], before_attempt: Callable[[], None]) -> Outcome:
        """PATCH `fields`, keyed by the API's names. A secret among them is a `Secret`."""
        return self._change("PATCH", _path(webhook_id), fields, before_attempt)

    def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
        """DELETE one webhook."""
        return self._change("DELETE", _path(webhook_id), None, before_attempt)

    def get(self, webhook_id: str) -> LiveWebhook | None:
        """Return one webhook, or None if the API answers 404."""
        reply = self._read("GET", _path(webhook_id))
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
        reply = self._raise_for_status(self._read("POST", _path(webhook_id) + "/test", tries_at_most=1))
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
        for _ in range(MAX_PAGES):
            reply = self._raise_for_status(self._read("GET", "/v1/webhooks?" + urlencode(query)))
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

    def _change(
        self, method: str, path: str, fields: Mapping[str, object] | None, before_attempt: Callable[[], None]
    ) -> Outcome:
        hidden = [self._key, *(value for value in (fields or {}).values() if isinstance(value, Secret))]
        body = None if fields is None else wire.encode(fields)
        try:
            reply = self._sender.send(method, path, body, before_attempt)
        except StoppedError:
            return Failed("interrupted", "the run was stopped before the call was sent")
        except ExchangeError as error:
            message = self._cleaned(error.message, hidden)
            if error.sent:
                return Unknown(error.code, message, error.status)
            return Failed(error.code, message, stops_run=error.certificate, unreachable=True)
        message = self._server_message(reply, hidden) if reply.status >= 300 else ""
        return _classified(reply, message, wants_live=method != "DELETE")

    def _read(self, method: str, path: str, tries_at_most: int = READ_TRIES) -> Reply:
        try:
            return self._with_retries(method, path, tries_at_most)
        except StoppedError:
            raise ApiError(
                ErrorCode.RUN_STOPPED,
                "the run was stopped",
                where=self._base,
                hint="Run the command again. It continues where it stopped.",
            ) from None

    def _with_retries(self, method: str, path: str, tries_at_most: int) -> Reply:
        tries = 0
        while True:
            tries += 1
            try:
                reply = self._sender.send(method, path, None, lambda: None)
                if reply.status < 500 or reply.status == 501 or tries >= tries_at_most:
                    return reply
                reason = f"the API answered {reply.status}"
            except ExchangeError as error:
                message = self._without_key(error.message)
                if not error.sent:
                    raise ApiUnreachableError(ErrorCode.API_UNREACHABLE, message, where=self._base, hint=UNREACHABLE) from None
                if tries >= tries_at_most:
                    raise ApiError(ErrorCode.API_ERROR, message, status=error.status, where=self._base, hint=LATER) from None
                reason = message
            self._sender.sleep(backoff(self._sender.rng, tries), reason)

    def _server_message(self, reply: Reply, secrets: Sequence[Secret]) -> str:
        return self._cleaned(wire.message_of(reply.body, _status_line(reply)), secrets)

    def _without_key(self, text: str) -> str:
        return self._cleaned(text, [self._key])

    def _cleaned(self, text: str, secrets: Sequence[Secret]) -> str:
        # Before truncating: part of a secret would no longer be recognized.
        return wire.clean_message(self._clean(text), secrets)

    def _raise_for_status(self, reply: Reply) -> Reply:
        """Return a 2xx `reply`; raise the error that any other status means for a read."""
        if 200 <= reply.status < 300:
            return reply
        message = self._server_message(reply, [self._key])
        if reply.status in (401, 403):
            raise KeyRefusedError(ErrorCode.API_KEY_REFUSED, f"the API rejected the key: {message}", where=self._base, hint=KEY)
        what = f"the API answered {reply.status}: {message}"
        if reply.status in _NO_ENDPOINT:
            raise NoEndpointError(ErrorCode.NO_ENDPOINT, what, status=reply.status, where=self._base, hint=ADDRESS)
        raise ApiError(ErrorCode.API_ERROR, what, status=reply.status, where=self._base, hint=LATER)

    def _protocol_error(self, what: str, status: int | None = None) -> ApiError:
        return ApiError(ErrorCode.PROTOCOL_ERROR, what, status=status, where=self._base, hint=ADDRESS)


def _classified(reply: Reply, message: str, *, wants_live: bool) -> Outcome:
    status = reply.status
    code = f"http-{status}"
    if 200 <= status < 300:
        value = wire.decode(reply.body)
        if not wants_live:
            # DELETE is undocumented (SendKit API), so its response must say that it succeeded: a proxy's page, an empty body
            # or an "accepted" does not prove that the webhook is gone.
            told = status == 204 or (isinstance(value, dict) and value.get("success") is True)
            return Succeeded(None) if told else Unknown("bad-answer", "the response does not confirm the deletion", status)
        live = wire.live_of(wire.data_of(value))
        return Unknown("bad-answer", "the response contains no webhook", status) if live is None else Succeeded(live)
    if 300 <= status < 400:
        # A 303 may follow a POST that created the webhook. It is never followed: the API key would be sent along.
        return Unknown(
            "redirect", f"the API answered {status}, a redirect, which is never followed: check the API address", status
        )
    if 400 <= status < 500 and status not in (408, 409):
        return Failed(code, message, status, stops_run=status in (401, 403))
    return Unknown(code, message, status)


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
