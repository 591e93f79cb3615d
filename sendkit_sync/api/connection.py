"""The connections below `requests`: they tell how far a call got, end at its deadline, and share one TLS context."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from ..core import failpoints

MOST_CONNECTIONS = 64
"""How many connections are kept: one for each call that the command line lets be made at once."""

MOST_IDLE_S = 1.0
"""How long a connection may have rested: one that the server closes while a create is on its way makes that one unknown.

Servers close theirs after 2 seconds and more; and after a 429 a call may wait for just as long as such a server does.
"""


class Trace:
    """What one call has come to; its deadline shuts its socket down, whoever waits on it."""

    def __init__(self) -> None:
        self.sent = False
        self.expired = False
        self.closed = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

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

    trace: Trace | None = None


_calling = _Calling()


@contextmanager
def traced() -> Iterator[Trace]:
    """Give the trace of the call that this thread makes in the block."""
    trace = Trace()
    _calling.trace = trace
    try:
        yield trace
    finally:
        trace.close()
        _calling.trace = None


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
    _answered_at = 0.0

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
        response = super().getresponse()
        self._answered_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        """Tell, of a connection that was kept, whether one more call may go over it."""
        return time.monotonic() - self._answered_at < MOST_IDLE_S and super().is_connected


class _TracedTls(_Traced, HTTPSConnection):
    """The same over TLS; the handshake is part of connecting."""

    @property
    def is_connected(self) -> bool:
        """Look also at what was decrypted and not read: a second answer there would pass for that of the next call."""
        if not super().is_connected:
            return False
        pending = getattr(self.sock, "pending", None)
        return pending is not None and pending() == 0  # TLS in that of a proxy does not show it


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Traced


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TracedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class Adapter(HTTPAdapter):
    """An adapter that only makes traced connections, and lets none of its libraries try again.

    By itself an adapter follows no redirect, keeps no cookie and reads no .netrc: a `requests.Session` does.
    """

    def __init__(self, certificates: str | None) -> None:
        """`certificates` is the file or the folder of the ones to trust; None where no call goes over TLS."""
        self._context = None if certificates is None else _context(certificates)
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
        """Do nothing: the context of all connections knows already whom to trust. Reading it takes longer than a handshake."""


def _context(certificates: str) -> ssl.SSLContext:
    """Return a context that trusts `certificates`; raises `OSError`."""
    context = create_urllib3_context()
    folder = Path(certificates).is_dir()
    why = None
    try:
        context.load_verify_locations(*([None, certificates] if folder else [certificates]))
    except OSError as error:
        why = error.strerror or error
    if why is not None:
        raise OSError(f"the certificates to trust cannot be read, {certificates}: {why}")
    return context
