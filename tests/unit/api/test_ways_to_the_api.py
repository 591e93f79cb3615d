"""What stands between here and the API: proxies, firewalls, addresses that do not answer, certificates of one's own."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sendkit_sync.api import connection
from sendkit_sync.api.client import Client
from sendkit_sync.api.retry import retry_after
from sendkit_sync.api.sender import REPEATS
from sendkit_sync.core.errors import ApiError, ApiUnreachableError, ErrorCode, KeyRefusedError, NoEndpointError
from sendkit_sync.core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from support.api_server import DONE, KEY, SETTINGS, FakeClock, FakeRng, Server, without_proxies

PAGE = b"<html><title>Access denied</title></html>"
LIST = b'{"success": true, "data": [], "pagination": {"hasMore": false}}'
HTML = {"Content-Type": "text/html"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    without_proxies(monkeypatch)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.hold.set()
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def client(clock: FakeClock) -> Iterator[Callable[..., Client]]:
    with contextlib.ExitStack() as stack:

        def make(url: str, **more: Any) -> Client:
            settings: dict[str, Any] = {"clock": clock, "rng": FakeRng(), "stop": threading.Event(), "retry_for_s": 0.0} | more
            return stack.enter_context(contextlib.closing(Client(url, KEY, None, **settings)))

        yield make


def create(client: Client) -> Outcome:
    return client.create("n", SETTINGS, None, lambda: None)


class TestFirewall:
    @pytest.mark.parametrize("status", [401, 403])
    def test_its_page_is_no_refusal_of_the_key(self, server: Server, client: Callable[..., Client], status: int):
        server.steps = [(status, HTML, PAGE)]
        with pytest.raises(ApiError) as caught:
            client(server.url).list()
        assert not isinstance(caught.value, KeyRefusedError)
        assert caught.value.code is ErrorCode.NOT_THE_API
        assert "proxy or firewall" in str(caught.value)

    def test_a_create_that_it_blocks_may_have_happened(self, server: Server, client: Callable[..., Client]):
        server.steps = [(403, HTML, PAGE)]
        answer = create(client(server.url))
        assert isinstance(answer, Unknown)
        assert answer.code is FailureCode.NOT_THE_API

    @pytest.mark.parametrize("body", [b'{"error": "Forbidden", "message": "no", "code": 403}', b""])
    def test_an_answer_of_the_api_refuses_the_key(self, server: Server, client: Callable[..., Client], body: bytes):
        server.steps = [(403, {}, body)]
        with pytest.raises(KeyRefusedError):
            client(server.url).list()
        answer = create(client(server.url))
        assert isinstance(answer, Failed)
        assert (answer.code, answer.stops_run) == (FailureCode.KEY_REFUSED, True)


class TestProxy:
    @pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
    def test_a_dead_one_is_named_with_its_variable_and_without_its_password(
        self, server: Server, client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, variable: str
    ):
        monkeypatch.setenv(variable, "http://user:canary@127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(ApiUnreachableError) as caught:
            client("https://api.example").list()
        assert f"through the proxy http://127.0.0.1:9 (from {variable})" in caught.value.what
        assert "NO_PROXY" in (caught.value.hint or "")
        assert "canary" not in f"{caught.value} {caught.value.hint}"


class TestAddresses:
    def test_the_second_one_is_tried_within_the_time_of_the_call(
        self, server: Server, client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
    ):
        server.steps = [(201, {}, DONE)]
        dead = socket.socket()
        dead.bind(("127.0.0.1", 0))
        dead.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(dead.getsockname())
        family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        both = [(*family, dead.getsockname()), (*family, server.http.server_address)]
        monkeypatch.setattr(connection.socket, "getaddrinfo", lambda *_, **__: both)
        began = time.monotonic()
        answer = create(client("http://localhost:1", timeout_s=2.0))
        assert isinstance(answer, Succeeded)
        assert 0.8 < time.monotonic() - began < 2.0
        for one in (*waiting, dead):
            one.close()

    def test_one_that_ends_with_the_version_is_named(self, server: Server, client: Callable[..., Client]):
        server.steps = [(404, {}, b'{"error": "Not Found", "message": "Cannot GET /v1/v1/webhooks", "code": 404}')]
        with pytest.raises(NoEndpointError) as caught:
            client(server.url + "/v1/").list()
        assert caught.value.hint == f"The address must not end with /v1: use {server.url} as --api-url."


def certificate(folder: Path, *, critical: bool) -> ssl.SSLContext:
    """Write the CA `ca.pem`, whose basic constraints are `critical` as RFC 5280 asks or not; return a server's context."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Company CA", "localhost")]

    def begun(number: int) -> x509.CertificateBuilder:
        builder = (
            x509.CertificateBuilder().subject_name(names[number]).issuer_name(names[0]).public_key(keys[number].public_key())
        )
        builder = builder.serial_number(number + 1).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
        return builder.add_extension(key_id, critical=False)

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    subject = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    authority = begun(0).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=critical)
    authority = authority.add_extension(usage, critical=True).add_extension(subject, critical=False)
    leaf = begun(1).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.sign(keys[0], hashes.SHA256()).public_bytes(pem))
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "leaf.pem").write_bytes(leaf.sign(keys[0], hashes.SHA256()).public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return context


def over_tls(server: Server, context: ssl.SSLContext) -> str:
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True, do_handshake_on_connect=False)
    return server.url.replace("http://127.0.0.1", "https://localhost")


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the checks that Python 3.13 makes, also on an older one."""
    made = connection.create_urllib3_context

    def create_strict() -> ssl.SSLContext:
        context = made()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(connection, "create_urllib3_context", create_strict)


class TestCertificates:
    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    def test_each_of_the_usual_variables_names_those_to_trust(
        self,
        server: Server,
        client: Callable[..., Client],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        variable: str,
    ):
        server.steps = [(200, {}, LIST)]
        url = over_tls(server, certificate(tmp_path, critical=True))
        with pytest.raises(ApiUnreachableError) as caught:
            client(url).list()
        assert "the public CAs from certifi" in caught.value.what
        assert variable in (caught.value.hint or "")
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
        assert client(url).list() == ()

    def test_another_ca_than_the_one_that_a_variable_names_is_said(
        self, server: Server, client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        url = over_tls(server, certificate(tmp_path, critical=True))
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        with pytest.raises(ApiUnreachableError, match=f"SSL_CERT_FILE={tmp_path}/other.pem"):
            client(url).list()

    @pytest.mark.usefixtures("strict")
    def test_one_that_only_strict_checks_refuse_has_a_way_out_that_still_verifies(
        self, server: Server, client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        server.steps = [(200, {}, LIST)]
        url = over_tls(server, certificate(tmp_path, critical=False))
        with pytest.raises(ApiUnreachableError) as caught:
            client(url, strict_ca=False).list()
        assert "--no-strict-ca" not in (caught.value.hint or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        with pytest.raises(ApiUnreachableError) as caught:
            client(url).list()
        assert "--no-strict-ca" in (caught.value.hint or "")
        assert server.requests == []
        assert client(url, strict_ca=False).list() == ()


class TestTime:
    @pytest.mark.parametrize(("text", "duration_s"), [("1.5", 1.5), ("0.25", 0.25), ("90.5", 60.0), ("1,5", None), ("١", None)])
    def test_a_pause_may_be_a_fraction(self, text: str, duration_s: float | None):
        assert retry_after(text, 0.0) == duration_s

    def test_it_is_that_of_the_latest_answer(self, server: Server, client: Callable[..., Client], clock: FakeClock):
        one = client(server.url)
        assert one.now() == clock.now()
        for headers, now in (
            ({"Date": "Thu, 01 Jan 1970 01:00:00 GMT"}, 3600.0),
            ({"Date": "Thu, 01 Jan 1970 03:00:00 GMT", "Age": "9000"}, 3600.0),
            ({"Date": "yesterday"}, 3600.0),
            ({"Date": "Thu, 01 Jan 1970 02:00:00 GMT"}, 7200.0),
        ):
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            server.steps = [
                f"HTTP/1.1 200 OK\r\n{head}Connection: close\r\nContent-Length: {len(LIST)}\r\n\r\n".encode() + LIST
            ]
            one.list()
            assert one.now() == now

    def test_waits_say_how_long_they_last_and_how_long_they_go_on(self, server: Server, client: Callable[..., Client]):
        told: list[str] = []
        server.steps = [(429, {"Retry-After": "1.5"}, b""), (201, {}, DONE)]
        assert isinstance(create(client(server.url, retry_for_s=30.0, on_wait=told.append)), Succeeded)
        assert told == ["the API asks to wait: all calls wait 1.5 s; giving up in 30 s"]
        told.clear()
        with pytest.raises(ApiUnreachableError):
            client("http://127.0.0.1:9", retry_for_s=1.2, on_wait=told.append).list()
        assert [text.partition("; ")[2] for text in told] == ["trying again in 0.5 s, giving up in 1.2 s"]
        told.clear()
        server.steps = [(500, {}, b"")]
        with pytest.raises(ApiError):
            client(server.url, on_wait=told.append).list()
        assert told == [
            "the API answered 500; trying again in 0.5 s, attempt 2 of 3",
            "the API answered 500; trying again in 1.0 s, attempt 3 of 3",
        ]


class TestRepeating:
    def test_an_update_is_repeated_and_a_create_is_not(self, server: Server, client: Callable[..., Client]):
        server.steps = [(500, {}, b"")]
        one = client(server.url)
        times: list[int] = []
        assert isinstance(one.update("a" * 24, {"url": "x"}, lambda: times.append(1)), Unknown)
        assert (len(server.requests), len(times)) == (REPEATS, REPEATS - 1)
        server.requests.clear()
        assert isinstance(create(one), Unknown)
        assert isinstance(one.delete("a" * 24, lambda: None), Unknown)
        assert len(server.requests) == 2

    @pytest.mark.parametrize("refusal", [(422, {}, b""), (404, {}, b""), (429, {}, b"")])
    def test_what_refuses_a_repeated_update_says_nothing_of_the_attempt_before(
        self, server: Server, client: Callable[..., Client], refusal: object
    ):
        server.steps = [(500, {}, b""), refusal]
        answer = client(server.url).update("a" * 24, {"url": "x"}, lambda: None)
        assert isinstance(answer, Unknown)
        assert answer.status is None

    def test_a_stop_between_two_attempts_leaves_an_update_unknown(self, server: Server, client: Callable[..., Client]):
        server.steps = [(500, {}, b"")]
        stop = threading.Event()
        one = client(server.url, stop=stop, on_wait=lambda _: stop.set())
        answer = one.update("a" * 24, {"url": "x"}, lambda: None)
        assert isinstance(answer, Unknown)
        assert answer.code is FailureCode.INTERRUPTED
        assert len(server.requests) == 1


def test_the_workspaces_of_a_key_are_read(server: Server, client: Callable[..., Client]):
    server.steps = [(200, {}, b'{"success": true, "data": [{"id": "a1", "name": "A"}, {"id": "b2", "name": "B"}]}')]
    assert client(server.url).workspaces() == ("a1", "b2")
    for body in (b'{"data": []}', b'{"data": [{"name": "A"}]}', b'{"data": {"id": "a"}}', b"[]"):
        server.steps = [(200, {}, body)]
        with pytest.raises(ApiError):
            client(server.url).workspaces()
