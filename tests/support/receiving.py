"""A receiver on loopback that judges each delivery by its body and its signature."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def receiver(accept: Callable[[bytes, str | None], bool]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve a receiver on loopback that answers 200 to what `accept` takes, else 401; give its URL and what came."""
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append(body)
            self.send_response(200 if accept(body, self.headers.get("X-Webhook-Signature")) else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/in", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
