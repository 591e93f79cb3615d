"""The simulator over HTTP, on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import json
import re
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from ..version import __version__
from .faults import Fault, FaultBook, gzip_bomb
from .store import FIELDS, ApiError, Json, Store, error_body, workspace_of

BASE = "/v1/webhooks"
TEST_TIMEOUT_S = 5.0
MAX_BODY = 1024 * 1024
RATE_LIMIT = 1000
_KEY = re.compile(r"sk_[A-Za-z0-9_\-]+")


class Simulator:
    """A SendKit API in this process; as a context manager it serves in a thread of its own."""

    def __init__(
        self,
        *,
        port: int = 0,
        keys: Mapping[str, Sequence[str]] | None = None,
        faults: Sequence[Fault] = (),
        mask_secrets: bool = False,
        list_enabled: bool = True,
        latency_s: float = 0.0,
        page_form: str = "cursor",
        log_path: Path | None = None,
    ) -> None:
        self.requests: list[Json] = []
        self.keys = keys
        self.list_enabled = list_enabled
        self.latency_s = latency_s
        self.store = Store(mask_secrets=mask_secrets, page_form=page_form)
        self.faults = FaultBook(faults)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = False
        self._server = _Server(self, port)
        self._log = None
        if log_path is not None:
            try:
                self._log = log_path.open("a", encoding="utf-8")
            except OSError:
                self._server.server_close()
                raise
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._serving = True
        threading.Thread(target=self._serve, name="simulator", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def webhooks(self) -> list[Json]:
        """Return all live webhooks, whole, oldest first."""
        return self.store.all()

    def add_fault(self, fault: Fault) -> None:
        """Order one more fault; it counts requests from now."""
        self.faults.add(fault)

    def delete(self, id: str) -> None:
        """Remove a webhook behind the API's back, as someone in the dashboard would."""
        self.store.drop(id)

    def change(self, id: str, **fields: Any) -> None:
        """Set fields, under the API's names, behind the API's back."""
        self.store.change(id, fields)

    def serve_forever(self) -> None:
        """Serve in this thread until `close` is called in another one, or until an interrupt."""
        if self._serving:
            self._closing.wait()
            return
        self._serving = True
        self._serve()

    def close(self) -> None:
        """Stop serving, and end all connections; a second call does nothing."""
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
        if self._serving:
            self._server.shutdown()
        self._server.server_close()
        self._server.end_connections()
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def pause(self, seconds: float) -> bool:
        """Wait, but no longer than until `close`; tell whether it still serves."""
        return not self._closing.wait(seconds)

    def record(self, entry: Json) -> None:
        """Add to the log."""
        with self._lock:
            self.requests.append(entry)
            if self._log is not None:
                self._log.write(json.dumps(entry) + "\n")
                self._log.flush()

    def remaining(self) -> int:
        """Return a number for the rate-limit header."""
        return RATE_LIMIT - 1 - len(self.requests) % RATE_LIMIT

    def act(self, request: _Request) -> tuple[int, Json]:
        """Do what a request asks for, and return its answer."""
        try:
            return self._route(request)
        except ApiError as error:
            return error.status, error.body()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _route(self, request: _Request) -> tuple[int, Json]:
        method, path = request.method, request.path
        workspace = workspace_of(self.keys, request.header("X-Api-Key"), request.bearer(), request.header("X-Workspace-Id"))
        if path == BASE and method == "POST":
            return 201, _success(self.store.create(workspace, request.json()))
        if path == BASE and method == "GET":
            if not self.list_enabled:
                raise ApiError(405, "Method not allowed")
            return 200, self.store.page(workspace, dict(parse_qsl(request.query)))
        found = re.fullmatch(BASE + r"/([^/]+)(/test)?", path)
        if found is None:
            raise ApiError(404, "Route not found")
        webhook_id, test = found[1], found[2] is not None
        if test and method == "POST":
            return 200, _success(self._test(self.store.whole(workspace, webhook_id)))
        if not test and method == "GET":
            return 200, _success(self.store.get(workspace, webhook_id))
        if not test and method == "PATCH":
            return 200, _success(self.store.patch(workspace, webhook_id, request.json()))
        if not test and method == "DELETE":
            return 200, _success(self.store.remove(workspace, webhook_id))
        raise ApiError(404, "Route not found")

    def _test(self, webhook: Json) -> Json:
        status = _deliver(webhook)
        success = 200 <= status < 300
        self.store.delivered(webhook["_id"], success=success)
        return {"statusCode": status, "delivered": success}


