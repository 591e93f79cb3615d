"""The receivers of docs/receivers.md, run as they stand there, against deliveries that the simulator signs."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import importlib.util
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
import requests

from sendkit_sync.simulator import Simulator
from support.receiver_runtimes import PAGE, RUNTIMES, Runtime, snippets, started, write_files

pytestmark = pytest.mark.timeout(180)
SECRETS = {"": "current-" + "a1" * 28, "_NEXT": "next-" + "b2" * 28, "_PREVIOUS": "previous-" + "c3" * 28}
CURRENT = SECRETS[""]
API = {"X-Api-Key": "sk_receivers"}
ACCEPTED, REFUSED = 204, 401


def delivered(simulator: Simulator, url: str, secret: str) -> int:
    """Have the simulator send a test delivery, signed with `secret`, and return what the receiver answered."""
    webhook = {"name": "CRM Sync", "url": url, "events": ["email.replied"], "secret": secret}
    made = requests.post(f"{simulator.url}/v1/webhooks", json=webhook, headers=API, timeout=10).json()["data"]
    test = requests.post(f"{simulator.url}/v1/webhooks/{made['_id']}/test", headers=API, timeout=20).json()["data"]
    return int(test["statusCode"])


@dataclass
class Delivery:
    """A delivery as the simulator sent it: the body, and the headers that a test may change."""

    body: bytes
    headers: dict[str, str]


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    """Return a real delivery, signed with the current secret."""
    came: list[Delivery] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = ("Content-Type", "X-Webhook-Event", "X-Webhook-Signature")
            came.append(Delivery(body, {name: self.headers[name] for name in names}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with Simulator() as simulator, HTTPServer(("127.0.0.1", 0), Recorder) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert delivered(simulator, f"http://127.0.0.1:{server.server_port}/", CURRENT) == 200
        thread.join()
    return came[0]


@dataclass
class Receiver:
    """A running receiver."""

    runtime: Runtime
    folder: Path
    url: str

    def answer(self, body: bytes, headers: dict[str, str]) -> int:
        return requests.post(self.url, body, headers=headers, timeout=20).status_code


def runtime_of(request: pytest.FixtureRequest) -> Runtime:
    runtime: Runtime = request.param
    if runtime.missing:
        pytest.skip(runtime.missing)
    return runtime


@pytest.fixture(scope="module", params=RUNTIMES, ids=lambda runtime: runtime.name)
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    runtime, folder = runtime_of(request), tmp_path_factory.mktemp("receiver")
    write_files(runtime, folder)
    with started(runtime, folder, SECRETS) as url:
        assert url, (folder / "log").read_text(encoding="utf-8")
        yield Receiver(runtime, folder, url)


class TestReceiver:
    @pytest.mark.parametrize("secret", SECRETS.values(), ids=["current", "next", "previous"])
    def test_a_real_delivery_is_accepted_with_each_of_its_secrets(self, receiver: Receiver, simulator: Simulator, secret: str):
        assert delivered(simulator, receiver.url, secret) == ACCEPTED

    def test_a_real_delivery_with_another_secret_is_refused(self, receiver: Receiver, simulator: Simulator):
        assert delivered(simulator, receiver.url, "d4" * 32) == REFUSED

    def test_a_reserialized_body_is_refused(self, receiver: Receiver, delivery: Delivery):
        assert receiver.answer(delivery.body, delivery.headers) == ACCEPTED
        parsed = json.loads(delivery.body)
        forms = (json.dumps(parsed, separators=(",", ":")), json.dumps(parsed, indent=2), json.dumps(parsed) + "\n")
        for form in forms:
            assert form.encode() != delivery.body
            assert receiver.answer(form.encode(), delivery.headers) == REFUSED

    def test_any_other_header_is_refused(self, receiver: Receiver, delivery: Delivery):
        good = delivery.headers["X-Webhook-Signature"]
        with_empty_key = hmac.new(b"", delivery.body, hashlib.sha256).hexdigest()
        wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
        for header in ("", "sha256=", wrong, good[:-1], good + "0", "sha1=" + good, f"{good},{good}", "z" * 64, with_empty_key):
            for name in ("X-Webhook-Signature", "X-SendKit-Signature"):
                assert receiver.answer(delivery.body, {name: header}) == REFUSED, f"{name}: {header}"

    def test_a_missing_header_is_refused(self, receiver: Receiver, delivery: Delivery):
        assert receiver.answer(delivery.body, {}) == REFUSED
        assert receiver.answer(b"", {}) == REFUSED

    def test_both_header_names_and_both_forms_are_accepted(self, receiver: Receiver, delivery: Delivery):
        good = delivery.headers["X-Webhook-Signature"]
        for name in ("X-Webhook-Signature", "X-SendKit-Signature", "x-sendkit-signature"):
            for value in (good, "sha256=" + good, "SHA256=" + good.upper()):
                assert receiver.answer(delivery.body, {name: value}) == ACCEPTED, f"{name}: {value}"

    def test_bytes_that_are_no_text_are_verified_as_they_are(self, receiver: Receiver):
        body = b'{"event":"email.replied","data":{"replyText":"\\u00fc \xc3\xbc \xff","n":1e2}}'
        signature = hmac.new(CURRENT.encode(), body, hashlib.sha256).hexdigest()
        assert receiver.answer(body, {"X-Webhook-Signature": signature}) not in (REFUSED, 403)
        assert receiver.answer(body.replace(b"\xff", b"\xfe"), {"X-Webhook-Signature": signature}) == REFUSED

    def test_a_request_that_is_cut_does_not_stop_it(self, receiver: Receiver, delivery: Delivery):
        host = urlsplit(receiver.url).netloc
        for _ in range(3):
            with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
                connection.putrequest("POST", "/webhooks/sendkit")
                connection.putheader("Content-Length", str(len(delivery.body)))
                connection.endheaders(delivery.body[:10])
        assert receiver.answer(delivery.body, delivery.headers) == ACCEPTED


@pytest.mark.parametrize("receiver_runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_receiver_without_a_secret_accepts_nothing(receiver_runtime: Runtime, tmp_path: Path, delivery: Delivery):
    if receiver_runtime.missing:
        pytest.skip(receiver_runtime.missing)
    write_files(receiver_runtime, tmp_path)
    with started(receiver_runtime, tmp_path, {"": "", "_NEXT": " ", "_PREVIOUS": ""}) as url:
        for key in (b"", b" ") if url else ():
            signature = hmac.new(key, delivery.body, hashlib.sha256).hexdigest()
            headers = {"X-Webhook-Signature": signature}
            assert requests.post(str(url), delivery.body, headers=headers, timeout=20).status_code >= 400


def test_every_receiver_of_the_page_is_run():
    run = {file for runtime in RUNTIMES for file in runtime.files}
    assert set(snippets(PAGE)) == run | {"deliveries.py"}


class TestHandleOnce:
    @pytest.fixture
    def deliveries(self, tmp_path: Path) -> ModuleType:
        """Return the module of the page."""
        (tmp_path / "deliveries.py").write_text(snippets()["deliveries.py"], encoding="utf-8")
        spec = importlib.util.spec_from_file_location("deliveries", tmp_path / "deliveries.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_a_delivery_that_comes_twice_is_handled_once(self, deliveries: ModuleType, tmp_path: Path):
        handled: list[bytes] = []
        with closing(deliveries.open_database(str(tmp_path / "crm.db"))) as database:
            for body in (b"one", b"two", b"one"):
                deliveries.handle_once(database, body, lambda _, body=body: handled.append(body))
        assert handled == [b"one", b"two"]

    def test_a_handler_that_fails_runs_again_and_leaves_nothing_behind(self, deliveries: ModuleType, tmp_path: Path):
        def fail(database: sqlite3.Connection) -> None:
            database.execute("INSERT INTO replies VALUES ('half')")
            raise OSError

        with closing(deliveries.open_database(str(tmp_path / "crm.db"))) as database:
            database.execute("CREATE TABLE replies (text)")
            with pytest.raises(OSError):  # noqa: PT011
                deliveries.handle_once(database, b"one", fail)
            assert database.execute("SELECT * FROM replies").fetchall() == []
            insert = "INSERT INTO replies VALUES ('whole')"
            assert deliveries.handle_once(database, b"one", lambda database: database.execute(insert))
            assert database.execute("SELECT * FROM replies").fetchall() == [("whole",)]

    def test_of_two_at_the_same_time_one_is_handled(self, deliveries: ModuleType, tmp_path: Path):
        handled: list[int] = []
        barrier = threading.Barrier(8)

        def work(number: int) -> None:
            with closing(deliveries.open_database(str(tmp_path / "crm.db"))) as database:
                barrier.wait()
                deliveries.handle_once(database, b"one", lambda _: handled.append(number))

        deliveries.open_database(str(tmp_path / "crm.db")).close()
        threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(handled) == 1
