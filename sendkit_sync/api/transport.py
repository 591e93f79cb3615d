"""One HTTP exchange with a total deadline and a size limit, without retries. Reports how far the request got."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import requests

from ..core import failpoints
from ..version import __version__
from .connection import Adapter, traced
from .deadlines import Deadlines
from .network_errors import INVALID, NETWORK, ExchangeError, exchange_error
from .route import Route

MAX_BODY = 10 * 1024 * 1024
"""Size limit of a response, in bytes."""

CONNECT_TIMEOUT_S = 10.0
"""Time limit for connecting, unless the deadline of the call is shorter."""


_HEADERS = {"User-Agent": f"sendkit-sync/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response, its body still as bytes."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    repeated: bool = False
    """Whether an earlier attempt of the same call may have been carried out."""


class Transport:
    """Sends requests to one server. Thread-safe; threads share the connections."""

    def __init__(self, timeout_s: float, *, strict_ca: bool = True) -> None:
        """Without `strict_ca`, CA certificates that only Python 3.13's strict checks reject are accepted."""
        self._timeout_s = timeout_s
        self._strict_ca = strict_ca
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._lock = threading.Lock()
        self._route: Route | None = None
        self._adapter: Adapter | None = None
        self._deadlines = Deadlines(timeout_s)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request and return its complete response. Raises `ExchangeError`."""
        status: int | None = None
        with traced() as trace:
            self._deadlines.watch(trace)
            try:
                request = _prepared(method, url, headers, body)
                adapter, proxies = self._connections(url)
                with adapter.send(request, stream=True, timeout=self._timeouts, proxies=proxies) as response:
                    status = response.status_code
                    raw = _read(response)
                    if trace.expired:
                        raise TimeoutError("the response was not complete in time")
                    failpoints.reached("answer-read")
                    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                        text = "the response has a content encoding that was not requested"
                        raise ExchangeError(INVALID, text, sent=True, status=status)
                    return Reply(status, response.reason or "", response.headers, raw)
            except (*NETWORK, OSError, ValueError) as error:
                raise exchange_error(error, trace, status, self._timeout_s, self._route) from None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._adapter is not None:
                self._adapter.close()
                self._adapter = None
        self._deadlines.close()

    def _connections(self, url: str) -> tuple[Adapter, dict[str, str]]:
        """Return the connections to the server of `url`, and its proxies. Raises `OSError` if they are unusable.

        The environment is read once for all calls.
        """
        with self._lock:
            if self._route is None:
                self._route = Route.to(url)
            route = self._route
            if self._adapter is None:
                tls = url.startswith("https:") or route.proxies
                self._adapter = Adapter(route.ca_path if tls else None, strict_ca=self._strict_ca)
            return self._adapter, dict(route.proxies)


def _prepared(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> requests.PreparedRequest:
    """Return the request with nothing added. `Request.prepare` would take credentials from `url`."""
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, _encoded(url), body
    request.prepare_headers({**_HEADERS, **headers})
    request.prepare_content_length(body)
    return request


@lru_cache(maxsize=1)
def _encoded(url: str) -> str:
    """Return `url` as it is sent. Cached, because most calls of a run go to one address."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    assert request.url is not None
    return request.url


def _read(response: requests.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read(65536, decode_content=False):
        size += len(part)
        if size > MAX_BODY:
            raise ExchangeError(INVALID, "the response is larger than 10 MiB", sent=True, status=response.status_code)
        parts.append(part)
    return b"".join(parts)
