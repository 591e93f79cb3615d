"""The simulator, over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.workspaces import other_id

KEY = "sk_workspace1"
PLATFORM = "sk_user_platform1"
BODY = {"name": "  crm ", "url": "https://example.com/hook", "events": ["email.sent"]}


def call(sim: Simulator, method: str, path: str = "", body: object = None, key: str = KEY, **headers: str) -> requests.Response:
    headers = {"X-Api-Key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return requests.request(
        method, f"{sim.url}/v1/webhooks{path}", json=body, headers=headers, timeout=10, allow_redirects=False
    )


def create(sim: Simulator, **fields: Any) -> dict[str, Any]:
    answer = call(sim, "POST", body={**BODY, **fields})
    assert answer.status_code == 201
    return answer.json()["data"]


def test_create_get_patch_delete() -> None:
    with Simulator() as sim:
        made = create(sim)
        assert made["name"] == "crm"
        assert len(made["_id"]) == 24
        assert len(bytes.fromhex(made["secret"])) == 32
        assert (made["retryAttempts"], made["timeoutMs"], made["status"]) == (3, 10000, "active")
        path = f"/{made['_id']}"
        read = call(sim, "GET", path)
        assert "X-RateLimit-Remaining" in read.headers
        assert read.json()["data"].pop("stats")["totalDelivered"] == 0
        changed = call(sim, "PATCH", path, {"url": "https://example.com/new"}).json()["data"]
        assert changed == {**made, "url": "https://example.com/new", "updatedAt": changed["updatedAt"]}
        assert sim.webhooks()[0]["url"] == "https://example.com/new"
        assert call(sim, "DELETE", path).json()["success"] is True
        for method in ("GET", "PATCH", "DELETE"):
            answer = call(sim, method, path, {})
            assert answer.status_code == 404
            assert answer.json()["code"] == 404
        assert sim.webhooks() == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"name": "a"},
        {**BODY, "name": " "},
        {**BODY, "url": "ftp://example.com"},
        {**BODY, "url": "http://[x"},
        {**BODY, "events": []},
        {**BODY, "events": [1]},
        {**BODY, "secret": None},
        {**BODY, "retryAttempts": True},
        {**BODY, "timeoutMs": 0},
    ],
)
def test_validation(body: object) -> None:
    with Simulator() as sim:
        answer = call(sim, "POST", body=body)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error", "message", "code"}
        assert sim.webhooks() == []


def test_authentication() -> None:
    with Simulator() as sim:
        url = f"{sim.url}/v1/webhooks"

        def status(**headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return requests.get(url, headers=named, timeout=10).status_code

        assert status() == 401
        assert status(X_Api_Key="other") == 401
        assert status(X_Api_Key=KEY) == 200
        assert status(Authorization=f"Bearer {KEY}") == 200
        assert status(Authorization=f"Basic {KEY}") == 401
        assert status(X_Api_Key=KEY, Authorization=f"Bearer {KEY}") == 400
        assert status(X_Api_Key=KEY, X_Workspace_Id="ws_demo") == 400
        assert status(X_Api_Key=PLATFORM) == 400
        assert status(X_Api_Key=PLATFORM, X_Workspace_Id="ws_demo") == 200


def test_workspaces_are_apart_and_keys_are_limited() -> None:
    with Simulator(keys={KEY: ["ws_a"], PLATFORM: ["ws_a", "ws_b"]}) as sim:
        made = create(sim)
        assert made["workspaceId"] == "ws_a"
        assert call(sim, "GET", f"/{made['_id']}", key=PLATFORM, X_Workspace_Id="ws_a").status_code == 200
        assert call(sim, "GET", f"/{made['_id']}", key=PLATFORM, X_Workspace_Id="ws_b").status_code == 404
        assert call(sim, "GET", key=PLATFORM, X_Workspace_Id="ws_c").status_code == 403
        assert call(sim, "GET", key="sk_unknown").status_code == 401


def test_list_by_cursor() -> None:
    with Simulator() as sim:
        names = [create(sim, name=f"n{i}")["name"] for i in range(5)]
        seen: list[str] = []
        query = "?limit=2"
        while True:
            answer = call(sim, "GET", query).json()
            seen += [item["name"] for item in answer["data"]]
            if not answer["pagination"]["hasMore"]:
                break
            query = f"?limit=2&cursor={answer['pagination']['nextCursor']}"
        assert seen == names
        assert answer["pagination"] == {"limit": 2, "total": 5, "hasMore": False, "nextCursor": None}
        for bad in ("?limit=0", "?limit=101", "?limit=x", "?cursor=zzz"):
            assert call(sim, "GET", bad).status_code == 400


def test_list_by_pages() -> None:
    with Simulator(page_form="pages") as sim:
        for number in range(3):
            create(sim, name=f"n{number}")
        answer = call(sim, "GET", "?limit=2&page=2").json()
        assert [item["name"] for item in answer["data"]] == ["n2"]
        assert answer["pagination"] == {"total": 3, "page": 2, "limit": 2, "pages": 2}


def test_list_disabled_and_masked_secrets() -> None:
    with Simulator(list_enabled=False, mask_secrets=True) as sim:
        made = create(sim)
        assert call(sim, "GET").status_code == 405
        assert call(sim, "GET", f"/{made['_id']}").json()["data"]["secret"] == made["secret"][:12] + "..."
        assert sim.webhooks()[0]["secret"] == made["secret"]


def test_change_and_delete_behind_the_api() -> None:
    with Simulator() as sim:
        made = create(sim)
        sim.change(made["_id"], retryAttempts=7)
        assert call(sim, "GET", f"/{made['_id']}").json()["data"]["retryAttempts"] == 7
        sim.delete(made["_id"])
        assert call(sim, "GET", f"/{made['_id']}").status_code == 404


def test_test_payload_is_signed_and_stays_on_loopback() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.handle_request, daemon=True).start()
    with Simulator() as sim:
        made = create(sim, url=f"http://127.0.0.1:{receiver.server_port}/in")
        answer = call(sim, "POST", f"/{made['_id']}/test").json()["data"]
        assert answer == {"statusCode": 204, "delivered": True}
        receiver.server_close()
        headers, raw = got[0]
        assert headers["X-Webhook-Event"] == "test"
        assert headers["X-Webhook-Signature"] == hmac.new(made["secret"].encode(), raw, hashlib.sha256).hexdigest()
        assert call(sim, "POST", f"/{made['_id']}/test").json()["data"] == {"statusCode": 0, "delivered": False}
        far = create(sim)
        assert call(sim, "POST", f"/{far['_id']}/test").json()["data"] == {"statusCode": 200, "delivered": True}


def test_log_has_ids_but_no_key(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Simulator(log_path=path) as sim:
        made = create(sim)
        call(sim, "GET", f"?key={KEY}")
        text = path.read_text()
        assert [json.loads(line) for line in text.splitlines()] == sim.requests
        assert KEY not in text
        assert (sim.requests[0]["id"], sim.requests[0]["name"], sim.requests[0]["status"]) == (made["_id"], "crm", 201)
        assert "x-api-key" in sim.requests[0]["headers"]
        assert (sim.requests[0]["fields"], sim.requests[1]["fields"]) == (list(BODY), [])


def test_drop_before_and_after() -> None:
    faults = [Fault.parse("POST nth=1 kind=drop"), Fault.parse("POST /v1/webhooks nth=2 when=after kind=drop")]
    with Simulator(faults=faults) as sim:
        for live in (0, 1):
            with pytest.raises(requests.ConnectionError):
                call(sim, "POST", body=BODY)
            assert len(sim.webhooks()) == live
        create(sim)
        assert [entry["status"] for entry in sim.requests] == [None, None, 201]
        assert sim.requests[1]["id"] == sim.webhooks()[0]["_id"]


def test_faults_in_answers() -> None:
    with Simulator() as sim:
        made = create(sim)

        def hit(**fields: Any) -> requests.Response:
            sim.add_fault(Fault("GET", nth=1, when="after", **fields))
            return call(sim, "GET", f"/{made['_id']}")

        limited = hit(status=429, retry_after="3")
        assert (limited.status_code, limited.headers["Retry-After"], limited.json()["code"]) == (429, "3", 429)
        moved = hit(kind="redirect", location="http://127.0.0.1:1/x")
        assert (moved.status_code, moved.headers["Location"]) == (307, "http://127.0.0.1:1/x")
        assert not hit(kind="garbage").text.startswith("{")
        assert "_id" not in hit(kind="no-id").json()["data"]
        assert hit(kind="drip").json()["data"]["_id"] == made["_id"]
        assert hit(kind="delay", delay_s=0.01).status_code == 200
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            hit(kind="cut")
        sim.add_fault(Fault("GET", nth=1, kind="gzip-bomb"))
        connection = http.client.HTTPConnection("127.0.0.1", int(sim.url.rpartition(":")[2]), timeout=10)
        connection.request("GET", "/v1/webhooks", headers={"X-Api-Key": KEY})
        answer = connection.getresponse()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.read()) < 5_000_000
        connection.request("GET", "/v1/webhooks", headers={"X-Api-Key": KEY})
        assert connection.getresponse().read().startswith(b'{"success": true')
        connection.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("FETCH", "method"),
        ("GET nth=0", "counts from 1"),
        ("GET nth=x", "whole number"),
        ("GET kind=fire", "kind"),
        ("GET when=never", "when"),
        ("GET status=99", "status"),
        ("GET delay_s=nan", "delay_s"),
        ("GET colour=red", "unknown key"),
        ("GET nth=1 nth=2", "twice"),
        ("GET nth", "KEY=VALUE"),
        ("GET 'x", "quotation"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.parse(text)


def test_parse() -> None:
    fault = Fault.parse("post /v1/* nth=2 kind=status status=429 delay_s=0.5 retry_after='Wed, 21 Oct 2026 07:28:00 GMT'")
    assert fault == Fault(
        "POST", "/v1/*", 2, "before", "status", status=429, delay_s=0.5, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"
    )


def test_many_at_once() -> None:
    with Simulator() as sim, ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda number: create(sim, name=f"n{number}"), range(64)))
        assert len({item["_id"] for item in made}) == len(sim.webhooks()) == 64


def test_close_ends_a_long_delay() -> None:
    logged = threading.Event()
    sim = Simulator(faults=[Fault("GET", when="after", kind="delay", delay_s=3000)])

    class Log(list[dict[str, Any]]):
        def append(self, entry: dict[str, Any]) -> None:
            super().append(entry)
            logged.set()

    sim.requests = Log()
    with ThreadPoolExecutor(1) as pool:
        with sim:
            waiting = pool.submit(call, sim, "GET")
            assert logged.wait(5)
        # Released by close: either the answer still got through, or the connection ended.
        assert waiting.exception(5) is None or isinstance(waiting.exception(), requests.ConnectionError)
    sim.close()
    sim.serve_forever()
    with pytest.raises(requests.ConnectionError):
        call(sim, "GET")


def listed(sim: Simulator, key: str) -> list[str]:
    answer = requests.get(f"{sim.url}/v1/workspaces", headers={"X-Api-Key": key}, timeout=10)
    assert answer.status_code == 200, answer.text
    return [workspace["id"] for workspace in answer.json()["data"]]


def test_a_key_sees_the_workspaces_that_it_reaches() -> None:
    with Simulator(keys={KEY: ["ws_a"], PLATFORM: ["ws_a", "ws_b"]}) as sim:
        assert listed(sim, PLATFORM) == ["ws_a", "ws_b"]
        assert listed(sim, KEY) == ["ws_a"]
    with Simulator(workspaces=[f"ws_{number}" for number in range(1000)]) as sim:
        assert len(listed(sim, PLATFORM)) == 1000
        assert call(sim, "POST", body=BODY, key=PLATFORM, X_Workspace_Id="ws_999").status_code == 201
        assert call(sim, "POST", body=BODY, key=PLATFORM, X_Workspace_Id="ws_1000").status_code == 403
    with Simulator(workspaces_enabled=False) as sim:
        assert requests.get(f"{sim.url}/v1/workspaces", headers={"X-Api-Key": KEY}, timeout=10).status_code == 404


def test_webhooks_may_show_another_form_of_their_workspaces_id() -> None:
    hexadecimal = "0123456789abcdef01234567"
    with Simulator(keys={PLATFORM: [hexadecimal, "ws_b"]}, id_form="other") as sim:
        for workspace in (hexadecimal, "ws_b"):
            made = call(sim, "POST", body=BODY, key=PLATFORM, X_Workspace_Id=workspace).json()["data"]
            items = call(sim, "GET", key=PLATFORM, X_Workspace_Id=workspace).json()["data"]
            assert {made["workspaceId"], items[0]["workspaceId"]} == {other_id(workspace)}
            assert other_id(workspace) != workspace
        assert listed(sim, PLATFORM) == [hexadecimal, "ws_b"]


def test_a_page_of_a_firewall_and_another_clock_can_be_ordered() -> None:
    with Simulator(faults=[Fault.parse("POST kind=page status=403")], clock_offset_s=-3600) as sim:
        answer = call(sim, "POST", body=BODY)
        assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html")
        assert time.time() - parsedate_to_datetime(answer.headers["Date"]).timestamp() == pytest.approx(3600, abs=5)
