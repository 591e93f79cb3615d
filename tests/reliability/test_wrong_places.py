"""The wrong address, the wrong key, the wrong workspace, and a clock that is wrong: nothing is made in the wrong place."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.store import Json, Store
from sendkit_sync.simulator.workspaces import other_id
from support.runs import Runs, config_of
from support.workspace import KEY

HEX = "0123456789abcdef01234567"
FOUR = ["Anna", "Berta", "Carla", "Dora"]
AT_ONCE = ("--resend-after", "0s")
LIST = "/v1/webhooks"
PLATFORM = "sk_user_canary"


def use(runs: Runs, **environment: str) -> None:
    """Let the runs from now on have these variables too."""
    former = runs.environment()
    runs.environment = lambda: former | environment  # type: ignore[method-assign]


def codes(runs: Runs, *words: str) -> dict[str, str]:
    """Apply, and return the code of each action that is not done."""
    runs.apply_here("--format", "json", *words)
    document = json.loads(next(text for text in runs.outputs[::-1] if text.startswith("{")))
    return {result["name"]: result["error"]["code"] for result in document["results"] if result["error"]}


def lists(runs: Runs) -> int:
    return sum(request["method"] == "GET" and request["path"] == LIST for request in runs.simulator.requests)


class TestTwoFormsOfOneWorkspacesId:
    @pytest.mark.parametrize("configured", [HEX, "ws_123"])
    def test_each_is_compared_with_its_own_kind_only(self, tmp_path: Path, configured: str):
        with Simulator(keys={PLATFORM: [configured, "ws_other"]}, id_form="other") as simulator:
            runs = Runs(tmp_path, simulator, FOUR)
            use(runs, SENDKIT_API_KEY=PLATFORM, SENDKIT_WORKSPACE_ID=configured)
            for words in ((), ("--refresh",)):
                assert runs.apply_here(*words) == 0, runs.outputs[-1]
            assert (runs.state["workspaceId"], runs.state["observedWorkspaceId"]) == (configured, other_id(configured))
            assert runs.posts() == 4
            runs.write(config_of([*FOUR, "Emil"]))
            assert runs.apply_here() == 0
            runs.check_each_made_once(*FOUR, "Emil")


@pytest.fixture
def two_keys(tmp_path: Path) -> Iterator[Runs]:
    """A state with one webhook of ws_ours, and the key of ws_other, which holds nothing."""
    with Simulator(keys={KEY: ["ws_ours"], "sk_other": ["ws_other"]}) as simulator:
        runs = Runs(tmp_path, simulator, ["Zoe"])
        assert runs.apply_here() == 0
        runs.names = ("Zoe", *FOUR)
        runs.write(config_of(runs.names))
        yield runs


class TestTheKeyOfAnotherWorkspace:
    def test_one_create_tells_and_the_advice_leads_back(self, two_keys: Runs):
        runs = two_keys
        use(runs, SENDKIT_API_KEY="sk_other")
        assert runs.apply_here("--parallelism", "8") == 1
        stray = [webhook for webhook in runs.simulator.webhooks() if webhook["workspaceId"] == "ws_other"]
        assert [webhook["name"] for webhook in stray] == ["Anna"]
        said = runs.outputs[-1]
        assert "created in workspace ws_other, but the state belongs to ws_ours: delete it there" in said
        assert "`sendkit-sync state forget Anna`" in said
        runs.simulator.delete(stray[0]["_id"])
        assert runs.run("state", "forget", "Anna", "--yes").returncode == 0
        use(runs, SENDKIT_API_KEY=KEY)
        assert runs.apply_here() == 0
        runs.check_each_made_once(*runs.names)

    def test_it_is_warned_of_where_nothing_recorded_exists_for_it(self, two_keys: Runs):
        use(two_keys, SENDKIT_API_KEY="sk_other")
        done = two_keys.run("plan", "--refresh", SENDKIT_API_KEY="sk_other")
        assert "none of the 1 recorded webhooks exists for this API key" in done.stderr

    def test_it_is_refused_before_any_call_where_the_api_names_its_workspace(self, two_keys: Runs):
        runs = two_keys
        (runs.folder / "new").mkdir()
        runs.write("workspace: ws_ours\n" + config_of(FOUR))
        use(runs, SENDKIT_API_KEY="sk_other")
        runs.simulator.requests.clear()
        for words in (("apply", "--yes", "--state", "new/s.json"), ("plan", "--refresh")):
            done = runs.run(*words, SENDKIT_API_KEY="sk_other")
            assert done.returncode == 1
            assert "the API key does not reach workspace ws_ours, only ws_other" in done.stderr
        assert runs.posts() == 0

    @pytest.mark.parametrize("configured", ["acme", HEX])
    def test_ids_of_another_form_tell_nothing(self, tmp_path: Path, configured: str):
        with Simulator(keys={KEY: ["ws_ours"]}) as simulator:
            runs = Runs(tmp_path, simulator, FOUR)
            runs.write(f"workspace: '{configured}'\n" + config_of(FOUR))
            assert runs.apply_here() == 0


class Watching(Store):
    """Notes how many creates go on at once, each time that one begins."""

    def __init__(self) -> None:
        super().__init__(mask_secrets=False, page_form="cursor")
        self.at_once: list[int] = []
        self._active = 0
        self._turn = threading.Lock()

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        with self._turn:
            self._active += 1
            self.at_once.append(self._active)
        time.sleep(0.05)
        with self._turn:
            self._active -= 1
        return super().create(workspace, body, webhook_id)


class TestTheFirstCreate:
    def test_it_goes_alone_until_the_workspace_is_known(self, tmp_path: Path):
        with Simulator() as simulator:
            simulator.store = store = Watching()
            runs = Runs(tmp_path, simulator, FOUR)
            assert runs.apply_here("--parallelism", "4") == 0
            assert store.at_once[:2] == [1, 1]
            assert max(store.at_once) > 1
            store.at_once.clear()
            runs.write(config_of([*FOUR, *(f"More{number}" for number in range(4))]))
            assert runs.apply_here("--parallelism", "4") == 0
            assert store.at_once[:2] == [1, 2]

    def test_one_that_fails_leaves_the_next_one_alone_too(self, tmp_path: Path):
        with Simulator(faults=[Fault("POST", nth=1, status=422)]) as simulator:
            simulator.store = store = Watching()
            runs = Runs(tmp_path, simulator, FOUR)
            assert runs.apply_here("--parallelism", "4") == 1
            assert store.at_once[:2] == [1, 1]


class TestTheAddress:
    @pytest.mark.parametrize("words", [("apply", "--yes"), ("plan", "--refresh"), ("reconcile",)])
    def test_one_that_ends_with_v1_is_named_and_nothing_is_sent(self, runs: Runs, words: tuple[str, ...]):
        done = runs.run(*words, SENDKIT_API_URL=f"{runs.simulator.url}/v1")
        assert done.returncode == 1, done.stderr
        assert f"The address must not end with /v1: use {runs.simulator.url} as --api-url." in done.stderr
        assert runs.posts() == 0

    def test_a_list_that_is_not_found_needs_a_word(self, runs: Runs):
        runs.simulator.add_fault(Fault("GET", LIST, status=404))
        assert runs.apply_here() == 1
        assert "If the server really has no list, use --no-list." in runs.outputs[-1]
        assert runs.posts() == 0
        assert runs.apply_here("--no-list") == 0
        assert "the server cannot list webhooks" in runs.outputs[-1]
        runs.check_each_made_once("Anna")

    @pytest.mark.parametrize("status", [405, 501])
    def test_a_server_that_says_that_it_has_none_needs_no_word(self, runs: Runs, status: int):
        runs.simulator.add_fault(Fault("GET", LIST, status=status))
        assert runs.apply_here() == 0
        assert "the server cannot list webhooks" in runs.outputs[-1]

    @pytest.mark.parametrize("status", [404, 405, 501])
    def test_a_list_that_once_worked_must_work(self, runs: Runs, status: int):
        assert runs.apply_here() == 0
        assert runs.state["listWorked"] is True
        runs.write(config_of(["Anna", "Berta"]))
        runs.simulator.add_fault(Fault("GET", LIST, status=status))
        for words in ((), ("--no-list",), ("--refresh", "--no-list")):
            assert runs.apply_here(*words) == 1
            assert "the list of webhooks is gone" in runs.outputs[-1]
        assert runs.posts() == 1

    def test_a_delete_is_not_believed_where_the_list_is_not_found(self, runs: Runs):
        assert runs.apply_here() == 0
        runs.write(config_of(["Anna"]).replace("Anna", "Berta"))
        runs.simulator.add_fault(Fault("*", status=404))
        assert runs.apply_here("--prune", "--force") == 1
        assert "Anna" in runs.state["webhooks"]


def lost(runs: Runs, **fields: Any) -> str:
    """Lose the response to a create, and change what the server made; return its id."""
    runs.simulator.add_fault(Fault("POST", nth=1, when="after", kind="drop"))
    runs.simulator.add_fault(Fault("GET", LIST, kind="empty", nth=2))
    runs.simulator.add_fault(Fault("GET", LIST, kind="empty", nth=3))
    assert codes(runs, "--settle", "0s") == {"Anna": "not_found_yet"}
    runs.simulator.faults.clear()
    webhook_id: str = runs.simulator.webhooks()[0]["_id"]
    runs.simulator.change(webhook_id, **fields)
    return webhook_id


def moved(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.fixture
def masked(tmp_path: Path) -> Iterator[Runs]:
    with Simulator(mask_secrets=True) as simulator:
        yield Runs(tmp_path, simulator, ["Anna"])


class TestTheWindow:
    @pytest.mark.parametrize("seconds", [-3600, -120, 600])
    def test_a_webhook_that_was_created_at_another_time_is_not_taken(self, masked: Runs, seconds: float):
        webhook_id = lost(masked, createdAt=moved(seconds))
        for words in ((), AT_ONCE):
            assert codes(masked, *words) == {"Anna": "outside_window"}
        assert masked.posts() == 1
        assert masked.run("state", "resolve", "Anna", "--id", webhook_id).returncode == 0
        masked.check_each_made_once("Anna")

    @pytest.mark.parametrize("when", [-30, 60, None, "yesterday"])
    def test_one_that_fits_or_has_no_time_is(self, masked: Runs, when: float | str | None):
        lost(masked, createdAt=moved(when) if isinstance(when, int | float) else when)
        assert codes(masked) == {}
        masked.check_each_made_once("Anna")

    @pytest.mark.parametrize("offset_s", [-7200.0, 7200.0])
    def test_the_time_is_that_of_sendkit(self, tmp_path: Path, offset_s: float):
        lost_response = Fault("POST", nth=1, when="after", kind="drop")
        with Simulator(mask_secrets=True, clock_offset_s=offset_s, faults=[lost_response]) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            assert runs.apply_here() == 0
            runs.check_each_made_once("Anna")

    def test_a_call_that_was_repeated_is_looked_for_from_its_first_attempt_on(self, masked: Runs):
        lost(masked)
        document = masked.state
        (intent,) = document["pending"]["Anna"]
        intent["firstSentAt"], intent["sentAt"] = intent["sentAt"] - 900, intent["sentAt"]
        (masked.folder / "sendkit.state.json").write_text(json.dumps(document))
        masked.simulator.change(masked.simulator.webhooks()[0]["_id"], createdAt=moved(-600))
        assert codes(masked) == {}


class TestWhyACreateIsUnresolved:
    def test_not_found_yet(self, runs: Runs):
        runs.simulator.add_fault(Fault("POST", nth=1, status=500))
        assert codes(runs) == {"Anna": "not_found_yet"}
        assert codes(runs) == {"Anna": "not_found_yet"}

    def test_ambiguous(self, masked: Runs):
        lost(masked)
        twin = {key: value for key, value in masked.simulator.webhooks()[0].items() if key != "_id"}
        masked.simulator.store.create("ws_demo", twin)
        assert codes(masked) == {"Anna": "ambiguous"}

    def test_name_in_use(self, masked: Runs):
        lost(masked, url="https://elsewhere.example.com/in")
        assert codes(masked) == {"Anna": "name_in_use"}

    def test_list_failed(self, runs: Runs):
        runs.simulator.add_fault(Fault("POST", nth=1, status=500))
        runs.simulator.add_fault(Fault("GET", LIST, status=400, nth=2))
        assert codes(runs) == {"Anna": "list_failed"}

    def test_no_list(self, runs: Runs):
        runs.simulator.list_enabled = False
        runs.simulator.add_fault(Fault("POST", nth=1, status=500))
        for _ in range(2):
            assert codes(runs) == {"Anna": "no_list"}


@pytest.mark.parametrize("made", [True, False])
def test_a_firewall_that_blocks_a_create_is_asked_by_the_list(runs: Runs, made: bool):
    runs.simulator.add_fault(Fault("POST", nth=1, when="after" if made else "before", kind="page", status=403))
    assert runs.apply_here() == (0 if made else 1)
    if not made:
        assert "proxy or firewall" in runs.outputs[-1]
        assert "pending" not in runs.state or not runs.state["pending"]
        assert runs.apply_here() == 0
    runs.check_each_made_once("Anna")


class TestLists:
    def test_an_apply_with_refresh_and_creates_reads_one_before_and_one_after(self, runs: Runs):
        assert runs.apply_here("--refresh") == 0
        assert lists(runs) == 2

    def test_one_that_let_a_create_expire_is_not_the_one_that_lets_it_be_sent_again(self, runs: Runs):
        runs.simulator.add_fault(Fault("POST", nth=1, when="after", kind="drop"))
        runs.simulator.add_fault(Fault("GET", LIST, nth=2, kind="empty"))
        runs.simulator.add_fault(Fault("GET", LIST, nth=3, kind="empty"))
        runs.apply_here("--settle", "0s")
        runs.apply_here("--refresh", *AT_ONCE)
        assert runs.posts() == 1
        runs.simulator.faults.clear()
        runs.check_recovers()
