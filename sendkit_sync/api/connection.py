"""Connections for `requests` that track how far a call got, end at its deadline, and share one TLS context."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from ..core import failpoints

MOST_CONNECTIONS = 64
"""How many connections are kept open: the highest `--parallelism`."""

MOST_IDLE_S = 1.0
"""How long a connection may be idle before it is not used again, in seconds.

If the server closes a connection while a create is being sent, the outcome is unknown. Servers close idle connections after
two seconds or more, and after a 429 a call may wait for just as long.
"""


class Trace:
    """How far one call got. At its deadline its socket is shut down, whichever thread waits on it."""

    def __init__(self) -> None:
        self.sent = False
        self.expired = False
        self.closed = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def follow(self, sock: socket.socket) -> None:
        """Keep a duplicate handle of `sock`, which stays valid when TLS is wrapped around the original."""
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
        """Release the socket. From now on `expire` does nothing."""
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
    """The current call of each thread, where the connection finds it."""

    trace: Trace | None = None


_calling = _Calling()


@contextmanager
def traced() -> Iterator[Trace]:
    """Yield the trace of the call that this thread makes inside the block."""
    trace = Trace()
    _calling.trace = trace
    try:
        yield trace
    finally:
        trace.close()
        _calling.trace = None


class _Response(http.client.HTTPResponse):
    """Skips any number of 1xx responses (RFC 9110, 15.2).

    `http.client` would take a 103 for the final response, and the real one for the response to the next request.
    """

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]  # otherwise `begin` assumes the response was read
            super().begin()


class _Traced(HTTPConnection):
    """Records in the thread's trace that the first byte of the request is about to be sent."""

    response_class = _Response
    _connecting = False
    _answered_at = 0.0

    def _new_conn(self) -> socket.socket:
        sock = self._connected()
        if _calling.trace is not None:
            _calling.trace.follow(sock)
        return sock

    def _connected(self) -> socket.socket:
        """Return a connected socket; raises what urllib3 does, so that the layers above tell a proxy's failure apart."""
        try:
            return _connect(self._dns_host, self.port, self.timeout, self.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"connecting took more than {self.timeout} s") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

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
        response = super().getresponse()
        self._answered_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        """Whether a kept connection may be used for another call."""
        return time.monotonic() - self._answered_at < MOST_IDLE_S and super().is_connected


class _TracedTls(_Traced, HTTPSConnection):
    """The same over TLS. The handshake counts as connecting."""

    @property
    def is_connected(self) -> bool:
        """Also check for decrypted but unread data: a second response would pass for the one to the next call."""
        if not super().is_connected:
            return False
        pending = getattr(self.sock, "pending", None)
        return pending is not None and pending() == 0  # TLS inside a proxy's TLS does not expose it


def _connect(host: str, port: int, timeout_s: float | None, options: Sequence[Any] | None) -> socket.socket:
    """Connect to the first address of `host` that answers; one that swallows packets gets only its share of the time."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ends = None if timeout_s is None else time.monotonic() + timeout_s
    failure: OSError = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            if ends is not None:
                sock.settimeout(max(0.001, ends - time.monotonic()) / (len(found) - number))
            sock.connect(address)
            sock.settimeout(timeout_s)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Traced


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TracedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class Adapter(HTTPAdapter):
    """Makes traced connections only, with all retries of the libraries turned off.

    Used without a `requests.Session`, which would follow redirects, keep cookies and read .netrc.
    """

    def __init__(self, certificates: str | None, *, strict_ca: bool = True) -> None:
        """`certificates`: file or folder of trusted certificates; None if no call uses TLS."""
        self._context = None if certificates is None else _context(certificates, strict_ca=strict_ca)
        super().__init__(pool_connections=1, pool_maxsize=MOST_CONNECTIONS, max_retries=urllib3.Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy.lower().startswith("socks"):
            raise requests.exceptions.InvalidProxyURL("a SOCKS proxy is not supported")
        contexts = {"ssl_context": self._context, "proxy_ssl_context": self._context}
        manager = super().proxy_manager_for(proxy, **contexts, **kwargs)  # type: ignore[no-untyped-call,unused-ignore]
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, *args: Any) -> None:
        """Do nothing: the shared context has the certificates loaded, and loading them takes longer than a handshake."""


def _context(certificates: str, *, strict_ca: bool) -> ssl.SSLContext:
    """Return a TLS context that trusts `certificates`. Raises `OSError` if they cannot be read."""
    context = create_urllib3_context()
    if not strict_ca:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    folder = Path(certificates).is_dir()
    reason = None
    try:
        context.load_verify_locations(*([None, certificates] if folder else [certificates]))
    except OSError as error:
        reason = error.strerror or error
    if reason is not None:
        raise OSError(f"cannot read the trusted certificates in {certificates}: {reason}")
    return context
