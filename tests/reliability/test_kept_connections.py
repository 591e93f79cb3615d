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

from sendkit_sync.api import connection
from sendkit_sync.api.client import Client
from sendkit_sync.core.clock import SystemClock, SystemRng
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import Secret
from sendkit_sync.core.outcomes import Outcome, Succeeded
from support.api_server import head_of, without_proxies
from support.listening import listening

SETTINGS = Settings("https://example.com/hook", ("email.sent",))
BUFFERED = 8192
"""How many bytes Python reads at once of an answer."""


class Talker:
    """A server on loopback that makes what it is asked to, and sends `unasked` after its first answer."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.unasked = b""
        self.made: list[list[str]] = []
        """The names that came over each connection."""
        self._context = context

    def talk(self, accepted: socket.socket) -> None:
        names: list[str] = []
        self.made.append(names)
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


def made(name: str, number: int) -> bytes:
    webhook = {"_id": f"{number:024x}", "name": name, "url": SETTINGS.url, "events": list(SETTINGS.events)}
    body = json.dumps({"success": True, "data": webhook}).encode()
    return b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def talker(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talker:
    without_proxies(monkeypatch)
    if scheme == "http":
        return Talker(None)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return Talker(context)


@pytest.fixture
def client(scheme: str, talker: Talker) -> Iterator[Client]:
    with listening(talker.talk) as port:
        url = f"{scheme}://localhost:{port}"
        one = Client(url, Secret("sk_x"), None, clock=SystemClock(), rng=SystemRng(), stop=threading.Event())
        yield one
        one.close()


def create(client: Client, name: str) -> Outcome:
    return client.create(name, SETTINGS, Secret(f"the-secret-of-{name}"), lambda: None)


def test_calls_that_follow_each_other_share_a_connection(talker: Talker, client: Client):
    assert [type(create(client, name)) for name in "abc"] == [Succeeded] * 3
    assert talker.made == [["a", "b", "c"]]


def test_an_answer_that_nobody_asked_for_is_not_taken_for_that_of_the_next_call(talker: Talker, client: Client):
    talker.unasked = b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 0\r\n\r\n"
    assert [type(create(client, name)) for name in "ab"] == [Succeeded] * 2
    assert talker.made == [["a"], ["b"]]


def test_a_connection_that_the_server_may_be_about_to_close_takes_no_call(
    talker: Talker, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connection, "MOST_IDLE_S", 0.0)
    assert [type(create(client, name)) for name in "ab"] == [Succeeded] * 2
    assert talker.made == [["a"], ["b"]]
