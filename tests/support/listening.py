"""A server on loopback that speaks whatever a test wants it to, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give each connection to `talk`, in a thread of its own; yield the port.

    A thread that waits in accept() while another closes its socket goes on, once the process was halted and continued,
    with whatever has been given the number of that socket since. So nothing is closed here before the thread has ended.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            talk(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