class _Request:
    """A request as it was read."""

    def __init__(self, method: str, target: str, headers: Message[str, str], body: bytes) -> None:
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str | None:
        value = self.headers.get(name)
        return None if value is None else str(value)

    def bearer(self) -> str | None:
        value = self.header("Authorization")
        if value is None:
            return None
        scheme, _, key = value.partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise ApiError(400, "Body is not valid JSON") from None

    def entry(self, status: int | None, fault: Fault | None, answer: Json | None) -> Json:
        """Return the line for the log; names of headers and of the API's fields only, and no key in the address."""
        entry: Json = {
            "method": self.method,
            "path": _KEY.sub("sk_***", self.path),
            "query": _KEY.sub("sk_***", self.query),
            "status": status,
            "headers": sorted({name.lower() for name in self.headers}),
            "fields": self._fields(),
            "fault": None if fault is None else fault.kind,
        }
        if answer is not None and self.method == "POST" and self.path == BASE and answer.get("success"):
            entry.update(id=answer["data"]["_id"], name=answer["data"]["name"])
        return entry

    def _fields(self) -> list[str]:
        """Return which of the API's fields the body holds, in the API's order."""
        try:
            body = self.json() if self.body else None
        except ApiError:
            return []
        return [field for field in FIELDS if field in body] if isinstance(body, dict) else []


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without a look-up of the host's name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End the connections that clients keep open."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet where a client went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"sendkit-sync-simulator/{__version__}"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is the simulator's."""

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
        request = _Request(self.command, self.path, self.headers, body)
        if not simulator.pause(simulator.latency_s):
            self.close_connection = True
            return
        hits = simulator.faults.hits(request.method, request.path)
        for fault in hits:
            if fault.kind == "delay" and fault.when == "before":
                simulator.pause(fault.delay_s)
        fault_hit = next((fault for fault in hits if fault.kind != "delay"), None)
        if fault_hit is not None and fault_hit.when == "before":
            status, answer = 200, _success({})
        else:
            status, answer = simulator.act(request)
        made = answer if status == 201 else None
        told = status if fault_hit is None else _told(fault_hit, status)
        shown = fault_hit or next(iter(hits), None)
        simulator.record(request.entry(told, shown, made))
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
        told = _told(fault, status)
        if fault.kind == "drop" or told is None:
            self.close_connection = True
        elif fault.kind == "status":
            self._send(told, _encoded(error_body(told, "Ordered fault")), headers)
        elif fault.kind == "redirect":
            headers["Location"] = fault.location or f"{self.server.simulator.url}/elsewhere"
            self._send(told, b"", headers)
        elif fault.kind == "garbage":
            self._send(told, b"<html>this is not JSON</html>", headers, "text/html")
        elif fault.kind == "gzip-bomb":
            self._send(told, gzip_bomb(), {**headers, "Content-Encoding": "gzip"})
        elif fault.kind == "no-id":
            self._send(told, _encoded(_without_id(answer)), headers)
        elif fault.kind == "empty":
            self._send(told, _encoded({"success": True, "data": []}), headers)
        elif fault.kind == "cut":
            self.close_connection = True
            self._head(told, len(body), headers)
            self.wfile.write(body[: len(body) // 2])
        else:
            self._head(told, len(body), headers)
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


def _told(fault: Fault, status: int) -> int | None:
    """Return the status that a client sees under a fault; None for no answer."""
    if fault.kind == "drop":
        return None
    if fault.kind == "status":
        return fault.status
    if fault.kind == "redirect":
        return fault.status if 300 <= fault.status < 400 else 307
    return 200 if fault.kind in ("garbage", "gzip-bomb", "no-id", "empty") else status


def _success(data: Json) -> Json:
    return {"success": True, "data": data}


def _without_id(answer: Json) -> Json:
    data = answer.get("data")
    return _success({key: value for key, value in data.items() if key != "_id"} if isinstance(data, dict) else {})


def _encoded(answer: Json) -> bytes:
    return json.dumps(answer).encode()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _deliver(webhook: Json) -> int:
    """Send a signed test payload, to loopback only; return the receiver's status, 0 for no answer."""
    parts = urlsplit(webhook["url"])
    host = parts.hostname or ""
    if not _is_loopback(host):
        return 200
    payload = {"event": "test", "webhookId": webhook["_id"], "workspaceId": webhook["workspaceId"], "data": {"test": True}}
    body = _encoded(payload)
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Event": "test",
        "X-Webhook-Signature": hmac.new(webhook["secret"].encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest(),
    }
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(host, parts.port, timeout=TEST_TIMEOUT_S)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        connection.close()
