"""Reads requests off a connection and writes the answers, as they should be or as a fault orders."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from ..version import __version__
from .faults import Fault, gzip_bomb
from .request import Request
from .store import Json, error_body, success_body

if TYPE_CHECKING:
    from .server import Listener

MAX_BODY = 1024 * 1024
RATE_LIMIT = 1000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"sendkit-sync-simulator/{__version__}"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is the simulator's."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the `Date` header."""
        return super().date_time_string(
            time.time() + self.server.simulator.store.clock_offset_s if timestamp is None else timestamp
        )

    def _handle(self) -> None:
        simulator = self.server.simulator
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
            self.close_connection = True
            self._send(413, _encoded(error_body(413, "Body is too long or has no length")))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        request = Request(self.command, self.path, self.headers, body)
        if not simulator.pause(simulator.latency_s):
            self.close_connection = True
            return
        hits = simulator.faults.hits(request.method, request.path)
        for fault in hits:
            if fault.kind == "delay" and fault.when == "before":
                simulator.pause(fault.delay_s)
        fault_hit = next((fault for fault in hits if fault.kind != "delay"), None)
        if fault_hit is not None and fault_hit.when == "before":
            status, answer = 200, success_body({})
        else:
            status, answer = simulator.act(request)
        made = answer if status == 201 else None
        sent_status = status if fault_hit is None else _sent_status(fault_hit, status)
        shown = fault_hit or next(iter(hits), None)
        simulator.record(request.entry(sent_status, shown, made))
        for fault in hits:
            if fault.kind == "delay" and fault.when == "after":
                simulator.pause(fault.delay_s)
        if fault_hit is None:
            self._send(status, _encoded(answer))
        else:
            self._fail(fault_hit, status, answer)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = do_OPTIONS = _handle

    def _fail(self, fault: Fault, status: int, answer: Json) -> None:
        """Answer the way that a fault orders."""
        pause, body = self.server.simulator.pause, _encoded(answer)
        if fault.kind != "drip":
            pause(fault.delay_s)
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        sent_status = _sent_status(fault, status)
        if fault.kind == "drop" or sent_status is None:
            self.close_connection = True
        elif fault.kind == "status":
            self._send(sent_status, _encoded(error_body(sent_status, "Ordered fault")), headers)
        elif fault.kind == "redirect":
            headers["Location"] = fault.location or f"{self.server.simulator.url}/elsewhere"
            self._send(sent_status, b"", headers)
        elif fault.kind in ("garbage", "page"):
            self._send(sent_status, b"<html>this is not JSON</html>", headers, "text/html")
        elif fault.kind == "gzip-bomb":
            self._send(sent_status, gzip_bomb(), {**headers, "Content-Encoding": "gzip"})
        elif fault.kind == "no-id":
            self._send(sent_status, _encoded(_without_id(answer)), headers)
        elif fault.kind == "empty":
            self._send(sent_status, _encoded(success_body([])), headers)
        elif fault.kind == "cut":
            self.close_connection = True
            self._head(sent_status, len(body), headers)
            self.wfile.write(body[: len(body) // 2])
        else:
            self._head(sent_status, len(body), headers)
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                pause(fault.delay_s)

    def _head(self, status: int, length: int, headers: Mapping[str, str], kind: str = "application/json") -> None:
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
        self.send_header("X-RateLimit-Limit", str(RATE_LIMIT))
        self.send_header("X-RateLimit-Remaining", str(self.server.simulator.remaining()))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, kind: str = "application/json") -> None:
        self._head(status, len(body), headers or {}, kind)
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()


def _sent_status(fault: Fault, status: int) -> int | None:
    """Return the status that a client sees under a fault; None for no answer."""
    if fault.kind == "drop":
        return None
    if fault.kind in ("status", "page"):
        return fault.status
    if fault.kind == "redirect":
        return fault.status if 300 <= fault.status < 400 else 307
    return 200 if fault.kind in ("garbage", "gzip-bomb", "no-id", "empty") else status


def _without_id(answer: Json) -> Json:
    data = answer.get("data")
    return success_body({key: value for key, value in data.items() if key != "_id"} if isinstance(data, dict) else {})


def _encoded(answer: Json) -> bytes:
    return json.dumps(answer).encode()
