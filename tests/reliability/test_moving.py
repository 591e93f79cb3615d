"""A state that moves: killed at each step it is never live in two places, and the next try finishes or gives up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sendkit_sync.core import failpoints
from sendkit_sync.core.errors import FencedError, RefusedError, StateMovedError
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, Settings, StoredSecret, WebhookRecord
from sendkit_sync.core.ports import Store
from sendkit_sync.simulator import Simulator
from sendkit_sync.state import open_ledger, open_store, read_store
from sendkit_sync.state.moving import Move
from support.fake_register import Cell, fake_store
from support.stores import place
from support.workspace import Workspace
from support.world import CountingRng, Crash, FakeClock

API = "https://api.example"
PLACE = Settings("https://a.example", ("email.sent",))
SECRET = StoredSecret(SecretOrigin.GENERATED, Secret("kept"))
RNG = CountingRng()
POINTS = ("move-begun", "move-delivered", "move-finished")

Opener = Callable[[], Store]
PAIRS = [("file", "register"), ("register", "file"), ("file", "file"), ("register", "register")]


@pytest.fixture(params=PAIRS, ids="-to-".join)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Opener, Opener]:
    """Return what opens the source, which holds a record and an open intent, and the destination."""

    def opener(kind: str, name: str) -> Opener:
        if kind == "file":
            return lambda: open_store(str(tmp_path / name))
        cell, clock = Cell(), FakeClock()
        return lambda: fake_store(cell, clock=clock)

    source, destination = (opener(kind, name) for kind, name in zip(request.param, ("source", "destination"), strict=True))
    with pytest.raises(Crash):
        leave_open(source())
    return source, destination


def leave_open(store: Store) -> None:
    with open_ledger(store, api=API, clock=FakeClock(), rng=RNG, purpose="test") as book:
        book.record("A", WebhookRecord("id", PLACE, PLACE, "A", SECRET))
        book.begin(Intent("op", ActionKind.CREATE, "B", 1.0, PLACE, SECRET))
        raise Crash


def move(stores: tuple[Opener, Opener]) -> Move:
    source, destination = stores
    return Move(source(), destination(), "the-destination", FakeClock(), threading.Event(), 0.0)


def live(stores: tuple[Opener, Opener]) -> list[int]:
    """Return which of the places hold a state that a run would write."""
    found = []
    for number, opener in enumerate(stores):
        try:
            if read_store(opener()) is not None:
                found.append(number)
        except StateMovedError:
            pass
    return found


def killed(deed: Callable[[], None], point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something, and die at a fail point."""
    with monkeypatch.context() as patch:
        die_at(point, patch)
        with pytest.raises(Crash):
            deed()


def die_at(point: str, patch: pytest.MonkeyPatch) -> None:
    def hook(name: str) -> None:
        if name == point:
            raise Crash

    patch.setattr(failpoints, "hook", hook)


def check_whole(store: Store) -> None:
    state = read_store(store)
    assert state is not None
    assert (state.webhooks["A"].secret, state.unresolved()) == (SECRET, ["B"])


def test_it_is_at_the_destination_with_all_it_held(stores: tuple[Opener, Opener]):
    move(stores).run()
    assert live(stores) == [1]
    check_whole(stores[1]())
    with pytest.raises(StateMovedError, match="moved to the-destination"):
        read_store(stores[0]())
    move(stores).run()
    assert live(stores) == [1]


