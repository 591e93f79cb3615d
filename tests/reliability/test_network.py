"""How far a request got decides what its failure means; the key goes to no other host, and no answer fills the memory."""

from __future__ import annotations

import contextlib
import datetime
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from sendkit_sync.api.client import Client
from sendkit_sync.api.retry import LONGEST_BACKOFF_S, backoff
from sendkit_sync.core.clock import SystemClock
from sendkit_sync.core.model import Secret
from sendkit_sync.core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from sendkit_sync.simulator import Fault, Simulator
from support.api_server import DONE, KEY, SETTINGS, FakeClock, FakeRng, Server, head_of, without_proxies
from support.listening import listening

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    one.steps = [(201, {}, DONE)]
    yield one
    one.hold.set()
    one.http.shutdown()
    one.http.server_close()


@pytest.fixture
def create() -> Iterator[Callable[..., Outcome]]:
    """Return what makes one webhook at an address, with a clock that does not wait."""
    clients: list[Client] = []

    def build(url: str, *, timeout_s: float = 5.0) -> Outcome:
        client = Client(url, KEY, None, clock=FakeClock(), rng=FakeRng(), stop=threading.Event(), timeout_s=timeout_s)
        clients.append(client)
        return client.create("n", SETTINGS, Secret("hush-hush"), lambda: None)

    yield build
    for client in clients:
        client.close()


def with_tls(server: Server, authority: trustme.CA, certificate: trustme.LeafCert, folder: Path) -> str:
    """Serve over TLS; return the address, and the bundle that trusts `authority`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True, do_handshake_on_connect=False)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return server.url.replace("http://127.0.0.1", "https://localhost")


@pytest.mark.parametrize("fault", ["another-host", "expired", "none"])
def test_a_certificate_that_does_not_fit_ends_the_run_before_the_key_is_sent(
    server: Server, create: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
):
    authority = trustme.CA()
    if fault == "expired":
        certificate = authority.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO + datetime.timedelta(days=9))
    else:
        certificate = authority.issue_cert("other.example" if fault == "another-host" else "localhost")
    url = with_tls(server, authority, certificate, tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    answer = create(url)
    if fault == "none":
        assert isinstance(answer, Succeeded)
        return
    assert isinstance(answer, Failed)
    assert (answer.code, answer.stops_run) == ("certificate", True)
    assert server.requests == []


class Cutter:
    """Reads one byte from each connection, and resets it."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0

    def cut(self, accepted: socket.socket) -> None:
        self.connections += 1
        accepted.recv(1)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        accepted.close()


@pytest.fixture
def cutter() -> Iterator[Cutter]:
    one = Cutter()
    with listening(one.cut) as port:
        one.port = port
        yield one


def test_a_connection_cut_in_the_handshake_made_nothing_and_is_tried_again(create: Callable[..., Outcome], cutter: Cutter):
    answer = create(f"https://localhost:{cutter.port}")
    assert isinstance(answer, Failed)
    assert answer.unreachable
    assert cutter.connections > 1


def test_the_same_cut_after_the_first_byte_of_the_request_is_unknown_and_never_sent_again(
    create: Callable[..., Outcome], cutter: Cutter
):
    answer = create(f"http://127.0.0.1:{cutter.port}")
    assert isinstance(answer, Unknown)
    assert cutter.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("made", [False, True])
def test_a_redirect_is_not_followed_and_unknown_whatever_the_server_did(
    create: Callable[..., Outcome], status: int, made: bool
):
    with Simulator() as simulator, Simulator() as other:
        place = f"{other.url}/v1/webhooks"
        when = "after" if made else "before"
        simulator.add_fault(Fault("POST", nth=1, when=when, kind="redirect", status=status, location=place))
        answer = create(simulator.url)
        assert isinstance(answer, Unknown)
        assert answer.status == status
        assert other.requests == []
        assert len(simulator.requests) == 1


NO_LENGTH = "HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (NO_LENGTH.encode(), False),
        (f"{NO_LENGTH}<html>".encode(), False),
        ((200, {}, b""), False),
        ((202, {}, b""), False),
        ((204, {}, b""), True),
        ((200, {}, b'{"success": true}'), True),
    ],
)
def test_a_delete_is_believed_only_where_the_answer_says_so(server: Server, step: object, told: bool):
    server.steps = [step]
    client = Client(server.url, KEY, None, clock=FakeClock(), rng=FakeRng(), stop=threading.Event())
    answer = client.delete("a" * 24, lambda: None)
    client.close()
    assert isinstance(answer, Succeeded if told else Unknown)


