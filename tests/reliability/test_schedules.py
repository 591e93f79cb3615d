"""Any mix of faults, edits, crashes and interleavings: no webhook is made twice, no secret is lost, and all converges.

Hypothesis draws the schedules; the executor, the planner and the ledger are the real ones, over an API, a disk, a
clock and threads that do what the schedule says. A failure prints the steps that lead to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sendkit_sync.applying.executor import Executor
from sendkit_sync.applying.results import Report
from sendkit_sync.applying.settings import RunSettings
from sendkit_sync.core import failpoints
from sendkit_sync.core.errors import NoEndpointError, SyncError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, DesiredWebhook, LiveWebhook, Secret, State, StoredSecret, WebhookRecord
from sendkit_sync.core.ports import Store
from sendkit_sync.planning.planner import make_plan
from sendkit_sync.planning.scope import PlanScope
from sendkit_sync.secrets.clear import ClearCipher
from sendkit_sync.state import JournalLedger, open_ledger, read_store
from support.fake_api import LATE_S, FakeApi, Fate, Server
from support.fake_register import Cell, fake_store
from support.fake_register import Fate as WriteFate
from support.figures import SEED, note
from support.memory import Disk, MemoryStore
from support.world import CountingRng, Crash, FakeClock, World

API = "https://api.example"
RESEND_AFTER_S = 300.0
NAMES = ("A", "B", "C", "D")
RUNS_TO_CONVERGE = 12
LIST_FATES = (*[Fate.FINE] * 6, Fate.UNREACHABLE, Fate.REFUSED)

names = st.sampled_from(NAMES)
fates = st.lists(st.sampled_from(Fate), min_size=1, max_size=6)
write_fates = st.lists(st.sampled_from([*[WriteFate.FINE] * 4, *WriteFate]), max_size=12)
list_fates = st.lists(st.sampled_from(LIST_FATES), max_size=4)
picks = st.lists(st.integers(0, 3), max_size=12)
maybe_soon = st.none() | st.integers(1, 60)


class Schedule(RuleBasedStateMachine):
    """Runs of one state against one server, with time and edits between them."""

    tally: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.rng = CountingRng()
        self.disk = Disk()
        self.cell: Cell | None = None
        """What a register holds; None where the state is on a disk."""
        self.server = Server(self.clock)
        self.server_secrets = False
        self.desired: dict[str, DesiredWebhook] = {}

    def store(self, world: World, *, refuse_at: int | None = None, fates: Sequence[WriteFate] = ()) -> Store:
        """Return the state as one process sees it; what it may meet there depends on where it is."""
        if self.cell is None:
            return MemoryStore(self.disk, world, refuse_at=refuse_at)
        return fake_store(self.cell, fates, self.clock, world.point)

    @initialize(
        count=st.integers(1, 4),
        leased=st.booleans(),
        masked=st.booleans(),
        listing=st.sampled_from([True, True, True, False]),
        lag_s=st.sampled_from([0.0, 0.0, 5.0, 60.0]),
        server_secrets=st.booleans(),
    )
    def begin(self, count: int, leased: bool, masked: bool, listing: bool, lag_s: float, server_secrets: bool) -> None:
        self.cell = Cell() if leased else None
        self.server = Server(self.clock, masked, listing, lag_s)
        self.server_secrets = server_secrets and listing and not masked and not leased
        for name in NAMES[:count]:
            self.want(name, 0, None)

    @rule(
        fates=fates,
        list_fates=list_fates,
        picks=picks,
        parallelism=st.integers(1, 3),
        crash_at=maybe_soon,
        stop_at=st.none() | st.none() | st.integers(1, 60),
        refuse_at=st.none() | st.none() | st.integers(1, 12),
        write_fates=write_fates,
        refresh=st.booleans(),
        prune=st.booleans(),
    )
    def run(
        self,
        fates: list[Fate],
        list_fates: list[Fate],
        picks: list[int],
        parallelism: int,
        crash_at: int | None,
        stop_at: int | None,
        refuse_at: int | None,
        write_fates: list[WriteFate],
        refresh: bool,
        prune: bool,
    ) -> None:
        world = World(self.clock, picks, crash_at, stop_at)
        if self.server_secrets:
            # An answer without the secret loses it where the server drew it: the docs say so.
            fates = [Fate.FINE if fate is Fate.REWRITTEN else fate for fate in fates]
        api = FakeApi(self.server, world, fates, list_fates)
        store = self.store(world, refuse_at=refuse_at, fates=write_fates)
        try:
            self.apply(world, api, store, RunSettings(parallelism=parallelism, resend_after_s=RESEND_AFTER_S), refresh, prune)
        except Crash:
            self.tally["crashes"] += 1
        except SyncError:
            self.tally["runs_ended_by_errors"] += 1
        self.tally["runs"] += 1
        self.check_nothing_lost()

    @rule(fates=fates, picks=picks, parallelism=st.integers(1, 4), crash_at=st.none() | st.integers(4, 30))
    def run_that_reads_well(self, fates: list[Fate], picks: list[int], parallelism: int, crash_at: int | None) -> None:
        self.run(fates, [], picks, parallelism, crash_at, None, None, [], False, False)

    @rule(duration_s=st.sampled_from([1.0, 30.0, 301.0]))
    def wait(self, duration_s: float) -> None:
        self.clock.advance(duration_s)

    @rule(back_s=st.sampled_from([10.0, 1000.0]))
    def clock_goes_back(self, back_s: float) -> None:
        self.clock.wall -= back_s

    @rule(name=names, place=st.integers(0, 2), secret=st.sampled_from([None, "one", "two"]))
    def want(self, name: str, place: int, secret: str | None) -> None:
        place_url = f"https://{name.lower()}.example/{place}"
        given = None if secret is None else Secret(f"config-secret-{secret}")
        self.desired[name] = DesiredWebhook(name, Settings(place_url, ("email.opened",)), given)

    @rule(name=names)
    def want_no_more(self, name: str) -> None:
        self.desired.pop(name, None)

    @rule(old=names, new=names, told=st.booleans())
    @precondition(lambda self: self.desired)
    def rename(self, old: str, new: str, told: bool) -> None:
        if old in self.desired and new not in self.desired:
            entry = self.desired.pop(old)
            self.desired[new] = replace(entry, name=new, renamed_from=old if told else None)

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: self.server.live and self.server.listing)
    def somebody_deletes(self, number: int) -> None:
        ids = sorted(self.server.live)
        del self.server.live[ids[number % len(ids)]]

    def teardown(self) -> None:
        """Let all faults end and follow the advice; then the runs come to rest, and live is what is wanted and recorded."""
        self.server.lag_s = 0.0
        self.clock.mend()
        for _ in range(RUNS_TO_CONVERGE):
            self.clock.advance(max(RESEND_AFTER_S, LATE_S) + 1)
            if not self.server.listing:
                self.resolve_by_hand()
            world = World(self.clock)
            limits = RunSettings(parallelism=2, resend_after_s=RESEND_AFTER_S)
            store = self.store(world)
            report = self.apply(world, FakeApi(self.server, world), store, limits, refresh=True, prune=True)
            self.check_nothing_lost()
            if not report.results:
                break
            for name, former in self.advice.items():
                self.desired[name] = replace(self.desired[name], renamed_from=former)
        else:
            raise AssertionError(f"does not come to rest: {report}")
        self.check_all_is_as_wanted()
        self.tally["schedules"] += 1
        self.tally["webhooks"] += self.server.made

    def apply(self, world: World, api: FakeApi, store: Store, limits: RunSettings, refresh: bool, prune: bool) -> Report:
        """Do what `cli.session` and `apply` do, with the stand-ins."""
        failpoints.hook = lambda name: world.step(name) if name.endswith(("-buffered", "-durable")) else world.point(name)
        try:
            with open_ledger(store, api=API, clock=self.clock, rng=self.rng, purpose="test") as ledger:
                executor = self.executor(world, api, ledger, limits)
                executor.resolve_earlier()
                live = None
                if refresh:
                    try:
                        live = executor.read_live()
                    except NoEndpointError:
                        live = None
                plan = make_plan(
                    list(self.desired.values()),
                    ledger.state,
                    api=API,
                    config_digest="",
                    options=PlanScope(prune=prune),
                    live=live,
                )
                blockers = {action.name: action.blocked_by for action in plan.blocked}
                self.advice = {name: one.name for name, one in blockers.items() if one and one.kind == "orphan"}
                return executor.execute(plan)
        finally:
            failpoints.hook = lambda name: None

    def executor(self, world: World, api: FakeApi, ledger: JournalLedger, limits: RunSettings) -> Executor:
        return Executor.over(
            api,
            ledger,
            ClearCipher(),
            self.clock,
            self.rng,
            limits,
            world.stop,
            server_secrets=self.server_secrets,
            run_all=world.interleaving.run_all,
            slots=nullcontext(),  # only one thread moves at a time: it must not wait for another
        )

    def recorded(self) -> State:
        state = read_store(self.store(World(self.clock)))
        return state if state is not None else State("", 0, API)

    def check_nothing_lost(self) -> None:
        """Each webhook that is live is recorded with its secret, or unresolved with it, and none of the latter is doubled."""
        state = self.recorded()
        by_id = {recorded.id: recorded for recorded in state.webhooks.values()}
        open_names: Counter[str] = Counter()
        lost: list[str] = []
        for live in self.server.everything():
            if live.id in by_id:
                if live.secret not in self.secrets_of(state, by_id[live.id]):
                    lost.append(f"the secret of {live.name}")
            else:
                open_names[live.name] += 1
                if not self.is_open(state, live):
                    lost.append(f"{live.name}: it was made, and nobody knows")
        doubled = [name for name, count in open_names.items() if count > 1]
        self.tally["losses"] += len(lost)
        self.tally["duplicates"] += len(doubled)
        assert not lost
        assert not doubled, f"made twice: {doubled}"

    def secrets_of(self, state: State, recorded: WebhookRecord) -> list[Secret]:
        kept: list[StoredSecret | None] = [*recorded.secrets()]
        kept += [intent.secret for intents in state.pending.values() for intent in intents if intent.id == recorded.id]
        return [secret.clear for secret in kept if secret is not None and secret.clear is not None]

    def is_open(self, state: State, live: LiveWebhook) -> bool:
        """Tell whether an unresolved create has the secret of `live`; one without a secret left it to the server."""
        return any(
            intent.secret is None or (live.secret is not None and intent.secret.matches(live.secret))
            for intent in state.pending.get(live.name, ())
            if intent.action is ActionKind.CREATE and not intent.expired
        )

    def check_all_is_as_wanted(self) -> None:
        state = self.recorded()
        assert set(state.webhooks) == set(self.desired)
        assert not state.unresolved()
        assert {recorded.id for recorded in state.webhooks.values()} == set(self.server.live)
        for name, recorded in state.webhooks.items():
            live = self.server.live[recorded.id]
            assert recorded.secret is not None
            assert recorded.secret.clear == live.secret
            assert live.settings.url == self.desired[name].settings.url
            if self.server.listing:
                assert live.name == name

    def resolve_by_hand(self) -> None:
        """Do what a person does with `state resolve` where there is no list."""
        self.server.arrive()
        world = World(self.clock)
        with open_ledger(self.store(world), api=API, clock=self.clock, rng=self.rng, purpose="test") as ledger:
            for name in ledger.state.unresolved():
                ids = ledger.state.recorded_ids()
                intents = [one for one in ledger.state.pending[name] if one.action is ActionKind.CREATE]
                found = [one for one in self.server.live.values() if one.name == name and one.id not in ids]
                assert len(found) <= 1
                if not found:
                    for intent in intents:
                        ledger.drop(intent)
                    continue
                settings_ = intents[-1].settings
                assert settings_ is not None
                ledger.record(name, WebhookRecord(found[0].id, settings_, settings_, name, intents[-1].secret))


def run_schedules(count: int, number: int) -> None:
    """Drive `count` schedules; the same `number` gives the same ones."""
    Schedule.tally = Counter()
    seed(number)(Schedule)
    machine = Schedule.TestCase
    machine.settings = settings(
        max_examples=count,
        stateful_step_count=20,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    try:
        machine("runTest").runTest()
    finally:
        note(**Schedule.tally)
    assert Schedule.tally["schedules"] >= count
    assert Schedule.tally["crashes"] > count / 10
    assert Schedule.tally["webhooks"] > count / 2


def test_of_any_schedule_nothing_is_made_twice_and_nothing_is_lost() -> None:
    run_schedules(200, SEED)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(10))
def test_of_very_many_schedules_nothing_is_made_twice_and_nothing_is_lost(part: int) -> None:
    run_schedules(2000, SEED + part)


def test_the_same_seed_drives_the_same_schedules() -> None:
    tallies = []
    for _ in range(2):
        run_schedules(30, 7)
        tallies.append(dict(Schedule.tally))
    assert tallies[0] == tallies[1]


def test_an_update_that_may_have_happened_keeps_both_secrets() -> None:
    schedule = Schedule()
    schedule.begin(count=1, leased=False, masked=False, listing=True, lag_s=0.0, server_secrets=False)
    quiet = {"list_fates": [], "picks": [], "parallelism": 1, "refresh": False, "prune": False}
    quiet |= {"crash_at": None, "stop_at": None, "refuse_at": None, "write_fates": []}
    schedule.run(fates=[], **quiet)
    schedule.want(name="A", place=0, secret="one")
    schedule.run(fates=[Fate.LOST_AFTER], **quiet)
    assert len(schedule.recorded().pending["A"]) == 1
    schedule.teardown()
