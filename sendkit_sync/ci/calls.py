"""JSON calls to the API of a forge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..api.network_errors import ExchangeError
from ..api.transport import Transport
from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, ErrorCode, UsageError
from ..core.model import Secret
from ..core.redaction import REDACTOR

TIMEOUT_S = 30.0
PAGE = 100
"""How many items are asked for at once; both forges give no more."""

RIGHTS = "Check that the job's token may read pull requests and comment on them."
ADDRESS = "Check the API address of the forge in the job's variables."
THERE = "GitHub and GitLab set it in every job. Run this step there."


class Calls:
    """The API at `base`, called with a token that no message shows; a context that closes its connections."""

    def __init__(self, base: str, headers: Mapping[str, str], token: Secret) -> None:
        REDACTOR.add(token)
        self._base = base.rstrip("/")
        self._headers = headers
        self._transport = Transport(TIMEOUT_S)

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *details: object) -> None:
        self._transport.close()

    def call(self, method: str, path: str, fields: Mapping[str, str] | None = None, *, base: str | None = None) -> Any:
        """Return the answer of `path`, below `base` if that is not the usual one.

        Raises `ApiError` where it is no success, `ApiUnreachableError` where there is none.
        """
        body = None if fields is None else json.dumps(fields).encode("ascii")
        headers = {**self._headers, "Content-Type": "application/json"} if body else self._headers
        url = (self._base if base is None else base) + path
        where = f"{method} {url}"
        try:
            reply = self._transport.exchange(method, url, headers, body)
        except ExchangeError as error:
            raise ApiUnreachableError(
                ErrorCode.FORGE_UNREACHABLE, REDACTOR.clean(error.message), where=where, hint="Run the job again."
            ) from None
        if not 200 <= reply.status < 300:
            raise ApiError(
                ErrorCode.FORGE_ERROR,
                f"answered {reply.status} {printable(reply.reason)}",
                status=reply.status,
                where=where,
                hint=RIGHTS,
            )
        try:
            return json.loads(reply.body)
        except ValueError:
            raise ApiError(
                ErrorCode.FORGE_BAD_ANSWER, "the response is not JSON", status=reply.status, where=where, hint=ADDRESS
            ) from None

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page."""
        number = 1
        while True:
            items = self.call("GET", f"{path}?per_page={PAGE}&page={number}")
            yield from items
            if len(items) < PAGE:
                return
            number += 1


def variable(environment: Mapping[str, str], name: str, hint: str = THERE) -> str:
    """Return a variable of the job; raises `UsageError` where it is not set."""
    value = environment.get(name, "")
    if not value:
        raise UsageError(ErrorCode.VARIABLE_MISSING, f"{name} is not set", hint=hint)
    return value
