"""kill -9 at random moments under load and at every system call on the state; a holder that is stopped and goes on."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sendkit_sync.core import failpoints
from sendkit_sync.simulator import Fault, Simulator
from support.figures import SEED
from support.runs import Runs, at_point, config_of
from support.strace import FEW, calls_on_the_state, strace, with_strace
from support.waiting import wait_for

MANY = [f"Hook{number:02}" for number in range(24)]


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Runs]:
    with Simulator(latency_s=0.005) as simulator:
        yield Runs(tmp_path, simulator, MANY)


def kill_under_load(runs: Runs, chance: random.Random) -> None:
    """Kill an apply with eight calls at once after a random number of creates and a random moment; then recover."""
    process = runs.start("--parallelism", "8")
    enough = chance.randrange(len(MANY))
    wait_for(lambda: process.poll() is not None or runs.posts() >= enough, "the creates")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(chance.random() * 0.02)
    process.kill()
    runs.end(process)
    runs.recover()
    runs.note(kills=1)
    runs.check_recovers()


@pytest.mark.parametrize("round_", range(3))
def test_a_kill_at_a_random_moment_under_load(loaded: Runs, round_: int):
    kill_under_load(loaded, random.Random(f"{SEED} quick {round_}"))


@pytest.mark.soak
@pytest.mark.parametrize("round_", range(300))
def test_many_kills_at_random_moments_under_load(loaded: Runs, round_: int):
    kill_under_load(loaded, random.Random(f"{SEED} {round_}"))


COUNTER = """\
from sendkit_sync.core import failpoints
def hook(name):
    with open("reached", "a") as file:
        file.write(name + "\\n")
failpoints.hook = hook
from sendkit_sync.cli.main import main
main()
"""


def creating(folder: Path, simulator: Simulator) -> Runs:
    """Return runs of which the next makes two webhooks."""
    folder.mkdir()
    return Runs(folder, simulator, FEW)


def changing(folder: Path, simulator: Simulator) -> Runs:
    """Return runs of which the next makes one webhook, gives one another URL and secret, and deletes one."""
    runs = creating(folder, simulator)
    assert runs.apply_here() == 0
    runs.names = ("Anna", "Carla")
    changed = config_of(["Carla", "Anna"]).replace("anna.example/in", "anna.example/changed")
    runs.write(f"{changed}    secret: a-supplied-secret-of-some-length\n")
    return runs


Job = Callable[[Path, Simulator], Runs]
JOBS: dict[str, tuple[Job, tuple[str, ...]]] = {"creating": (creating, ()), "changing": (changing, ("--prune",))}
IN_ORDER = ("--parallelism", "1")


def reached(folder: Path, job: Job, words: tuple[str, ...]) -> list[tuple[str, int]]:
    """Apply once, and return the fail points in the order they were reached, each with the how-many-eth time it was."""
    with Simulator() as simulator:
        runs = job(folder, simulator)
        program = (sys.executable, "-P", "-c", COUNTER)
        assert runs.end(runs.start(*IN_ORDER, *words, program=program)) == 0, runs.outputs
    counts: Counter[str] = Counter()
    places = []
    for name in (folder / "reached").read_text().split():
        counts[name] += 1
        places.append((name, counts[name]))
    assert set(counts) == set(failpoints.NAMES)
    return places


def kill_at_point(folder: Path, job: Job, words: tuple[str, ...], place: str, count: int) -> None:
    """Kill an apply when it reaches a fail point for the `count`-th time, and recover."""
    with Simulator() as simulator:
        runs = job(folder, simulator)
        program = at_point(place, count, "os.kill(os.getpid(), signal.SIGKILL)")
        assert runs.end(runs.start(*IN_ORDER, *words, program=program)) == -signal.SIGKILL
        runs.recover(*words)
        runs.note(kills=1)
        runs.check_each_made_once(*runs.names)
        made = [request["name"] for request in simulator.requests if "id" in request]
        assert len(made) == len(set(made))
        assert set(runs.names) <= set(made) <= {*runs.names, *FEW}


@pytest.mark.parametrize("job", JOBS)
def test_a_kill_at_some_fail_points_in_the_middle_of_a_run(tmp_path: Path, job: str):
    for place, count in reached(tmp_path / "whole", *JOBS[job])[9::6]:
        kill_at_point(tmp_path / f"{place}-{count}", *JOBS[job], place, count)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("job", JOBS)
def test_a_kill_each_time_that_a_fail_point_is_reached(tmp_path: Path, job: str):
    for place, count in reached(tmp_path / "whole", *JOBS[job]):
        kill_at_point(tmp_path / f"{place}-{count}", *JOBS[job], place, count)


def kill_at_call(folder: Path, simulator: Simulator, call: str, number: int) -> None:
    """Kill an apply at its system call `number` of the name `call`, before it is carried out, and recover."""
    folder.mkdir()
    runs = Runs(folder, simulator, [f"{name}-{call}-{number}" for name in FEW])
    before = len(simulator.webhooks())
    process = runs.start(program=strace(runs, "-e", f"inject={call}:signal=KILL:when={number}"))
    assert runs.end(process) in (-signal.SIGKILL, 128 + signal.SIGKILL), runs.outputs
    runs.recover()
    runs.note(kills=1)
    live = [webhook for webhook in simulator.webhooks() if webhook["name"] in runs.names]
    assert sorted(webhook["name"] for webhook in live) == sorted(runs.names)
    assert len(simulator.webhooks()) == before + len(FEW)
    recorded = runs.state["webhooks"]
    for webhook in live:
        assert recorded[webhook["name"]]["id"] == webhook["_id"]
        assert recorded[webhook["name"]]["secret"]["value"] == webhook["secret"]  # type: ignore[index]
    runs.check_nothing_shown()


@with_strace
def test_a_kill_at_some_of_the_system_calls_on_the_state(tmp_path: Path, simulator: Simulator):
    calls = calls_on_the_state(tmp_path / "whole", simulator)
    for call, number in calls[3 :: len(calls) // 6]:
        kill_at_call(tmp_path / f"{call}-{number}", simulator, call, number)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@with_strace
def test_a_kill_at_every_system_call_on_the_state(tmp_path: Path, simulator: Simulator):
    for call, number in calls_on_the_state(tmp_path / "whole", simulator):
        kill_at_call(tmp_path / f"{call}-{number}", simulator, call, number)


def test_a_stopped_holder_keeps_the_lock_and_goes_on_later(tmp_path: Path, simulator: Simulator):
    runs = Runs(tmp_path, simulator, FEW)
    simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=0.5))
    holder = runs.start("--timeout", "1s", "--parallelism", "1")
    wait_for(runs.posts, "the first create")
    holder.send_signal(signal.SIGSTOP)
    try:
        assert runs.apply_here() == 75
        assert f"pid {holder.pid}" in runs.outputs[-1]
        with pytest.raises(subprocess.TimeoutExpired):
            holder.wait(1.2)
    finally:
        holder.send_signal(signal.SIGCONT)
    runs.end(holder)
    runs.check_recovers()
