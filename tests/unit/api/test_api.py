"""The client against small handlers on loopback: one test for each row of the table "Exactly once"."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from sendkit_sync.api.client import Client
from sendkit_sync.api.deadlines import Deadlines
from sendkit_sync.api.retry import retry_after
from sendkit_sync.core import failpoints
from sendkit_sync.core.errors import ApiError, ApiUnreachableError, KeyRefusedError, NoEndpointError, UsageError
from sendkit_sync.core.model import Secret
from sendkit_sync.core.outcomes import Failed, Succeeded, Unknown
from sendkit_sync.core.redaction import Redactor
from support.api_server import DONE, HOOK, KEY, SETTINGS, FakeClock, FakeRng, Server, without_proxies


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    without_proxies(monkeypatch)
    one = Server()
    yield one
    one.hold.set()
    one.http.shutdown()
    one.http.server_close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(clock: FakeClock) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def build(
        url: str, key: Secret = KEY, workspace: str | None = None, stop: threading.Event | None = None, **more: Any
    ) -> Client:
        made.append(Client(url, key, workspace, clock=clock, rng=FakeRng(), stop=stop or threading.Event(), **more))
        return made[-1]

    yield build
    for client in made:
        client.close()


def free_url() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


def create(client: Client, resends: list[int] | None = None) -> object:
    return client.create("n", SETTINGS, Secret("hush-hush"), lambda: (resends if resends is not None else []).append(1))


def test_created(server: Server, make: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(failpoints, "hook", seen.append)
    server.steps = [(201, {}, DONE)]
    answer = create(make(server.url, workspace="w"))
    assert isinstance(answer, Succeeded)
    assert answer.live is not None
    assert answer.live.secret_masked
    assert answer.live.settings.events == ("a", "b")
    _, path, headers, body = server.requests[0]
    assert path == "/v1/webhooks"
    assert headers["X-Api-Key"] == KEY.reveal()
    assert headers["Accept-Encoding"] == "identity"
    assert "X-Workspace-Id" not in headers
    assert json.loads(body)["secret"] == "hush-hush"
    assert seen == ["request-sent", "answer-read"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_not_done(server: Server, make: Callable[..., Client], status: int) -> None:
    server.steps = [(status, {}, b'{"message": "no hush-hush for sk_topsecret\\u001b"}')]
    answer = create(make(server.url))
    assert isinstance(answer, Failed)
    assert answer.status == status
    assert answer.stops_run is (status in (401, 403))
    assert answer.message == "no (sensitive) for (sensitive)\\x1b"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "step",
    [
        (302, {"Location": "http://[bad"}, b""),
        (303, {"Location": "/v1/webhooks/" + "a" * 24}, b""),
        (408, {}, b""),
        (409, {}, b""),
        (500, {}, DONE),
        (200, {}, b"{}"),
        (200, {}, b"[" * 100_000),
        (200, {"Content-Encoding": "gzip"}, DONE),
        (200, {}, DONE.replace(b"a" * 24, b"../x")),
        b"",
        b"junk\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + DONE,
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (11 << 20),
    ],
)
def test_unknown_is_sent_once(server: Server, make: Callable[..., Client], step: object) -> None:
    server.steps = [step]
    assert isinstance(create(make(server.url)), Unknown)
    assert len(server.requests) == 1


@pytest.mark.parametrize("before", [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n" * 3])
def test_what_goes_before_an_answer_is_not_taken_for_it(server: Server, make: Callable[..., Client], before: bytes) -> None:
    # Taken for it, it would leave the real answer to the next request on that connection.
    server.steps = [before + b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(DONE) + DONE]
    answer = create(make(server.url))
    assert isinstance(answer, Succeeded)
    assert answer.live is not None
    assert answer.live.id == HOOK["_id"]
    assert len(server.requests) == 1


def test_deadline(server: Server, make: Callable[..., Client]) -> None:
    server.steps = ["hold"]
    answer = create(make(server.url, timeout_s=0.2))
    assert isinstance(answer, Unknown)
    assert answer.code == "timeout"


def test_unreachable(make: Callable[..., Client], clock: FakeClock) -> None:
    resends: list[int] = []
    answer = create(make(free_url()), resends)
    assert isinstance(answer, Failed)
    assert answer.unreachable
    assert len(resends) == len(clock.slept) > 3
    assert sum(clock.slept) <= 120
    with pytest.raises(ApiUnreachableError):
        make(free_url(), retry_for_s=1).list()


def test_too_many_requests(server: Server, make: Callable[..., Client], clock: FakeClock) -> None:
    resends: list[int] = []
    server.steps = [(429, {"Retry-After": "7"}, b""), (200, {}, DONE)]
    assert isinstance(create(make(server.url), resends), Succeeded)
    assert clock.slept == [7.0]
    assert resends == [1]
    server.steps = [(429, {"Retry-After": "0"}, b"")]
    answer = create(make(server.url))
    assert isinstance(answer, Failed)
    assert answer.status == 429


def test_a_first_try_that_had_to_wait_is_noted_with_its_own_time(
    server: Server, make: Callable[..., Client], clock: FakeClock
) -> None:
    server.steps = [(429, {"Retry-After": "50"}, b""), (200, {}, DONE)]
    client = make(server.url, retry_for_s=1)
    assert isinstance(create(client), Failed)
    resends: list[int] = []
    assert isinstance(create(client, resends), Succeeded)
    assert clock.slept == [50.0]
    assert resends == [1]


def test_interrupted(make: Callable[..., Client]) -> None:
    stop = threading.Event()
    stop.set()
    answer = create(make(free_url(), stop=stop))
    assert isinstance(answer, Failed)
    assert answer.code == "interrupted"


def test_retry_after() -> None:
    assert retry_after("600", 0) == 60
    assert retry_after("Thu, 01 Jan 1970 00:00:30 GMT", 10) == 20
    assert retry_after("soon", 0) is None
    assert retry_after(None, 0) is None


def test_a_long_message_costs_no_more_than_a_short_one(server: Server, make: Callable[..., Client]) -> None:
    seen: list[int] = []

    class Counting(Redactor):
        def _spans(self, text: str) -> Iterator[tuple[int, int]]:
            seen.append(len(text))
            return super()._spans(text)

    secret = "s3cret" * 20
    server.steps = [(500, {}, json.dumps({"message": f"{secret} no, " * 70_000}).encode())]
    answer = create(make(server.url, redactor=Counting()))
    assert isinstance(answer, Unknown)
    assert max(seen) < 10_000


def test_a_secret_at_the_cut_of_a_message_is_not_shown(server: Server, make: Callable[..., Client]) -> None:
    secret = "f0e1d2c3b4a59687" * 4
    for before in range(230, 310, 7):
        server.steps = [(500, {}, json.dumps({"message": "x" * before + secret + "!" * 2000}).encode())]
        answer = make(server.url).create("n", SETTINGS, Secret(secret), lambda: None)
        assert isinstance(answer, Unknown)
        assert "f0e1" not in answer.message
        assert len(answer.message) <= 303


@pytest.mark.parametrize("limit", ["MAX_WEBHOOKS", "MAX_LIST_BYTES"])
def test_a_list_without_an_end_is_read_to_a_limit(
    server: Server, make: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr("sendkit_sync.api.client." + limit, {"MAX_WEBHOOKS": 5, "MAX_LIST_BYTES": 2000}[limit])
    ids = "abcdefghijklmnopqrstuvwxyz"
    server.steps = [page(one, {"hasMore": True, "nextCursor": one}) for one in ids]
    with pytest.raises(ApiError, match="the list is too large"):
        make(server.url).list()
    assert len(server.requests) < 20


def page(ids: str, pagination: object) -> tuple[int, dict[str, str], bytes]:
    return (
        200,
        {},
        json.dumps({"success": True, "data": [{**HOOK, "_id": one} for one in ids], "pagination": pagination}).encode(),
    )


def test_list(server: Server, make: Callable[..., Client]) -> None:
    client = make(server.url, Secret("sk_user_x"), "ws")
    server.steps = [
        page("ab", {"hasMore": True, "nextCursor": "1"}),
        page("", {"hasMore": True, "nextCursor": "2"}),
        page("bc", {"hasMore": False, "nextCursor": "3"}),
    ]
    assert [live.id for live in client.list()] == ["a", "b", "c"]
    assert server.requests[-1][1].endswith("cursor=2")
    assert server.requests[-1][2]["X-Workspace-Id"] == "ws"
    server.steps = [page(ids, {"page": number, "pages": 4}) for number, ids in enumerate(("a", "", "bc", ""), 1)]
    assert [live.id for live in client.list()] == ["a", "b", "c"]
    server.steps = [page("a", {"page": 1, "pages": 9})]
    server.requests.clear()
    assert [live.id for live in client.list()] == ["a"]
    assert len(server.requests) == 2, "a server that knows no pages must not be asked for all of them"
    server.steps = [page("a", {"hasMore": True, "nextCursor": "1"})]
    with pytest.raises(ApiError, match="same cursor twice"):
        client.list()


def test_reads(server: Server, make: Callable[..., Client]) -> None:
    client = make(server.url)
    server.steps = [(500, {}, b""), b"", (200, {}, DONE)]
    assert client.get(HOOK["_id"]) is not None
    server.steps = [(200, {}, DONE)]
    with pytest.raises(ApiError, match="a different webhook"):
        client.get("x")
    server.steps = [(404, {}, b"")]
    assert client.get("x") is None
    with pytest.raises(NoEndpointError):
        client.list()
    server.steps = [(401, {}, b'{"message": "bad key"}')]
    with pytest.raises(KeyRefusedError, match="bad key"):
        client.list()
    server.requests.clear()
    server.steps = [(503, {}, b"")]
    with pytest.raises(ApiError):
        client.list()
    assert len(server.requests) == 3
    server.steps = [(200, {}, b'{"success": true, "data": {"delivered": true}}')]
    assert client.test("x") == {"delivered": True}
    assert isinstance(client.delete("x", lambda: None), Succeeded)


def test_refused_arguments(make: Callable[..., Client]) -> None:
    for bad in ("sk_a\nb", "sk_ä", "sk_a b", ""):
        with pytest.raises(KeyRefusedError) as caught:
            make("https://api.example", Secret(bad))
        assert not bad or bad not in str(caught.value)
    with pytest.raises(UsageError):
        make("https://api.example", Secret("sk_user_x"))
    for url in ("http://api.example", "https://u:p@api.example", "ftp://localhost", "https://", "https://[x"):
        with pytest.raises(UsageError):
            make(url)


def test_tls(server: Server, make: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.steps = [(200, {}, DONE)]
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    answer = create(make(url))
    assert isinstance(answer, Failed)
    assert (answer.code, answer.stops_run, answer.unreachable) == ("certificate", True, True)
    assert not server.requests
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    assert isinstance(create(make(url)), Succeeded)


class Held:
    """A call that is watched."""

    def __init__(self, *, closed: bool = False) -> None:
        self.closed = closed
        self.ended = threading.Event()

    def expire(self) -> None:
        self.ended.set()


def test_each_open_call_is_ended_at_its_deadline_also_after_a_pause() -> None:
    deadlines = Deadlines(0.05)
    for _ in range(3):
        closed, held = Held(closed=True), [Held(), Held()]
        for call in (closed, *held):
            deadlines.watch(call)
        assert all(call.ended.wait(30) for call in held)
        assert not closed.ended.is_set()
    deadlines.close()


def test_a_deadline_is_kept_by_what_is_watched_while_others_come_and_go() -> None:
    deadlines = Deadlines(0.2)
    held = Held()
    began = time.monotonic()
    deadlines.watch(held)
    while not held.ended.wait(0.01):
        deadlines.watch(Held(closed=True))
    assert time.monotonic() - began >= 0.2
    deadlines.close()