def test_a_gzip_bomb_is_never_unpacked(create: Callable[..., Outcome]):
    with Simulator(faults=[Fault("POST", when="after", kind="gzip-bomb")]) as simulator:
        create(simulator.url)  # packs the bomb
        tracemalloc.start()
        answer = create(simulator.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(answer, Unknown)
    assert answer.code == FailureCode.RESPONSE_INVALID
    assert peak < 16 * 1024 * 1024


def test_a_body_without_end_is_read_to_the_limit_only(server: Server, create: Callable[..., Outcome]):
    server.steps = [(201, {}, b" " * (11 * 1024 * 1024))]
    answer = create(server.url)
    assert isinstance(answer, Unknown)
    assert answer.code == FailureCode.RESPONSE_INVALID


@pytest.mark.parametrize("pace_s", [0.02, 0.2])
def test_a_dripping_answer_ends_at_the_total_deadline(create: Callable[..., Outcome], pace_s: float):
    with Simulator(faults=[Fault("POST", when="after", kind="drip", delay_s=pace_s)]) as simulator:
        began = time.monotonic()
        answer = create(simulator.url, timeout_s=0.5)
        assert time.monotonic() - began < 3
    assert isinstance(answer, Unknown)
    assert answer.code == "timeout"


def test_a_netrc_of_the_user_adds_nothing_to_the_request(
    server: Server, create: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert isinstance(create(server.url), Succeeded)
    ((_, _, headers, _),) = server.requests
    assert "Authorization" not in headers
    assert headers["X-Api-Key"] == KEY.reveal()


def test_a_cookie_is_not_sent_back(server: Server):
    client = Client(server.url, KEY, None, clock=FakeClock(), rng=FakeRng(), stop=threading.Event())
    server.steps = [(201, {"Set-Cookie": "canary=1; Path=/"}, DONE)]
    for _ in range(2):
        assert isinstance(client.create("n", SETTINGS, None, lambda: None), Succeeded)
    client.close()
    assert len(server.requests) == 2
    assert not any("Cookie" in headers for _, _, headers, _ in server.requests)


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no certificate\n", "no certificate")])
def test_certificates_that_cannot_be_read_are_named_and_nothing_is_sent(
    create: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, why: str
):
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content, encoding="utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    answer = create("https://localhost:9")
    assert isinstance(answer, Failed)
    assert answer.unreachable
    assert f"cannot read the trusted certificates in {bundle}: " in answer.message
    assert why in answer.message


def test_a_folder_of_certificates_is_trusted(
    server: Server, create: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    authority = trustme.CA()
    url = with_tls(server, authority, authority.issue_cert("localhost"), tmp_path)
    hashed = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(tmp_path / "ca.pem")], capture_output=True, text=True, check=True
    )
    folder = tmp_path / "trusted"
    folder.mkdir()
    (tmp_path / "ca.pem").rename(folder / f"{hashed.stdout.strip()}.0")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder))
    assert isinstance(create(url), Succeeded)


class Tunnel:
    """A proxy on loopback that opens a tunnel to `localhost` for whoever asks; `asked` are the heads of what it was sent."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = head_of(self.rfile)
                if not head:
                    return
                outer.asked.append(head)
                port = int(head.split()[1].rpartition(b":")[2])
                with socket.create_connection(("localhost", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=pump, args=(there, self.connection))
                    back.start()
                    pump(self.connection, there)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def pump(source: socket.socket, target: socket.socket) -> None:
    """Hand on all that comes from `source`, and its end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_a_tunnel_through_a_proxy_shows_it_nothing_of_the_call(
    server: Server, create: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    authority = trustme.CA()
    url = with_tls(server, authority, authority.issue_cert("localhost"), tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("NO_PROXY", "")
    tunnel = Tunnel()
    monkeypatch.setenv("https_proxy", tunnel.url)
    answer = create(url)
    tunnel.close()
    assert isinstance(answer, Succeeded)
    assert [path for _, path, _, _ in server.requests] == ["/v1/webhooks"]
    (head,) = tunnel.asked
    assert head.startswith(b"CONNECT localhost:")
    assert KEY.reveal().encode() not in head


def test_a_proxy_of_the_environment_is_used(server: Server, create: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", server.url)
    assert isinstance(create("http://127.0.0.1:9"), Succeeded)
    assert [path for _, path, _, _ in server.requests] == ["http://127.0.0.1:9/v1/webhooks"]


def test_a_proxy_that_refuses_the_tunnel_gets_no_key_and_nothing_was_made(
    server: Server, create: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
):
    server.steps = [(502, {}, b"")]
    monkeypatch.setenv("https_proxy", server.url)
    answer = create("https://api.example")
    assert isinstance(answer, Failed)
    assert answer.unreachable
    assert {method for method, _, _, _ in server.requests} == {"CONNECT"}
    assert KEY.reveal() not in str(server.requests)


def test_a_proxy_without_a_host_is_said_and_its_password_is_not(
    create: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("https_proxy", "http://user:canary@")
    answer = create("https://api.example")
    assert isinstance(answer, Failed)
    assert answer.unreachable
    assert answer.message.endswith("the proxy address in the environment has no host)")
    assert "canary" not in answer.message


def test_a_rate_limit_that_one_worker_meets_is_waited_out_by_all(server: Server):
    server.steps = [(429, {"Retry-After": "1"}, b""), (201, {}, DONE)]
    asked_to_wait = threading.Event()
    client = Client(
        server.url,
        KEY,
        None,
        clock=SystemClock(),
        rng=FakeRng(),
        stop=threading.Event(),
        on_wait=lambda why: asked_to_wait.set(),
    )
    first = threading.Thread(target=client.create, args=("n", SETTINGS, Secret("hush-hush"), lambda: None))
    first.start()
    assert asked_to_wait.wait(10)
    began = time.monotonic()
    assert isinstance(client.create("m", SETTINGS, Secret("hush-hush"), lambda: None), Succeeded)
    assert time.monotonic() - began > 0.8
    first.join()
    client.close()


def test_the_wait_between_tries_is_drawn_from_nothing_up_to_a_bound_that_doubles():
    bounds: list[float] = []

    class Rng(FakeRng):
        def below(self, bound_s: float) -> float:
            bounds.append(bound_s)
            return 0.0

    assert [backoff(Rng(), tries) for tries in range(1, 50)] == [0.0] * 49
    assert bounds[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert set(bounds[5:]) == {LONGEST_BACKOFF_S}
