"""Each fault of the simulator, before and after it acted, at the first, a middle and the last call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.simulator.faults import KINDS
from support.runs import Runs, config_of
from support.waiting import wait_for

FIVE = ["Anna", "Berta", "Carla", "Dora", "Emma"]
IN_ORDER = ("--parallelism", "1", "--settle", "100ms")
PACE = {"delay": 0.6, "drip": 0.05}
SECRET = "canary-of-the-config"
MOMENTS = [(kind, when, 1) for kind in KINDS for when in ("before", "after")]
MOMENTS += [(kind, when, None) for kind in ("status", "drop", "redirect") for when in ("before", "after")]
LIES = [("no-id", "before", 1), ("empty", "before", 1)]
"""A delete that answers success and did nothing: that cannot be told."""
WITH_SECRET = config_of(["Anna"]) + "    secret: ${ANNA}\n"


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with Simulator() as simulator:
        yield Runs(tmp_path, simulator, FIVE)


def order(runs: Runs, method: str, kind: str, when: str, nth: int | None) -> tuple[str, ...]:
    """Order a fault; return the flags of a run that it shall hit."""
    runs.simulator.add_fault(Fault(method, "/v1/webhooks*", nth, when, kind, delay_s=PACE.get(kind, 0.0)))
    return (*IN_ORDER, "--timeout", "400ms") if kind in PACE else IN_ORDER


@pytest.mark.parametrize("nth", [1, 3, 5])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_create_that_it_hits(runs: Runs, kind: str, when: str, nth: int):
    flags = order(runs, "POST", kind, when, nth)
    runs.apply_here(*flags)
    wait_for(lambda: runs.posts() == len(FIVE), "the call that the server was late to act on")
    runs.check_recovers()


@pytest.mark.parametrize(("kind", "when", "nth"), MOMENTS)
def test_an_update_that_it_hits(runs: Runs, kind: str, when: str, nth: int | None):
    runs.write(config_of(["Anna"]))
    assert runs.apply_here() == 0
    runs.write(WITH_SECRET)
    former = runs.environment()
    runs.environment = lambda: former | {"SENDKIT_SECRET_ANNA": SECRET}  # type: ignore[method-assign]
    code = runs.apply_here(*order(runs, "PATCH", kind, when, nth))
    assert code == (0 if nth == 1 else 1), runs.outputs[-1]
    state = json.loads((runs.folder / "sendkit.state.json").read_text())
    assert runs.simulator.webhooks()[0]["secret"] in json.dumps(state)
    runs.simulator.faults.clear()
    assert runs.apply_here() == 0
    runs.check_each_made_once("Anna")
    assert runs.simulator.webhooks()[0]["secret"] == SECRET


@pytest.mark.parametrize(("kind", "when", "nth"), [moment for moment in MOMENTS if moment not in LIES])
def test_a_delete_that_it_hits(runs: Runs, kind: str, when: str, nth: int | None):
    runs.write(config_of(["Anna", "Berta"]))
    assert runs.apply_here() == 0
    runs.write(config_of(["Anna"]))
    runs.apply_here("--prune", *order(runs, "DELETE", kind, when, nth))
    live = {webhook["_id"] for webhook in runs.simulator.webhooks()}
    assert live <= {str(recorded["id"]) for recorded in runs.state["webhooks"].values()}, "forgotten while it is live"
    runs.simulator.faults.clear()
    assert runs.apply_here("--prune") == 0
    runs.check_each_made_once("Anna")


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_that_it_hits_before_the_first_create(runs: Runs, kind: str):
    flags = order(runs, "GET", kind, "before", None)
    runs.apply_here(*flags)
    # A list that is empty is a list; any other fault means that no create is sent unguarded.
    assert runs.posts() == (len(FIVE) if kind == "empty" else 0), runs.outputs[-1]
    runs.simulator.faults.clear()
    runs.check_recovers()
