"""Runs of real processes over real stores: killed, halted, cut off and taken over, they make nothing twice and lose nothing."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sendkit_sync.core import failpoints
from sendkit_sync.core.clock import SystemClock
from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.state import open_store
from sendkit_sync.state.stores import postgres as postgres_store
from sendkit_sync.state.stores.register import Register, RegisterError
from support import postgres
from support.quick_lease import PROGRAM
from support.runs import Runs, at_point, config_of
from support.stores import SLOW, Place, place
from support.waiting import wait_for

FEW = ["Anna", "Berta"]
MANY = [f"Hook{number:02}" for number in range(24)]
KILL, HALT = "os.kill(os.getpid(), signal.SIGKILL)", "os.kill(os.getpid(), signal.SIGSTOP)"
IN_ORDER = ("--parallelism", "1")
AT_ONCE = (sys.executable, "-P", "-c", f"{PROGRAM}from sendkit_sync.cli.main import main\nmain()\n")
"""An apply whose lease is dead after two seconds."""
COUNTER = f"""\
{PROGRAM}
from sendkit_sync.core import failpoints
def hook(name):
    with open("reached", "a") as file:
        file.write(name + "\\n")
failpoints.hook = hook
from sendkit_sync.cli.main import main
main()
"""
ON_FILES_ONLY = {"snapshot-written", "snapshot-renamed", "journal-opened", "journal-removed"}
SENDS = {"gate-passed", "request-sent"}
"""Behind these the call of a halted run is on its way, whoever holds the lease."""
QUICK_POINTS = ["intent-durable", "gate-passed", "outcome-durable", "fold-done"]

Job = Callable[..., Runs]


@pytest.fixture(params=["postgres", "s3", *(pytest.param(kind, marks=pytest.mark.soak) for kind in ("pgbouncer", *SLOW))])
def job(request: pytest.FixtureRequest, tmp_path: Path, simulator: Simulator) -> Job:
    """Return what starts a folder with a state of its own in one kind of store."""

    def start(names: list[str] = FEW, simulator_: Simulator = simulator) -> Runs:
        there = place(request.param, request, tmp_path)
        folder = tmp_path / f"job{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return Runs(folder, simulator_, names, there)

    return start


def place_of(runs: Runs) -> Place:
    assert runs.place is not None
    return runs.place


def places(job: Job) -> list[tuple[str, int]]:
    """Apply once, and return the fail points in the order they were reached, each with the how-many-eth time it was."""
    with Simulator() as simulator:
        runs = job(simulator_=simulator)
        assert runs.end(runs.start(*IN_ORDER, program=(sys.executable, "-P", "-c", COUNTER))) == 0, runs.outputs
    counts: Counter[str] = Counter()
    found = []
    for name in (runs.folder / "reached").read_text().split():
        counts[name] += 1
        found.append((name, counts[name]))
    assert set(counts) - {"lease-renewed"} == set(failpoints.NAMES) - ON_FILES_ONLY
    return found


@pytest.mark.parametrize("point", QUICK_POINTS)
def test_a_kill_at_a_fail_point(job: Job, point: str):
    runs = job()
    process = runs.start(*IN_ORDER, program=at_point(point, 1, KILL))
    assert runs.end(process) == -signal.SIGKILL, runs.outputs
    runs.check_recovers()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_kill_each_time_that_a_fail_point_is_reached(job: Job):
    for point, count in places(job):
        with Simulator() as simulator:
            runs = job(simulator_=simulator)
            process = runs.start(*IN_ORDER, program=at_point(point, count, KILL))
            assert runs.end(process) == -signal.SIGKILL, runs.outputs
            runs.check_recovers()


def halt_at(runs: Runs, point: str, count: int) -> None:
    """Halt an apply at a fail point, let another run take over, and let the first go on: it stops, and harms nothing."""
    process = runs.start(*IN_ORDER, program=at_point(point, count, HALT))
    try:
        wait_for(lambda: state_of(process) == "T" or process.poll() is not None, "the halt")
        assert runs.apply_here() in (0, 1), runs.outputs
        posts = runs.posts()
    finally:
        process.send_signal(signal.SIGCONT)
    code = runs.end(process)
    assert code == (0 if point == "fold-done" else 74), runs.outputs
    assert "Traceback" not in "".join(runs.outputs)
    assert runs.posts() <= posts + (point in SENDS), "a fenced run has sent something"
    runs.check_recovers()


def state_of(process: subprocess.Popen[str]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("point", QUICK_POINTS)
def test_a_run_that_is_halted_and_taken_over_stops_when_it_goes_on(job: Job, point: str):
    halt_at(job(), point, 1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_halt_each_time_that_a_fail_point_is_reached(job: Job):
    for point, count in places(job):
        if point != "lease-renewed":
            with Simulator() as simulator:
                halt_at(job(simulator_=simulator), point, count)


def test_a_run_that_is_halted_after_it_took_over_is_taken_over_in_turn(job: Job):
    runs = job()
    killed = runs.start(*IN_ORDER, program=at_point("intent-durable", 1, KILL))
    assert runs.end(killed) == -signal.SIGKILL
    halt_at(runs, "taken-over", 1)


def test_of_two_takers_of_a_dead_lease_one_runs_after_the_other(job: Job):
    runs = job(MANY)
    killed = runs.start("--parallelism", "4", program=at_point("outcome-durable", 5, KILL))
    assert runs.end(killed) == -signal.SIGKILL
    takers = [runs.start("--lock-timeout", "30s", program=AT_ONCE) for _ in range(3)]
    codes = [runs.end(taker) for taker in takers]
    assert set(codes) <= {0, 1}, runs.outputs  # an unresolved create may stay for a later run
    runs.check_recovers()


def test_a_live_run_is_not_taken_over_however_long_its_calls_take(job: Job):
    runs = job()
    runs.simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=4.0))
    holder = runs.start(*IN_ORDER, program=AT_ONCE)
    wait_for(runs.posts, "the first create")
    assert runs.apply_here() == 75
    assert f"pid {holder.pid}" in runs.outputs[-1]
    assert runs.end(holder) == 0, runs.outputs
    runs.check_recovers()


def test_runs_at_once_make_each_webhook_once(job: Job):
    runs = job(MANY)
    processes = [runs.start("--lock-timeout", "50s", program=AT_ONCE) for _ in range(3)]
    assert [runs.end(process) for process in processes] == [0, 0, 0], runs.outputs
    runs.check_recovers()


def test_readers_see_whole_states_while_runs_come_and_go(job: Job):
    runs = job(MANY)
    assert runs.apply_here() == 0
    over = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not over.is_set():
            stored = place_of(runs).open().read()
            assert stored.snapshot is not None
            seen.append(stored.snapshot.count(b'"applied"'))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(4):
            runs.names = tuple(MANY[: 20 + number])
            runs.write(config_of(runs.names))
            assert runs.apply_here("--prune", "--force") == 0, runs.outputs
    finally:
        over.set()
        reader.join()
    assert set(seen) <= {*range(20, 25)}
    assert len(seen) > 4


def restore(runs: Runs, before: Any) -> None:
    """Put an old version of the state back, as from a backup."""
    register: Register = place_of(runs).open()._register  # type: ignore[attr-defined]
    now = register.read()
    assert now is not None
    register.swap(now, before)
    register.close()


def test_an_old_version_that_is_restored_makes_no_duplicates(job: Job):
    runs = job()
    runs.write(config_of(("Anna",)))
    assert runs.apply_here() == 0
    register: Register = place_of(runs).open()._register  # type: ignore[attr-defined]
    before = register.read()
    register.close()
    runs.write(config_of(("Anna", "Berta", "Carla")))
    assert runs.apply_here() == 0
    restore(runs, before)
    assert runs.apply_here() == 1
    assert "looks the same and is not recorded" in runs.outputs[-1] or "duplicate" in runs.outputs[-1]
    assert runs.posts() == 3


def test_behind_a_pooler_each_statement_may_meet_another_session(
    pgbouncer: postgres.Server, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
):
    told: list[Exception] = []
    monkeypatch.setattr(postgres_store, "_told", lambda error: told.append(error) or RegisterError("no", lasting=True))
    opener = place("pgbouncer", request, tmp_path).open
    with opener().locked(clock=SystemClock(), purpose="test", timeout_s=0.0, stop=threading.Event()) as term:
        term.start(b"header\n")
        for number in range(6):
            with pgbouncer.occupied() if number % 2 else contextlib.nullcontext():
                term.append(b"line\n")
    assert opener().read().journal == b"header\n" + b"line\n" * 6
    assert told == []


class TestPostgres:
    """What only a server of its own can show."""

    @pytest.fixture
    def server(self) -> Iterator[postgres.Server]:
        with postgres.postgres() as server:
            yield server

    def runs(self, server: postgres.Server, folder: Path, simulator: Simulator, names: list[str]) -> Runs:
        address = server.url("state")
        (folder / "job").mkdir(exist_ok=True)
        return Runs(folder / "job", simulator, names, Place("postgres", lambda: open_store(address), address))

    @pytest.fixture(autouse=True)
    def password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)

    def test_connections_that_are_killed_all_the_time_lose_and_double_nothing(self, server: postgres.Server, tmp_path: Path):
        with Simulator(latency_s=0.1) as slow:
            self.kill_connections(self.runs(server, tmp_path, slow, MANY), server)

    def kill_connections(self, runs: Runs, server: postgres.Server) -> None:
        over, killed = threading.Event(), [0]

        def kill() -> None:
            with server.connect() as connection:
                while not over.wait(0.05):
                    found = connection.execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sendkit-sync'"
                    ).fetchall()
                    killed[0] += len(found)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            assert runs.apply_here("--parallelism", "4") == 0, runs.outputs
        finally:
            over.set()
            killer.join()
        assert killed[0] > 3
        runs.check_recovers()

    def test_a_server_that_is_away_between_intent_and_outcome_is_waited_for(
        self, server: postgres.Server, tmp_path: Path, simulator: Simulator
    ):
        runs = self.runs(server, tmp_path, simulator, FEW)
        simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=1.0))
        process = runs.start(*IN_ORDER)
        wait_for(runs.posts, "the first create")
        server.command("stop", "-m", "immediate")
        time.sleep(3)
        server.command("start")
        assert runs.end(process) == 0, runs.outputs
        runs.check_recovers()

    def test_a_password_that_is_changed_in_a_run_ends_it_and_loses_nothing(
        self, server: postgres.Server, tmp_path: Path, simulator: Simulator
    ):
        runs = self.runs(server, tmp_path, simulator, FEW)
        simulator.add_fault(Fault("POST", nth=1, when="after", kind="delay", delay_s=1.0))
        process = runs.start(*IN_ORDER, program=AT_ONCE)
        wait_for(runs.posts, "the first create")
        with server.connect() as connection:
            connection.execute(f"alter user {postgres.USER} password 'another'")
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sendkit-sync'")
            assert runs.end(process) == 74
            assert "access was refused" in runs.outputs[-1]
            assert "another" not in runs.outputs[-1].replace("another run", "")
            connection.execute(f"alter user {postgres.USER} password '{postgres.PASSWORD}'")
        runs.check_recovers()

    def test_a_synchronous_standby_that_takes_over_has_everything(
        self, server: postgres.Server, tmp_path: Path, simulator: Simulator
    ):
        runs = self.runs(server, tmp_path, simulator, MANY)
        with postgres.postgres(copy_of=server) as standby:
            with server.connect() as connection:
                connection.execute("alter system set synchronous_standby_names = 'standby'")
                connection.execute("select pg_reload_conf()")
            process = runs.start("--parallelism", "4", program=at_point("outcome-durable", 9, KILL))
            assert runs.end(process) == -signal.SIGKILL, runs.outputs
            assert "synchronous" not in "".join(runs.outputs)
            server.command("stop", "-m", "immediate")
            standby.command("promote")
            with standby.connect() as connection:
                connection.execute("alter system reset synchronous_standby_names")
                connection.execute("select pg_reload_conf()")
            moved = self.runs(standby, tmp_path, simulator, MANY)
            moved.check_recovers()

    def test_a_standby_that_may_lack_what_was_acknowledged_is_warned_of(
        self, server: postgres.Server, tmp_path: Path, simulator: Simulator
    ):
        runs = self.runs(server, tmp_path, simulator, FEW)
        with postgres.postgres(copy_of=server):
            assert runs.apply_here() == 0
        assert "none is synchronous" in runs.outputs[-1]

    def test_a_server_without_fsync_is_refused_and_nothing_is_sent(self, tmp_path: Path, simulator: Simulator):
        with postgres.postgres("fsync=off") as server:
            runs = self.runs(server, tmp_path, simulator, FEW)
            assert runs.apply_here() == 74
        assert "fsync" in runs.outputs[-1]
        assert runs.posts() == 0

    def test_what_is_recorded_is_durable_although_the_server_does_not_wait_by_default(
        self, tmp_path: Path, simulator: Simulator
    ):
        with postgres.postgres("synchronous_commit=off", "wal_writer_delay=10000ms") as server:
            runs = self.runs(server, tmp_path, simulator, MANY)
            process = runs.start(program=at_point("outcome-durable", 20, HALT))
            wait_for(lambda: state_of(process) == "T" or process.poll() is not None, "the halt")
            server.command("stop", "-m", "immediate")
            process.kill()
            runs.end(process)
            server.command("start")
            stored = place_of(runs).open().read()
            outcomes = re.findall(rb'"do":"(?:record|workspace)"', stored.journal or b"")
            assert len(outcomes) >= 20
            runs.check_recovers()
