"""What a run meets is not what the last one left: another workspace, another name, a list that lies, a record restored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendkit_sync.applying.resolving import expire_old
from sendkit_sync.core.clock import SystemRng
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, Intent
from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.store import Json, Store
from sendkit_sync.state import JournalLedger, open_ledger
from support.runs import Runs, config_of, die_at
from support.world import FakeClock

AT_ONCE = ("--resend-after", "0s")
ANNA = {"name": "Anna", "url": "https://anna.example/in", "events": ["email.opened"]}
MADE = "outcome-buffered"
"""Where a create has happened, and its outcome is not on disk."""
OTHER_KEY = {"SENDKIT_API_KEY": "sk_other"}


def use(runs: Runs, **environment: str) -> None:
    """Let the runs from now on have these variables too."""
    former = runs.environment()
    runs.environment = lambda: former | environment  # type: ignore[method-assign]


@pytest.fixture(params=["masked", "whole"])
def two_workspaces(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    """A workspace that its state knows already, and the key of another one with a webhook of the same name and place."""
    keys = {"sk_canary_key_7f3a": ["ws_ours"], "sk_other": ["ws_other"]}
    with Simulator(keys=keys, mask_secrets=request.param == "masked") as simulator:
        runs = Runs(tmp_path, simulator, ["Dora"])
        assert runs.apply_here() == 0
        simulator.store.create("ws_other", ANNA)
        yield runs


class TestAnotherWorkspace:
    def test_a_lost_create_is_not_settled_from_its_list(self, two_workspaces: Runs):
        runs = two_workspaces
        runs.write(config_of(["Dora", "Anna"]))
        die_at(runs, MADE)
        ours = {name: value for name, value in runs.environment().items() if name == "SENDKIT_API_KEY"}
        use(runs, **OTHER_KEY)
        assert runs.apply_here(*AT_ONCE) == 1
        assert "the API key belongs to workspace ws_other" in runs.outputs[-1]
        assert list(runs.state["webhooks"]) == ["Dora"]
        use(runs, **ours)
        assert runs.apply_here(*AT_ONCE) == 0
        made = [webhook for webhook in runs.simulator.webhooks() if webhook["workspaceId"] == "ws_ours"]
        assert sorted(webhook["name"] for webhook in made) == ["Anna", "Dora"]
        assert runs.state["webhooks"]["Anna"]["id"] == made[-1]["_id"]

    def test_a_delete_without_an_outcome_is_not_settled_by_its_404(self, two_workspaces: Runs):
        runs = two_workspaces
        runs.write(config_of(["Emil"]))
        assert runs.apply_here() == 0
        die_at(runs, "intent-durable", "--prune")
        use(runs, **OTHER_KEY)
        assert runs.apply_here() == 1
        assert "the API key belongs to workspace ws_other" in runs.outputs[-1]
        assert "Dora" in runs.state["webhooks"]

    def test_an_orphan_is_not_forgotten_for_its_404(self, two_workspaces: Runs):
        runs = two_workspaces
        runs.write(config_of(["Emil"]))
        assert runs.apply_here() == 0
        use(runs, **OTHER_KEY)
        assert runs.apply_here("--prune") == 1
        assert "the API key belongs to workspace ws_other" in runs.outputs[-1]
        assert "Dora" in runs.state["webhooks"]


class Elsewhere(Store):
    """A server that makes the second of its webhooks in another workspace than it was asked to."""

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        return super().create("ws_elsewhere" if len(self.all()) == 1 else workspace, body, webhook_id)


def test_a_create_that_is_answered_from_another_workspace_is_recorded_and_stops_the_run(runs: Runs):
    runs.simulator.store = Elsewhere(mask_secrets=False, page_form="cursor")
    runs.write(config_of(["Anna", "Berta", "Carla"]))
    assert runs.apply_here("--parallelism", "1") == 1
    assert "created in workspace ws_elsewhere" in runs.outputs[-1]
    assert runs.posts() == 2
    runs.check_each_made_once("Anna", "Berta")


class Loud(Store):
    """A server that makes another name of the one that it is sent."""

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        assert isinstance(body, dict)
        return super().create(workspace, {**body, "name": body["name"].upper()}, webhook_id)


class Confused(Store):
    """A server that makes a webhook, and answers with one that it made before."""

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        super().create(workspace, body, webhook_id)
        return self.all()[0]


class Trimming(Store):
    """A server that makes another secret of the one that it is sent, and says so."""

    def create(self, workspace: str, body: object, webhook_id: str | None = None) -> Json:
        assert isinstance(body, dict)
        return super().create(workspace, {**body, "secret": body["secret"][:40]}, webhook_id)


class TestAnotherName:
    @pytest.fixture(params=[False, True], ids=["whole", "masked"])
    def loud(self, request: pytest.FixtureRequest, runs: Runs) -> Runs:
        runs.simulator.store = Loud(mask_secrets=request.param, page_form="cursor")
        return runs

    def test_an_answer_with_the_secret_that_was_sent_is_believed(self, loud: Runs):
        assert loud.apply_here() == 0
        assert "the API returned a different name" in loud.outputs[-1]
        check_kept(loud, "ANNA")

    def test_a_lost_answer_is_settled_by_the_secret_where_the_list_shows_it_and_never_doubled(self, loud: Runs):
        loud.simulator.add_fault(Fault("POST", when="after", kind="drop"))
        masked = loud.simulator.store._mask
        assert loud.apply_here() == (1 if masked else 0)
        if masked:  # nothing proves whose it is
            assert loud.apply_here(*AT_ONCE) == 1
            assert "looks the same and is not recorded" in loud.outputs[-1]
            webhook_id = loud.simulator.webhooks()[0]["_id"]
            assert loud.run("state", "resolve", "Anna", "--id", webhook_id).returncode == 0
            assert loud.apply_here() == 0
        check_kept(loud, "ANNA")


def test_an_answer_with_another_webhook_is_not_believed(runs: Runs):
    runs.simulator.store = Confused(mask_secrets=False, page_form="cursor")
    assert runs.apply_here() == 0
    runs.write(config_of(["Anna", "Berta"]))
    assert runs.apply_here() == 0
    runs.check_each_made_once("Anna", "Berta")
    assert len(runs.simulator.webhooks()) == 2


def test_a_possible_duplicate_that_was_there_before_is_never_taken_for_the_lost_create(tmp_path: Path):
    with Simulator(mask_secrets=True) as simulator:
        runs = Runs(tmp_path, simulator, ["Anna"])
        simulator.store.create("ws_demo", ANNA)
        simulator.add_fault(Fault("POST", nth=1, when="before", kind="drop"))
        assert runs.apply_here("--allow-duplicate") == 1
        assert list(runs.state["pending"]) == ["Anna"]
        assert runs.state["webhooks"] == {}


class TestTheClock:
    @pytest.fixture
    def attempt(self, tmp_path: Path) -> Iterator[tuple[FakeClock, JournalLedger]]:
        """A create that was sent now, as the clock says."""
        clock = FakeClock()
        with open_ledger(
            str(tmp_path / "s.json"), api="https://api.example", clock=clock, rng=SystemRng(), purpose="test"
        ) as book:
            book.begin(Intent("op", ActionKind.CREATE, "Anna", clock.now(), Settings("https://a.example", ("email.sent",))))
            yield clock, book

    def test_an_attempt_expires_when_it_is_older_than_resend_after(self, attempt: tuple[FakeClock, JournalLedger]):
        clock, book = attempt
        clock.advance(300)
        expire_old(book, clock.now(), ["Anna"], 300)
        assert book.state.unresolved() == ["Anna"]
        clock.advance(1)
        expire_old(book, clock.now(), ["Anna"], 300)
        assert book.state.unresolved() == []
        assert book.state.pending["Anna"][0].expired

    def test_a_clock_that_went_back_makes_no_attempt_old(self, attempt: tuple[FakeClock, JournalLedger]):
        clock, book = attempt
        clock.wall -= 100_000
        expire_old(book, clock.now(), ["Anna"], 300)
        assert book.state.unresolved() == ["Anna"]


def check_kept(runs: Runs, live_name: str) -> None:
    (live,) = runs.simulator.webhooks()
    assert live["name"] == live_name
    recorded = runs.state["webhooks"]["Anna"]
    assert (recorded["id"], recorded["secret"]["value"]) == (live["_id"], live["secret"])  # type: ignore[index]
    runs.check_nothing_shown()


def test_a_secret_that_the_server_changed_is_told_and_does_not_replace_the_one_that_was_sent(runs: Runs):
    runs.simulator.store = Trimming(mask_secrets=False, page_form="cursor")
    assert runs.apply_here() == 0
    assert "the API returned a different secret" in runs.outputs[-1]
    (live,) = runs.simulator.webhooks()
    kept = str(runs.state["webhooks"]["Anna"]["secret"]["value"])  # type: ignore[index]
    assert kept != live["secret"]
    assert kept.startswith(live["secret"])
    runs.check_nothing_shown()


class TestAListThatLies:
    def test_a_list_that_misses_a_lost_create_once_does_not_double_it(self, runs: Runs):
        die_at(runs, MADE)
        runs.simulator.add_fault(Fault("GET", "/v1/webhooks", nth=1, kind="empty"))
        assert runs.apply_here(*AT_ONCE) == 1
        assert "looks the same and is not recorded" in runs.outputs[-1]
        runs.check_recovers()

    def test_a_stale_list_leaves_a_young_attempt_alone(self, runs: Runs):
        die_at(runs, MADE)
        runs.simulator.add_fault(Fault("GET", "/v1/webhooks", kind="empty"))
        assert runs.apply_here() == 1
        runs.simulator.faults.clear()
        runs.check_recovers()

    @pytest.mark.parametrize("page_form", ["cursor", "pages"])
    def test_a_list_that_changes_while_it_is_read_does_not_double(self, tmp_path: Path, page_form: str):
        with Simulator(page_form=page_form) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            others = [
                simulator.store.create("ws_demo", {**ANNA, "name": f"Other {n}", "url": f"https://{n}.example/"})
                for n in range(100)
            ]
            die_at(runs, MADE)
            answer = simulator.store.page

            def page(workspace: str, query: dict[str, str]) -> Json:
                shown = answer(workspace, query)
                if others:  # the page after this one has moved up by one
                    simulator.delete(others.pop(0)["_id"])
                return shown

            simulator.store.page = page  # type: ignore[method-assign]
            runs.apply_here(*AT_ONCE)
            others.clear()
            assert runs.recover() <= 2
            assert runs.posts(made=True) == 1
            live = [webhook for webhook in simulator.webhooks() if webhook["name"] == "Anna"]
            assert [runs.state["webhooks"]["Anna"]["id"]] == [webhook["_id"] for webhook in live]

    def test_two_that_fit_one_attempt_stay_unresolved_and_are_told_by_hand(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            die_at(runs, MADE)
            simulator.store.create("ws_demo", ANNA)
            for _ in range(2):
                assert runs.apply_here(*AT_ONCE) == 1
                assert 'unresolved: create "Anna"' in runs.outputs[-1]
            assert runs.posts() == 1
            webhook_id = simulator.webhooks()[0]["_id"]
            assert runs.run("state", "resolve", "Anna", "--id", webhook_id).returncode == 0
            assert runs.apply_here() == 0


class TestByHand:
    def test_an_attempt_is_resolved_while_its_journal_stands(self, runs: Runs):
        die_at(runs, MADE)
        assert (runs.folder / "sendkit.state.json.journal").exists()
        webhook_id = runs.simulator.webhooks()[0]["_id"]
        assert runs.run("state", "resolve", "Anna", "--id", webhook_id).returncode == 0
        assert not (runs.folder / "sendkit.state.json.journal").exists()
        runs.check_each_made_once("Anna")
        assert runs.apply_here() == 0
        assert runs.posts() == 1

    def test_an_attempt_that_is_wrongly_resolved_as_not_created_is_not_doubled(self, runs: Runs):
        die_at(runs, MADE)
        assert runs.run("state", "resolve", "Anna", "--not-created").returncode == 0
        assert runs.apply_here(*AT_ONCE) == 1
        assert "looks the same and is not recorded" in runs.outputs[-1]
        assert runs.posts() == 1

    def test_a_backup_from_before_the_last_run_doubles_nothing(self, runs: Runs):
        assert runs.apply_here() == 0
        shutil.copy(runs.folder / "sendkit.state.json.backup", runs.folder / "sendkit.state.json")
        assert runs.apply_here(*AT_ONCE) == 1
        assert "looks the same and is not recorded" in runs.outputs[-1]
        assert runs.run("import", "--matching").returncode == 0
        assert runs.apply_here() == 0
        runs.check_each_made_once("Anna")

    def test_an_attempt_that_expired_is_not_adopted_over_for_its_secret_would_go(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            die_at(runs, MADE)
            simulator.add_fault(Fault("GET", "/v1/webhooks", nth=1, kind="empty"))
            assert runs.apply_here(*AT_ONCE) == 1
            webhook_id = simulator.webhooks()[0]["_id"]
            refused = runs.run("import", "Anna", webhook_id)
            assert refused.returncode == 1
            assert f"sendkit-sync state resolve Anna --id {webhook_id}" in refused.stderr
            assert runs.run("state", "resolve", "Anna", "--id", webhook_id).returncode == 0
            assert runs.apply_here() == 0
            runs.check_each_made_once("Anna")

    @pytest.mark.parametrize("happened", [True, False])
    def test_a_webhook_is_wanted_again_while_its_delete_has_no_outcome(self, runs: Runs, happened: bool):
        assert runs.apply_here() == 0
        runs.write("version: 1\nwebhooks: []\n")
        die_at(runs, MADE if happened else "intent-durable", "--prune", "--force")
        runs.write(config_of(["Anna"]))
        assert runs.apply_here() == 0
        assert runs.posts(made=True) == (2 if happened else 1)
        runs.check_each_made_once("Anna")

    @pytest.mark.parametrize("place", ["intent-durable", "outcome-buffered", "outcome-durable", "fold-done"])
    def test_a_saved_plan_is_not_carried_out_twice(self, runs: Runs, place: str):
        assert runs.apply_here() == 0
        runs.write(config_of(["Anna", "Berta"]))
        assert runs.run("plan", "--out", "saved.json").returncode == 0
        saved = ("--plan", str(runs.folder / "saved.json"))
        die_at(runs, place, *saved)
        assert runs.apply_here(*AT_ONCE, *saved) == 1
        assert "stale" in runs.outputs[-1]
        assert runs.recover() <= 2
        runs.check_each_made_once("Anna", "Berta")
        assert runs.posts(made=True) == 2


class TestSecretsOfTheServer:
    @pytest.fixture
    def runs(self, tmp_path: Path) -> Iterator[Runs]:
        with Simulator() as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            runs.write(config_of(["Anna"]) + "generateSecret: server\n")
            yield runs

    @pytest.mark.parametrize("kind", ["none", "drop", "cut", "garbage", "redirect"])
    def test_they_are_recorded_from_the_answer_or_else_from_the_list(self, runs: Runs, kind: str):
        if kind != "none":
            runs.simulator.add_fault(Fault("POST", nth=1, when="after", kind=kind))
        assert runs.apply_here() == 0
        runs.check_each_made_once("Anna")
        assert runs.posts() == 1

    @pytest.mark.parametrize("place", ["request-sent", "intent-durable", "outcome-buffered"])
    def test_a_killed_run_finds_them_in_the_list(self, runs: Runs, place: str):
        die_at(runs, place)
        runs.check_recovers()

    def test_a_lost_answer_where_the_list_masks_them_leaves_a_record_that_says_so(self, tmp_path: Path):
        with Simulator(mask_secrets=True) as simulator:
            runs = Runs(tmp_path, simulator, ["Anna"])
            runs.write(config_of(["Anna"]) + "generateSecret: server\n")
            simulator.add_fault(Fault("POST", nth=1, when="after", kind="drop"))
            assert runs.apply_here() == 0
            assert runs.state["webhooks"]["Anna"]["secret"] == {"missing": True}
            assert 'Missing secrets (the webhook is recorded without its secret):\n  "Anna"' in runs.run("plan").stdout
            assert runs.posts() == 1
