"""So many calls at a time, the next ones ready on disk, and none of them sent once the run is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from sendkit_sync.applying.executor import Executor
from sendkit_sync.applying.results import Report, Status
from sendkit_sync.applying.settings import RunSettings
from sendkit_sync.applying.throttle import StopReason, Throttle
from sendkit_sync.core.errors import StateIOError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import DesiredWebhook, LiveWebhook, Secret
from sendkit_sync.core.outcomes import Failed, FailureCode, Outcome, Succeeded
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.secrets.clear import ClearCipher
from sendkit_sync.simulator import Fault, Simulator
from sendkit_sync.state import JournalLedger, open_ledger
from support.runs import Runs
from support.waiting import wait_for
from support.world import CountingRng, FakeClock

API = "http://127.0.0.1:1"


class SlowApi:
    """Holds each create until it is told what came of it."""

    def __init__(self, clock: FakeClock) -> None:
        self.now = clock.now
        self.sent: list[str] = []
        self.live: list[LiveWebhook] = []
        self._answers: dict[str, Future[Outcome | None]] = {}
        self._lock = threading.Lock()

    def create(self, name: str, wanted: Settings, secret: Secret | None, before_attempt: Callable[[], None]) -> Outcome:
        with self._lock:
            self.sent.append(name)
            answer = self._answers.setdefault(name, Future())
        given = answer.result(30)
        if given is not None:
            return given
        made = LiveWebhook(f"b{int(name[1:]):023x}", name, wanted, secret, status="active")
        self.live.append(made)
        return Succeeded(made)

    def answer(self, name: str, answer: Outcome | None = None) -> None:
        """Let the create of `name` come back, whether it was sent already or not; without `answer` it is made."""
        with self._lock:
            self._answers.setdefault(name, Future()).set_result(answer)

    def list(self) -> tuple[LiveWebhook, ...]:
        return tuple(self.live)


class AskedClock(FakeClock):
    """Notes when it was asked for the time: a call does before it waits for its turn, and when it has it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def monotonic(self) -> float:
        self.asked.append(self.steady)
        return super().monotonic()


class Running:
    """An apply of `count` creates that goes on in a thread of its own."""

    def __init__(self, path: Path, ledger: JournalLedger, parallelism: int, count: int, pool: ThreadPoolExecutor) -> None:
        self.journal = path.with_name(path.name + ".journal")
        self.ledger, self.clock, self.stop = ledger, AskedClock(), threading.Event()
        self.api = SlowApi(self.clock)
        self.names = [f"W{number}" for number in range(count)]
        wanted = [DesiredWebhook(name, Settings(f"https://{name}.example.com/in", ("email.sent",))) for name in self.names]
        self.executor = Executor.over(
            self.api,  # type: ignore[arg-type]
            ledger,
            ClearCipher(),
            self.clock,
            CountingRng(),
            RunSettings(parallelism),
            self.stop,
        )
        self.executor.live_list.guard.confirmed = True  # else the first create goes alone
        self._report = pool.submit(self.executor.execute, make_plan(wanted, ledger.state, api=API, config_digest=""))

    def report(self) -> Report:
        return self._report.result(30)

    def intents(self) -> set[str]:
        return set(self.ledger.state.pending)

    def wait(self, *, sent: int, intents: int) -> None:
        wait_for(lambda: len(self.api.sent) == sent and len(self.intents()) == intents, f"{sent} sent, {intents} intents")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int, int], Running]]:
    """Return what begins an apply with so many calls at once, of so many creates."""
    clock = FakeClock()
    path = tmp_path / "s.json"
    with (
        ThreadPoolExecutor(1) as pool,
        open_ledger(str(path), api=API, clock=clock, rng=CountingRng(), purpose="t") as ledger,
    ):
        yield lambda parallelism, count: Running(path, ledger, parallelism, count, pool)


@pytest.mark.parametrize(("parallelism", "ready"), [(1, 0), (2, 1), (3, 2), (5, 2)])
def test_so_many_calls_go_out_and_the_next_ones_are_on_disk_already(
    start: Callable[[int, int], Running], parallelism: int, ready: int
):
    run = start(parallelism, 9)
    for done in range(9):
        left = 9 - done
        run.wait(sent=done + min(parallelism, left), intents=min(parallelism + ready, left))
        run.api.answer(run.api.sent[done])
    assert run.report().count(Status.DONE) == 9
    assert sorted(run.api.sent) == run.names


