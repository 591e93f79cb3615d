"""One HTTP exchange with a total deadline and a size limit, without retries. Reports how far the request got."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed, select_proxy

from ..core import failpoints
from ..version import __version__
from .connection import Adapter, Trace, traced
from .deadlines import Deadlines

MAX_BODY = 10 * 1024 * 1024
"""Size limit of a response, in bytes."""

CONNECT_TIMEOUT_S = 10.0
"""Time limit for connecting, unless the deadline of the call is shorter."""


_HEADERS = {"User-Agent": f"sendkit-sync/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
_NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response, its body still as bytes."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class ExchangeError(Exception):
    """No complete response was received.

    `sent`: a byte of the request may have been sent. `status`: the HTTP status, if one was received. `lasting`: a retry
    cannot succeed. `certificate`: the server's certificate is not trusted.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        sent: bool,
        status: int | None = None,
        lasting: bool = False,
        certificate: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sent = sent
        self.status = status
        self.lasting = lasting
        self.certificate = certificate


@dataclass(frozen=True, slots=True)
class _Route:
    """Proxies and certificates from the environment, read once for all calls."""

    adapter: Adapter
    proxies: dict[str, str]

    @classmethod
    def to(cls, url: str) -> _Route:
        """Return the route to the server of `url`. Raises `OSError` if its certificates or its proxy are unusable."""
        found = requests.Session().merge_environment_settings(url, {}, True, None, None)
        if not _has_host(select_proxy(url, found["proxies"])):
            raise requests.exceptions.InvalidProxyURL("the proxy address in the environment has no host")
        tls = url.startswith("https:") or found["proxies"]
        bundle = found["verify"] if isinstance(found["verify"], str) else DEFAULT_CA_BUNDLE_PATH
        return cls(Adapter(bundle if tls else None), dict(found["proxies"]))


def _has_host(proxy: str | None) -> bool:
    """Return whether `proxy` has a host. `requests` raises `TypeError` for one like `http://user:password@`."""
    try:
        return proxy is None or bool(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call,unused-ignore]
    except TypeError:
        return False


class Transport:
    """Sends requests to one server. Thread-safe; threads share the connections."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._lock = threading.Lock()
        self._route: _Route | None = None
        self._deadlines = Deadlines(timeout_s)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request and return its complete response. Raises `ExchangeError`."""
        status: int | None = None
        with traced() as trace:
            self._deadlines.watch(trace)
            try:
                request = _prepared(method, url, headers, body)
                route = self._route_to(url)
                with route.adapter.send(request, stream=True, timeout=self._timeouts, proxies=route.proxies) as response:
                    status = response.status_code
                    raw = _read(response)
                    if trace.expired:
                        raise TimeoutError("the response was not complete in time")
                    failpoints.reached("answer-read")
                    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                        raise ExchangeError(
                            "encoded", "the response has a content encoding that was not requested", sent=True, status=status
                        )
                    return Reply(status, response.reason or "", response.headers, raw)
            except (*_NETWORK, OSError, ValueError) as error:
                raise _failure(error, trace, status, self._timeout_s) from None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._route is not None:
                self._route.adapter.close()
                self._route = None
        self._deadlines.close()

    def _route_to(self, url: str) -> _Route:
        with self._lock:
            if self._route is None:
                self._route = _Route.to(url)
            return self._route


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
            raise ExchangeError("too-large", "the response is larger than 10 MiB", sent=True, status=response.status_code)
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception, trace: Trace, status: int | None, timeout_s: float) -> ExchangeError:
    root = _root(error)
    text = f"{type(root).__name__}: {root}"
    if isinstance(root, urllib3.exceptions.LocationValueError):
        # The original text may contain a part of a password. It must be the proxy: the API address was checked before.
        text = "the proxy address in the environment is not a URL"
    if trace.sent:
        if trace.expired or isinstance(root, TimeoutError | urllib3.exceptions.TimeoutError):
            return ExchangeError("timeout", f"no complete response within {timeout_s:g} s", sent=True, status=status)
        return ExchangeError("cut", f"the connection broke before the response was complete ({text})", sent=True, status=status)
    if isinstance(root, ssl.SSLCertVerificationError):
        return ExchangeError(
            "certificate",
            f"the server's certificate is not trusted ({root.verify_message})",
            sent=False,
            lasting=True,
            certificate=True,
        )
    lasting = isinstance(error, ValueError) or not isinstance(error, (*_NETWORK, TimeoutError, ConnectionError))
    return ExchangeError("unreachable", f"the server cannot be reached ({text})", sent=False, lasting=lasting)


def _root(error: BaseException) -> BaseException:
    """Return the innermost error, which `requests` and `urllib3` keep in `args` and `reason`."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), error)
    return error
