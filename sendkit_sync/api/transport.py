"""One HTTP exchange: how far the request got, a total deadline, a size limit, and nothing tried again."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from .. import failpoints
from ..version import __version__
from .deadlines import Deadlines

MAX_BODY = 10 * 1024 * 1024
"""The longest answer that is read, in bytes."""

CONNECT_TIMEOUT_S = 10.0
"""How long one attempt to connect may take, where the call's own deadline is not shorter."""


_NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end, still as bytes."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class ExchangeError(Exception):
    """There is no whole answer.

    `sent` tells whether a byte of the request may have left; `status` is the HTTP status if one came, `lasting`
    tells that another try cannot fare better.
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


class _Trace:
    """What one call has come to; its deadline shuts its socket down, whoever waits on it."""

    def __init__(self) -> None:
        self.sent = False
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.closed = False

    def follow(self, sock: socket.socket) -> None:
        """Keep a second handle of `sock`: it stays valid while TLS is wrapped around the first."""
        with self._lock:
            self._drop()
            if not self.closed:
                self._socket = socket.socket(fileno=os.dup(sock.fileno()))
            if self.expired:
                self._shut()

    def expire(self) -> None:
        """End the call: its deadline has passed."""
        with self._lock:
            if not self.closed:
                self.expired = True
                self._shut()

    def close(self) -> None:
        """Let go of the socket; `expire` does nothing from now on."""
        with self._lock:
            self.closed = True
            self._drop()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _Calling(threading.local):
    """The call that a thread makes, where the connection below `requests` finds it."""

    trace: _Trace | None = None


_calling = _Calling()


class _Response(http.client.HTTPResponse):
    """An answer, past what goes before it (RFC 9110, 15.2: a client must take any number of 1xx).

    `http.client` takes a 103 for the answer; the real one then comes later, and passes for that of the next request.
    """

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]  # else `begin` takes the answer for read
            super().begin()


class _Traced(HTTPConnection):
    """Notes on the thread's trace that a byte of the request is about to be sent."""

    response_class = _Response
    _connecting = False

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        if _calling.trace is not None:
            _calling.trace.follow(sock)
        return sock

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        trace = _calling.trace
        if not self._connecting and trace is not None and not trace.sent:
            if self.sock is None:
                self.connect()
            trace.follow(self.sock)
            if trace.expired:
                raise TimeoutError("the deadline passed before the request was sent")
            trace.sent = True
        super().send(data)

    def getresponse(self) -> Any:
        failpoints.reached("request-sent")
        return super().getresponse()


class _TracedTls(_Traced, HTTPSConnection):
    """The same over TLS; the handshake is part of connecting."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Traced


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TracedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """An adapter that only makes traced connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy.lower().startswith("socks"):
            raise requests.exceptions.InvalidProxyURL("a SOCKS proxy is not supported")
        manager = super().proxy_manager_for(proxy, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Session(requests.Session):
    """A session to one server, that does not even look where a redirect leads."""

    _settings: Mapping[str, Any] | None = None

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None

    def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the environment says of proxies and certificates: read once, and not again for each call."""
        if self._settings is None:
            self._settings = super().merge_environment_settings(*args, **kwargs)
        return dict(self._settings)


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing: with an `auth` of its own, the session does not read .netrc."""
    return request


class Transport:
    """Sends requests, with a session for each thread."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._deadlines = Deadlines(timeout_s)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        """Send one request and read its answer; raises `ExchangeError`."""
        status: int | None = None
        with self._traced() as trace:
            try:
                with self._session().request(
                    method,
                    url,
                    data=body,
                    headers=dict(headers),
                    timeout=(min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    status = response.status_code
                    raw = _read(response)
                    if trace.expired:
                        raise TimeoutError("the answer was not complete in time")
                    failpoints.reached("answer-read")
                    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
                        raise ExchangeError("encoded", "the answer is encoded, unasked", sent=True, status=status)
                    return Reply(status, response.reason or "", response.headers, raw)
            except (*_NETWORK, OSError, ValueError) as error:
                raise _failure(error, trace, status, self._timeout_s) from None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()
        self._deadlines.close()
        self._local = threading.local()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = _Session()
            session.headers.clear()
            session.headers.update(
                {"User-Agent": f"sendkit-sync/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
            )
            session.auth = _no_auth
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            adapter = _Adapter(pool_connections=1, pool_maxsize=1, max_retries=urllib3.Retry(0, read=False))
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session

    @contextmanager
    def _traced(self) -> Iterator[_Trace]:
        trace = _Trace()
        _calling.trace = trace
        self._deadlines.watch(trace)
        try:
            yield trace
        finally:
            trace.close()
            _calling.trace = None


def _read(response: requests.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read(65536, decode_content=False):
        size += len(part)
        if size > MAX_BODY:
            raise ExchangeError("too-large", "the answer is larger than 10 MiB", sent=True, status=response.status_code)
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception, trace: _Trace, status: int | None, timeout_s: float) -> ExchangeError:
    root = _root(error)
    text = f"{type(root).__name__}: {root}"
    if isinstance(root, urllib3.exceptions.LocationValueError):
        # The text holds a part of the address, perhaps of its password. The one of the API was read before.
        text = "a proxy's address in the environment is not a URL"
    if trace.sent:
        if trace.expired or isinstance(root, TimeoutError | urllib3.exceptions.TimeoutError):
            return ExchangeError("timeout", f"no whole answer in {timeout_s:g} s", sent=True, status=status)
        return ExchangeError("cut", f"the connection broke before the answer was whole ({text})", sent=True, status=status)
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
    """Return the innermost error; `requests` and `urllib3` hide it in `args` and `reason`."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), error)
    return error
