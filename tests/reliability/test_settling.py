"""What settling, the guard and the report of twins do, as the design tells it, line by line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sendkit_sync.applying.live_list import WITHOUT_LIST
from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.store import Json, Store
from support.runs import Runs, config_of, die_at

AT_ONCE = ("--resend-after", "0s")
MADE = "outcome-buffered"
EIGHT = ["Anna", "Berta", "Carla", "Dora", "Emma", "Frida", "Greta", "Hanna"]


def intents(runs: Runs) -> list[dict[str, object]]:
    """Return what is pending for Anna, oldest first."""
    return json.loads((runs.folder / "sendkit.state.json").read_text())["pending"].get("Anna", [])


def test_one_reader_looks_for_all_that_is_unknown(runs: Runs):
    runs.write(config_of(EIGHT))
    runs.simulator.add_fault(Fault("POST", when="after", kind="drop"))
    assert runs.apply_here("--parallelism", "8") == 0
    reads = [request for request in runs.simulator.requests if request["method"] == "GET"]
    assert len(reads) == 3, "the guard's, one that settles all, and the one that looks for twins"
    runs.check_each_made_once(*EIGHT)


def test_a_create_that_is_settled_at_once_is_reported_once(runs: Runs):
    runs.simulator.add_fault(Fault("POST", when="after", kind="drop"))
    assert runs.apply_here("--settle", "0s", "--format", "json") == 0
    results = json.loads(runs.outputs[-2])["results"]
    assert [(result["action"], result["status"]) for result in results] == [("create", "done")]


def test_a_lost_create_is_settled_although_the_run_aims_at_others(runs: Runs):
    die_at(runs, MADE)
    runs.write(config_of(["Anna", "Berta"]))
    assert runs.apply_here("--target", "Berta") == 0
    runs.check_each_made_once("Anna", "Berta")
    assert runs.posts() == 2


def test_a_webhook_of_that_name_and_another_secret_leaves_the_attempt_unresolved(runs: Runs):
    die_at(runs, "intent-durable")
    theirs = {"name": "Anna", "url": "https://theirs.example/", "events": ["email.sent"]}
    runs.simulator.store.create("ws_demo", theirs)
    for _ in range(2):
        assert runs.apply_here(*AT_ONCE) == 1
        assert 'unresolved: create "Anna"' in runs.outputs[-1]
    assert runs.posts() == 0
    assert runs.state["webhooks"] == {}


def test_an_attempt_that_expired_is_made_anew_with_its_secret(runs: Runs):
    die_at(runs, "intent-durable")
    assert runs.apply_here() == 1
    (intent,) = intents(runs)
    assert runs.apply_here(*AT_ONCE) == 0
    assert runs.state["webhooks"]["Anna"]["secret"] == intent["secret"]
    runs.check_each_made_once("Anna")


def test_sealed_attempts_each_have_a_secret_and_all_stay_until_one_is_found(runs: Runs):
    pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")
    recipient = pyrage.x25519.Identity.generate().to_public()
    runs.write(config_of(["Anna"]) + f"encryption: {{age: {{recipients: [{recipient}]}}}}\n")
    die_at(runs, "intent-durable")
    runs.simulator.add_fault(Fault("POST", nth=1, when="before", kind="drop"))
    runs.simulator.add_fault(Fault("POST", nth=2, when="after", kind="drop"))
    assert runs.apply_here(*AT_ONCE) == 1
    first, second = intents(runs)
    assert first["secret"] != second["secret"]
    assert (first["expired"], second.get("expired")) == (True, None)
    assert runs.apply_here(*AT_ONCE) == 0
    assert intents(runs) == []
    assert len(runs.simulator.webhooks()) == 1
    assert runs.posts() == 2


def test_what_stays_unresolved_is_in_the_plan_and_says_what_to_do(runs: Runs):
    runs.simulator.add_fault(Fault("POST", when="before", kind="drop"))
    assert runs.apply_here() == 1
    assert "sendkit-sync state resolve Anna --id ID (or --not-created" in runs.outputs[-1]
    plan = runs.run("plan", "--format", "json", "--detailed-exitcode")
    assert plan.returncode == 2
    assert json.loads(plan.stdout)["unresolved"] == ["Anna"]
    assert json.loads(plan.stdout)["actions"] == []


class Doubling(Store):
    """A server, or something before it, that makes two webhooks of one call."""

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        super().create(workspace, body)
        return super().create(workspace, body)


def test_duplicates_of_what_a_run_made_are_told_by_their_id(runs: Runs):
    runs.simulator.store = Doubling(mask_secrets=False, page_form="cursor")
    assert runs.apply_here() == 1
    twin, made = (str(webhook["_id"]) for webhook in runs.simulator.webhooks())
    assert runs.state["webhooks"]["Anna"]["id"] == made
    assert re.search(rf"live webhook {twin} duplicates one that this run created", runs.outputs[-1])
    assert runs.posts() == 1


class TestTheGuard:
    @pytest.mark.parametrize(
        "wanted",
        [config_of(["Anna"]).replace("/in", "/elsewhere"), config_of(["Anna"]).replace("name: Anna", "name: Berta")],
        ids=["same-name", "same-place"],
    )
    def test_a_lost_state_and_an_edit_make_no_second_one(self, runs: Runs, wanted: str):
        assert runs.apply_here() == 0
        for path in runs.folder.glob("sendkit.state.json*"):
            path.unlink()
        runs.write(wanted)
        assert runs.apply_here() == 1
        assert "looks the same and is not recorded" in runs.outputs[-1]
        assert runs.posts() == 1
        assert runs.apply_here("--allow-duplicate") == 0
        assert runs.posts() == 2

    def test_an_entry_may_take_the_place_of_another_that_moves_away(self, runs: Runs):
        assert runs.apply_here() == 0
        runs.write(
            config_of(["Berta"]).replace("berta", "anna") + config_of(["Anna"]).split("webhooks:\n")[1].replace("/in", "/x")
        )
        assert runs.apply_here() == 0
        runs.check_each_made_once("Anna", "Berta")

    def test_a_server_without_a_list_is_told_once(self, tmp_path: Path):
        with Simulator(list_enabled=False) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna", "Berta"])
            assert runs.apply_here() == 0
            assert runs.outputs[-1].count(WITHOUT_LIST) == 1
            runs.check_each_made_once("Anna", "Berta")
