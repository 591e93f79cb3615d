"""SendKit as a process that answers at a given time after a request, and spends little of the machine on it.

Usage: service.py LATENCY_S [STATE]. What STATE records is live from the start. It prints its address, and serves
until its standard input is closed. What webhooks are it leaves to the simulator; its HTTP is just what is measured.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from pathlib import Path
from urllib.parse import parse_qsl

from sendkit_sync.simulator.store import DEMO_WORKSPACE, Store


class Connection(asyncio.Protocol):
    """A client that sends one request after the other, and waits for each answer."""

    def __init__(self, store: Store, latency_s: float) -> None:
        self._store = store
        self._latency_s = latency_s
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(headers.get(b"content-length", b"0")):
            return
        self._received = b""
        method, target, _ = head.split(b" ", 2)
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + self._latency_s, self._transport.write, self._answer(method, target.decode(), body))

    def _answer(self, method: bytes, target: str, body: bytes) -> bytes:
        if method == b"POST":
            status, answer = b"201 Created", {"success": True, "data": self._store.create(DEMO_WORKSPACE, json.loads(body))}
        else:
            status, answer = b"200 OK", self._store.page(DEMO_WORKSPACE, dict(parse_qsl(target.partition("?")[2])))
        text = json.dumps(answer).encode()
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)


async def serve(store: Store, latency_s: float) -> None:
    """Serve until the standard input is closed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(store, latency_s), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main(latency_s: str, state: str | None = None) -> None:
    store = Store(mask_secrets=False, page_form="cursor")
    for record in json.loads(Path(state).read_bytes())["webhooks"].values() if state else ():
        store.create(DEMO_WORKSPACE, {**record["confirmed"], "secret": record["secret"]["value"]}, record["id"])
    # Not epoll's: it counts the time in whole milliseconds, and wakes up late.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(store, float(latency_s)))


main(*sys.argv[1:])
