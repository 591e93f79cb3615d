"""A server on loopback that answers as it is told, step by step; a clock and chance for its clients."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any

import pytest

from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import Secret

KEY = Secret("sk_topsecret")
SETTINGS = Settings("https://example.com/hook", ("email.sent",))
HOOK = {"_id": "a" * 24, "name": "n", "url": "https://example.com/hook", "events": ["b", "a"], "secret": "abc..."}
DONE = json.dumps({"success": True, "data": HOOK}).encode()


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    monotonic = now

    def sleep(self, duration_s: float, wake: threading.Event) -> bool:
        self.slept.append(duration_s)
        self.time += duration_s
        return wake.is_set()


class FakeRng:
    def secret(self) -> str:
        return "0" * 64

    token = secret

    def below(self, bound_s: float) -> float:
        return bound_s


class Server:
    """Answers with `steps`, one a request (the last again and again); a step is raw bytes or (status, headers, body)."""

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hold = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                step = outer.steps.pop(0) if len(outer.steps) > 1 else outer.steps[0]
                if step == "hold":
                    outer.hold.wait(20)
                    self.close_connection = True
                elif isinstance(step, bytes):
                    self.wfile.write(step)
                    self.close_connection = True
                else:
                    status, headers, data = step
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(data)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing: a client that hangs up is what many of these tests are about."""

        self.http = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()


def without_proxies(patch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        patch.delenv(name, raising=False)


def head_of(request: IO[bytes]) -> bytes:
    """Return the head of a request, or nothing where it ends before."""
    lines = [request.readline()]
    while lines[-1] not in (b"", b"\r\n"):
        lines.append(request.readline())
    return b"".join(lines[:-1]) if lines[-1] else b""