@pytest.mark.parametrize("point", [*POINTS, "fold-begun", "snapshot-renamed", "fold-done", "journal-removed"])
def test_killed_at_any_step_it_is_never_live_twice_and_the_next_try_finishes(
    stores: tuple[Opener, Opener], point: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        die_at(point, patch)
        try:
            move(stores).run()
        except Crash:
            assert len(live(stores)) <= 1
    move(stores).run()
    assert live(stores) == [1]
    check_whole(stores[1]())


@pytest.mark.parametrize("point", ["move-begun", "move-delivered"])
@pytest.mark.parametrize("again", ["move-tombstoned", None])
def test_given_up_it_stays_at_its_source_also_when_that_is_killed(
    stores: tuple[Opener, Opener], point: str, again: str | None, monkeypatch: pytest.MonkeyPatch
):
    killed(move(stores).run, point, monkeypatch)
    if again is not None:
        killed(move(stores).abort, again, monkeypatch)
        assert live(stores) == []
    move(stores).abort()
    assert live(stores) == [0]
    check_whole(stores[0]())
    with pytest.raises(RefusedError, match="no move"):
        move(stores).abort()
    move(stores).run()
    assert live(stores) == [1]


def test_one_that_is_used_at_its_destination_already_is_not_given_up(
    stores: tuple[Opener, Opener], monkeypatch: pytest.MonkeyPatch
):
    killed(move(stores).run, "move-delivered", monkeypatch)
    with open_ledger(stores[1](), api=API, clock=FakeClock(), rng=RNG, purpose="test") as book:
        book.set_workspace("w")
    with pytest.raises(RefusedError, match="in use"):
        move(stores).abort()
    move(stores).run()
    state = read_store(stores[1]())
    assert state is not None
    assert state.workspace_id == "w"


def test_a_destination_with_another_state_is_left_alone(stores: tuple[Opener, Opener]):
    with open_ledger(stores[1](), api=API, clock=FakeClock(), rng=RNG, purpose="test") as book:
        book.set_workspace("w")
    before = stores[1]().read()
    with pytest.raises(RefusedError, match="another state"):
        move(stores).run()
    assert stores[1]().read().snapshot == before.snapshot
    move_back = move(stores)
    with pytest.raises(RefusedError, match="in use"):
        move_back.abort()


@pytest.mark.parametrize("after", ["move-begun", "register-read"])
def test_a_mover_that_was_halted_and_given_up_meanwhile_writes_nothing(after: str, monkeypatch: pytest.MonkeyPatch):
    cells, clock = (Cell(), Cell()), FakeClock()
    with pytest.raises(Crash):
        leave_open(fake_store(cells[0], clock=clock))

    def opener(number: int, point: Callable[[str], None] = lambda name: None) -> Store:
        return fake_store(cells[number], clock=clock, point=point)

    pair: tuple[Opener, Opener] = (lambda: opener(0), lambda: opener(1))
    given_up = []

    def give_up(name: str) -> None:
        """Let somebody else give the move up, while this process is halted between two steps."""
        begun = cells[0].content is not None and b"movingTo" in cells[0].content
        if name == after and begun and not given_up:
            given_up.append(name)
            monkeypatch.setattr(failpoints, "hook", lambda name: None)
            move(pair).abort()

    monkeypatch.setattr(failpoints, "hook", give_up)
    halted = Move(opener(0), opener(1, give_up), "the-destination", clock, threading.Event(), 0.0)
    with pytest.raises(FencedError):
        halted.run()
    assert given_up
    assert live(pair) == [0]


@pytest.mark.parametrize("kind", ["postgres", "s3"])
def test_to_a_real_store_and_back(request: pytest.FixtureRequest, tmp_path: Path, simulator: Simulator, kind: str):
    there = place(kind, request, tmp_path)
    workspace = Workspace(tmp_path, simulator)
    assert workspace.apply().returncode == 0
    moved = workspace.run("state", "migrate", "--to", there.address)
    assert moved.returncode == 0, moved.stderr
    refused = workspace.run("plan")
    assert (refused.returncode, there.address in refused.stderr) == (65, True)
    assert workspace.run("plan", "--detailed-exitcode", "--state", there.address).returncode == 0
    pulled = workspace.run("state", "pull", "--state", there.address)
    assert set(json.loads(pulled.stdout)["webhooks"]) == {"CRM Sync", "Analytics"}
    back = workspace.run("state", "migrate", "--state", there.address, "--to", "back.json")
    assert back.returncode == 0, back.stderr
    assert workspace.run("plan", "--detailed-exitcode", "--state", "back.json").returncode == 0
    assert len(simulator.webhooks()) == 2