def test_what_was_ready_is_not_sent_once_the_key_is_refused(start: Callable[[int, int], Running]):
    run = start(2, 5)
    run.wait(sent=2, intents=3)
    first, second = run.api.sent
    run.api.answer(first, Failed(FailureCode.KEY_REFUSED, "no such key", 401, stops_run=True))
    wait_for(lambda: run.intents() == {second}, "the intents of what was refused and of what was ready are dropped")
    run.api.answer(second)
    report = run.report()
    assert run.api.sent == [first, second]
    assert (report.count(Status.FAILED), report.count(Status.DONE), report.count(Status.NOT_ATTEMPTED)) == (1, 1, 3)
    assert {result.failure.code for result in report.results if result.failure} == {
        FailureCode.KEY_REFUSED,
        FailureCode.STOPPED,
    }
    assert report.key_refused


def test_what_was_ready_is_not_sent_once_a_signal_came(start: Callable[[int, int], Running]):
    run = start(2, 5)
    run.wait(sent=2, intents=3)
    run.stop.set()
    for name in run.api.sent[:2]:
        run.api.answer(name)
    report = run.report()
    assert len(run.api.sent) == 2
    assert (report.count(Status.DONE), report.count(Status.NOT_ATTEMPTED)) == (2, 3)
    assert run.intents() == set()
    assert report.interrupted


def test_what_was_ready_is_not_sent_once_nothing_can_be_recorded_any_more(start: Callable[[int, int], Running]):
    run = start(3, 9)
    run.wait(sent=3, intents=5)
    run.journal.unlink()
    run.api.answer("W0")  # its slot is taken while its record fails: one more call may go out by then
    wait_for(lambda: run.executor.stop_reason.stopped, "the run is stopped")
    for name in run.names[1:]:
        run.api.answer(name)
    with pytest.raises(StateIOError):
        run.report()
    assert len(run.api.sent) <= 4


def test_an_intent_that_waited_for_long_is_dated_by_its_call(start: Callable[[int, int], Running]):
    run = start(2, 3)
    run.wait(sent=2, intents=3)
    (waiting,) = run.intents() - set(run.api.sent)
    (before,) = run.ledger.state.pending[waiting]
    wait_for(lambda: len(run.clock.asked) == 6, "the list was read, two calls have their turn, and one waits")
    run.clock.advance(20)
    run.api.answer(run.api.sent[0])
    run.wait(sent=3, intents=2)
    (after,) = run.ledger.state.pending[waiting]
    assert after.sent_at == before.sent_at + 20
    for name in run.api.sent[1:]:
        run.api.answer(name)
    assert run.report().count(Status.DONE) == 3


def test_what_was_ready_when_the_process_died_is_made_once_by_the_next_runs(tmp_path: Path):
    names = ("W0", "W1", "W2", "W3", "W4")
    with Simulator() as simulator:
        runs = Runs(tmp_path, simulator, names)
        assert runs.apply("--target", "W0").returncode == 0
        simulator.add_fault(Fault("POST", when="after", kind="delay", delay_s=60))
        journal = tmp_path / "sendkit.state.json.journal"
        process = runs.start("--parallelism", "2")
        wait_for(lambda: journal.exists() and journal.read_bytes().count(b'"do":"begin"') == 3, "two calls, and one ready")
        wait_for(lambda: len(simulator.webhooks()) == 3, "what is sent is made, and not answered yet")
        process.kill()
        process.communicate()
        simulator.faults.clear()
        first = runs.apply("--resend-after", "10m")
        assert first.returncode == 1, first.stderr
        assert len(simulator.webhooks()) == 4
        assert runs.apply("--resend-after", "0s").returncode == 0
        runs.check_each_made_once(*names)


def test_each_attempt_of_a_call_passes_the_gate_after_its_intent_was_dated_again():
    steps: list[str] = []

    class Insistent:
        """An API whose call is sent three times."""

        def delete(self, webhook_id: str, before_attempt: Callable[[], None]) -> Outcome:
            for _ in range(2):
                steps.append("sent")
                before_attempt()
            steps.append("sent")
            return Succeeded(None)

    throttle = Throttle(
        Insistent(),  # type: ignore[arg-type]
        FakeClock(),
        StopReason(threading.Event()),
        nullcontext(),
        lambda: steps.append("gate"),
    )
    throttle.delete("id", lambda: steps.append("dated"))
    assert steps == ["gate", "sent", "dated", "gate", "sent", "dated", "gate", "sent"]
