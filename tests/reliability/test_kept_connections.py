"""A connection that is kept from one call to the next: it brings no call an answer that is not its own, nor an old end."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from test_api import without_proxies
from test_network import head_of

from sendkit_sync.answers import Answer, Answered
from sendkit_sync.api import connection
from sendkit_sync.api.client import Client
from sendkit_sync.clock import SystemClock, SystemDice
from sendkit_sync.model import Secret, Settings

SETTINGS = Settings("https://example.com/hook", ("email.sent",))
BUFFERED = 8192
"""How many bytes Python reads at once of an answer."""


class Talker:
    """A server on loopback that makes what it is asked to, and sends `unasked` after its first answer."""

    def __init__(self, scheme: str, context: ssl.SSLContext | None) -> None:
        self.unasked = b""
        self.made: list[list[str]] = []
        """The names that came over each connection."""
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://localhost:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._socket.accept()
                names: list[str] = []
                self.made.append(names)
                threading.Thread(target=self._talk, args=(accepted, names), daemon=True).start()

    def _talk(self, accepted: socket.socket, names: list[str]) -> None:
        with contextlib.suppress(OSError):
            one = self._context.wrap_socket(accepted, server_side=True) if self._context else accepted
            with one, one.makefile("rb") as requests:
                while head := head_of(requests):
                    length = int(head.lower().partition(b"content-length:")[2].split()[0])
                    names.append(json.loads(requests.read(length))["name"])
                    answer = made(names[-1], sum(map(len, self.made)))
                    if self.unasked:
                        answer += b" " * (BUFFERED - len(answer)) + self.unasked
                        self.unasked = b""
                    one.sendall(answer)

    def close(self) -> None:
        self._socket.close()


def made(name: str, number: int) -> bytes:
    webhook = {"_id": f"{number:024x}", "name": name, "url": SETTINGS.url, "events": list(SETTINGS.events)}
    body = json.dumps({"success": True, "data": webhook}).encode()
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.fixture(params=["http", "https"])
def talker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talker]:
    without_proxies(monkeypatch)
    context = None
    if request.param == "https":
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    one = Talker(request.param, context)
    yield one
    one.close()


@pytest.fixture
def client(talker: Talker) -> Iterator[Client]:
    one = Client(talker.url, Secret("sk_x"), None, clock=SystemClock(), dice=SystemDice(), stop=threading.Event())
    yield one
    one.close()


def create(client: Client, name: str) -> Answer:
    return client.create(name, SETTINGS, Secret(f"the-secret-of-{name}"), lambda: None)


def test_calls_that_follow_each_other_share_a_connection(talker: Talker, client: Client):
    assert [type(create(client, name)) for name in "abc"] == [Answered] * 3
    assert talker.made == [["a", "b", "c"]]


def test_an_answer_that_nobody_asked_for_is_not_taken_for_that_of_the_next_call(talker: Talker, client: Client):
    talker.unasked = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n"
    assert [type(create(client, name)) for name in "ab"] == [Answered] * 2
    assert talker.made == [["a"], ["b"]]


def test_a_connection_that_the_server_may_be_about_to_close_takes_no_call(
    talker: Talker, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "MOST_IDLE_S", 0.0)
    assert [type(create(client, name)) for name in "ab"] == [Answered] * 2
    assert talker.made == [["a"], ["b"]]
