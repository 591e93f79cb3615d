"""The simulator over HTTP, on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from .delivery import deliver
from .faults import Fault, FaultBook
from .handler import RATE_LIMIT, Handler
from .request import BASE, WORKSPACES, Request
from .store import ApiError, Json, Store, success_body
from .workspaces import Keys, Workspaces


class Simulator:
    """A SendKit API in this process; as a context manager it serves in a thread of its own."""

    def __init__(
        self,
        *,
        port: int = 0,
        keys: Keys | None = None,
        workspaces: Sequence[str] | None = None,
        id_form: str = "same",
        faults: Sequence[Fault] = (),
        mask_secrets: bool = False,
        list_enabled: bool = True,
        workspaces_enabled: bool = True,
        clock_offset_s: float = 0.0,
        latency_s: float = 0.0,
        page_form: str = "cursor",
        log_path: Path | None = None,
    ) -> None:
        self.requests: list[Json] = []
        self.workspaces = Workspaces(keys, workspaces, id_form)
        self.list_enabled = list_enabled
        self.workspaces_enabled = workspaces_enabled
        self.latency_s = latency_s
        self.store = Store(mask_secrets=mask_secrets, page_form=page_form)
        self.store.clock_offset_s = clock_offset_s
        self.faults = FaultBook(faults)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._serving = False
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._server = Listener(self, port)
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
            self._server.wake()
            self._ended.wait()
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
        """Add to the log, with the seconds since the simulator was started."""
        with self._lock:
            entry = {"at": round(time.monotonic() - self._began, 3), **entry}
            self.requests.append(entry)
            if self._log is not None:
                self._log.write(json.dumps(entry) + "\n")
                self._log.flush()

    def remaining(self) -> int:
        """Return a number for the rate-limit header."""
        return RATE_LIMIT - 1 - len(self.requests) % RATE_LIMIT

    def act(self, request: Request) -> tuple[int, Json]:
        """Do what a request asks for, and return its answer."""
        try:
            return self._route(request)
        except ApiError as error:
            return error.status, error.body()

    def _serve(self) -> None:
        try:
            while not self._closing.is_set():
                self._server.handle_request()
        finally:
            self._ended.set()

    def _route(self, request: Request) -> tuple[int, Json]:
        key = request.header("X-Api-Key"), request.bearer()
        if request.path == WORKSPACES and request.method == "GET":
            if not self.workspaces_enabled:
                raise ApiError(404, "Route not found")
            used = (request.header("X-Workspace-Id"), *self.store.workspaces())
            return 200, success_body(self.workspaces.listed(*key, used))
        status, answer = self._webhooks(request, self.workspaces.of(*key, request.header("X-Workspace-Id")))
        return status, {**answer, "data": self.workspaces.shown(answer["data"])}

    def _webhooks(self, request: Request, workspace: str) -> tuple[int, Json]:
        method, path = request.method, request.path
        if path == BASE and method == "POST":
            return 201, success_body(self.store.create(workspace, request.json()))
        if path == BASE and method == "GET":
            if not self.list_enabled:
                raise ApiError(405, "Method not allowed")
            return 200, self.store.page(workspace, dict(parse_qsl(request.query)))
        found = re.fullmatch(BASE + r"/([^/]+)(/test)?", path)
        if found is None:
            raise ApiError(404, "Route not found")
        webhook_id, test = found[1], found[2] is not None
        if test and method == "POST":
            return 200, success_body(self._test(self.store.whole(workspace, webhook_id)))
        if not test and method == "GET":
            return 200, success_body(self.store.get(workspace, webhook_id))
        if not test and method == "PATCH":
            return 200, success_body(self.store.patch(workspace, webhook_id, request.json()))
        if not test and method == "DELETE":
            return 200, success_body(self.store.remove(workspace, webhook_id))
        raise ApiError(404, "Route not found")

    def _test(self, webhook: Json) -> Json:
        status = deliver(webhook)
        success = 200 <= status < 300
        self.store.delivered(webhook["_id"], success=success)
        return {"statusCode": status, "delivered": success}


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    timeout = 0.5  # in case nothing wakes the thread that waits for a request
    request_queue_size = 128

    def __init__(self, simulator: Simulator, port: int) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

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

    def wake(self) -> None:
        """Let the thread that waits for a request look whether it is to end."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

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
