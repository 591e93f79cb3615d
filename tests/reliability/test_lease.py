"""A lease over one register: whatever becomes of a write, nothing is lost, and one holder at most writes and sends."""

from __future__ import annotations

import itertools
import random
import threading
from contextlib import AbstractContextManager

import pytest

from sendkit_sync.core.errors import FencedError, LockedError, StateInvalidError, StateIOError
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, Settings, State, StoredSecret, WebhookRecord
from sendkit_sync.core.ports import StoredState
from sendkit_sync.state import JournalLedger, open_ledger, read_store
from sendkit_sync.state.stores.head import decode_head
from sendkit_sync.state.stores.lease import DEAD_AFTER_S, RENEW_AFTER_S, SEND_WITHIN_S, LeaseStore, LeaseTerm
from sendkit_sync.state.stores.register import BUSY_INTERVAL_S, WRITE_FOR_S, Swapper
from support.fake_register import Cell, Fate, fake_store
from support.figures import SEED
from support.world import CountingRng, Crash, FakeClock

API = "https://api.example"
PLACE = Settings("https://a.example", ("email.sent",))
RNG = CountingRng()
NAMES = ("A", "B", "C")
WRITES = 8
"""How many writes the run below makes: the lease, the first snapshot, two an entry of three, and the fold."""


def secret(name: str) -> StoredSecret:
    return StoredSecret(SecretOrigin.GENERATED, Secret(f"secret-of-{name}"))


def intent(name: str) -> Intent:
    return Intent(f"op-{name}", ActionKind.CREATE, name, 1.0, PLACE, secret(name))


def ledger(store: LeaseStore, clock: FakeClock | None = None) -> AbstractContextManager[JournalLedger]:
    return open_ledger(store, api=API, clock=clock or FakeClock(), rng=RNG, purpose="test")


def run(store: LeaseStore, clock: FakeClock | None = None) -> None:
    """Make three webhooks, each announced and then recorded."""
    with ledger(store, clock) as book:
        for name in NAMES:
            book.begin(intent(name))
            book.before_call()
            book.record(name, WebhookRecord(f"id-{name}", PLACE, PLACE, name, secret(name)))


def state_in(cell: Cell) -> State:
    state = read_store(fake_store(cell))
    assert state is not None
    return state


def head_in(cell: Cell):
    assert cell.content is not None
    return decode_head(cell.content.rstrip(b"\n"), "here", "", lambda pointer: b"")


def take(store: LeaseStore, clock: FakeClock, *, timeout_s: float = 0.0) -> AbstractContextManager[LeaseTerm]:
    return store.locked(clock=clock, purpose="test", timeout_s=timeout_s, stop=threading.Event())


def halted(cell: Cell, clock: FakeClock) -> LeaseTerm:
    """Return the term of a process that took the lease, and never gives it back."""
    store = fake_store(cell, clock=clock)
    return LeaseTerm(Swapper(store._register, clock), clock, store._token, *store._take(clock, "test", 0.0, threading.Event()))


class TestAWrite:
    @pytest.mark.parametrize("at", range(WRITES))
    @pytest.mark.parametrize("fate", Fate)
    def test_whatever_becomes_of_it_the_run_records_each_entry_once(self, fate: Fate, at: int):
        cell, clock = Cell(), FakeClock()
        run(fake_store(cell, [*[Fate.FINE] * at, fate], clock), clock)
        state = state_in(cell)
        assert {name: record.secret for name, record in state.webhooks.items()} == {name: secret(name) for name in NAMES}
        assert (state.pending, state.serial, head_in(cell).holder) == ({}, 1, None)

    @pytest.mark.parametrize("number", range(40))
    def test_any_sequence_of_fates_comes_to_the_same_end(self, number: int):
        chance = random.Random(f"{SEED} {number}")
        cell, clock = Cell(), FakeClock()
        run(fake_store(cell, [chance.choice(list(Fate)) for _ in range(40)], clock), clock)
        state = state_in(cell)
        assert (sorted(state.webhooks), state.pending, state.serial) == (list(NAMES), {}, 1)

    def test_one_that_happened_and_was_called_a_conflict_is_not_written_again(self):
        cell = Cell()
        run(fake_store(cell, [Fate.DONE_BUT_CONFLICT] * 30))
        assert len(cell.history) == WRITES + 1  # the first snapshot is a write of its own

    def test_each_has_a_nonce_of_its_own_so_that_no_two_have_the_same_version(self):
        cell, clock = Cell(), FakeClock()
        with take(fake_store(cell, clock=clock), clock) as term:
            for _ in range(3):
                term.confirm()
        assert len(set(cell.history)) == len(cell.history) > 4

    def test_a_busy_store_gets_one_a_second_from_then_on(self):
        cell, clock = Cell(), FakeClock()
        store = fake_store(cell, [Fate.FINE, Fate.BUSY], clock)
        began = clock.steady
        run(store, clock)
        assert clock.steady - began >= (WRITES - 1) * BUSY_INTERVAL_S

    def test_one_that_is_too_large_for_the_store_stops_the_run_before_the_call(self):
        cell = Cell()
        run(fake_store(cell))
        cell.full_at = len(cell.content or b"") + 400
        with pytest.raises(StateIOError, match="413"):
            self.fill(cell)
        cell.full_at = None
        assert set(state_in(cell).webhooks) == set(NAMES)
        with ledger(fake_store(cell)) as book:
            assert not book.state.unresolved()

    def fill(self, cell: Cell) -> None:
        with ledger(fake_store(cell)) as book:
            for number in itertools.count():
                book.begin(intent(f"N{number}"))
                book.before_call()
                raise AssertionError("it went in")

    def test_a_store_that_ignores_conditions_loses_entries_so_the_tests_above_can_fail(self):
        cell, clock = Cell(conditions=False), FakeClock()
        first = halted(cell, clock)
        first.start(b"header\n")
        first.append(b"one\n")
        clock.advance(DEAD_AFTER_S)
        second = halted(cell, clock)
        second.append(b"two\n")
        first.append(b"three\n")
        assert b"two" not in (fake_store(cell).read().journal or b"")


class Outage(FakeClock):
    """A clock under which the store is away until a time."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.back_at = 0.0

    def advance(self, duration_s: float) -> None:
        super().advance(duration_s)
        if self.steady >= self.back_at:
            self.cell.away = False

    def begin(self, duration_s: float) -> None:
        self.cell.away, self.back_at = True, self.steady + duration_s


class TestAStoreThatIsAway:
    def test_for_a_minute_between_intent_and_outcome_delays_the_outcome_and_loses_nothing(self):
        cell = Cell()
        clock = Outage(cell)
        with ledger(fake_store(cell, clock=clock), clock) as book:
            book.begin(intent("A"))
            book.before_call()
            clock.begin(60.0)
            book.record("A", WebhookRecord("id", PLACE, PLACE, "A", secret("A")))
        assert state_in(cell).webhooks["A"].secret == secret("A")

    def test_for_too_long_stops_the_run_and_the_intent_stays(self):
        cell = Cell()
        clock = Outage(cell)
        with pytest.raises(StateIOError, match="cannot be reached"):
            self.lose_the_store(cell, clock)
        cell.away = False
        assert state_in(cell).unresolved() == ["A"]
        with ledger(fake_store(cell)) as book:
            assert book.state.unresolved() == ["A"]

    def lose_the_store(self, cell: Cell, clock: Outage) -> None:
        with ledger(fake_store(cell, clock=clock), clock) as book:
            book.begin(intent("A"))
            clock.begin(WRITE_FOR_S * 3)
            with pytest.raises(StateIOError):
                book.record("A", WebhookRecord("id", PLACE, PLACE, "A", secret("A")))
            book.before_call()

    def test_an_outcome_that_arrives_after_its_writer_gave_up_is_kept_when_the_lease_is_given_back(self):
        cell = Cell()
        clock = Outage(cell)
        with pytest.raises(StateIOError, match="could not be written"):
            self.give_up(cell, clock)
        assert head_in(cell).holder is None
        assert state_in(cell).webhooks["A"].secret == secret("A")

    def give_up(self, cell: Cell, clock: Outage) -> None:
        """Record an outcome whose write is under way when the store goes away for good."""
        fates = [Fate.FINE, Fate.FINE, Fate.FINE, Fate.BEFORE_NEXT]

        def point(name: str) -> None:
            if name == "register-written" and cell.under_way:
                clock.begin(WRITE_FOR_S * 10)

        with ledger(fake_store(cell, fates, clock, point), clock) as book:
            book.begin(intent("A"))
            with pytest.raises(StateIOError, match="cannot be reached"):
                book.record("A", WebhookRecord("id", PLACE, PLACE, "A", secret("A")))
            cell.away = False
            cell.arrive(Fate.BEFORE_NEXT)


class TestTheGate:
    @pytest.mark.parametrize(("waited_s", "renews"), [(0.0, 0), (SEND_WITHIN_S - 1, 0), (SEND_WITHIN_S, 1), (300.0, 1)])
    def test_a_call_needs_a_write_of_the_last_half_minute_or_renews_first(self, waited_s: float, renews: int):
        cell, clock = Cell(), FakeClock()
        with take(fake_store(cell, clock=clock), clock) as term:
            clock.advance(waited_s)
            writes = len(cell.history)
            term.before_call()
            assert len(cell.history) - writes == renews

    def test_the_half_minute_counts_from_the_start_of_a_write_that_took_long(self):
        cell = Cell()
        clock = Outage(cell)
        with take(fake_store(cell, clock=clock), clock) as term:
            term.start(b"header\n")
            clock.begin(SEND_WITHIN_S)
            term.append(b"line\n")
            writes = len(cell.history)
            term.before_call()
            assert len(cell.history) == writes + 1

    def test_a_fenced_holder_starts_no_call(self):
        cell, clock = Cell(), FakeClock()
        term = halted(cell, clock)
        clock.advance(DEAD_AFTER_S + SEND_WITHIN_S)
        with take(fake_store(cell, clock=clock), clock), pytest.raises(FencedError):
            term.before_call()
        with pytest.raises(FencedError):
            term.before_call()

    def test_a_suspend_counts_and_a_wall_clock_that_is_ten_minutes_off_does_not(self):
        cell, clock = Cell(), FakeClock()
        with take(fake_store(cell, clock=clock), clock) as term:
            clock.wall += 600
            writes = len(cell.history)
            term.before_call()
            clock.wall -= 1200
            term.before_call()
            assert len(cell.history) == writes
            clock.slept_s = SEND_WITHIN_S
            term.before_call()
            assert len(cell.history) == writes + 1


class TestTakingOver:
    def test_a_dead_lease_is_taken_over_after_a_minute_and_no_earlier(self):
        cell, clock = Cell(), FakeClock()
        halted(cell, clock)
        began = clock.steady
        with take(fake_store(cell, clock=clock), clock) as term:
            assert DEAD_AFTER_S <= clock.steady - began < DEAD_AFTER_S + 5
            assert head_in(cell).term == 2
            term.append(b"line\n")

    def test_a_live_holder_is_told_apart_from_a_dead_one_without_waiting_for_the_minute(self):
        cell, clock = Cell(), Renewing()
        clock.term = halted(cell, clock)
        began = clock.steady
        with pytest.raises(LockedError, match=r"pid \d+, since .*, test"), take(fake_store(cell, clock=clock), clock):
            pass
        assert clock.steady - began <= RENEW_AFTER_S + 5

    def test_a_live_holder_is_waited_for_as_long_as_asked(self):
        cell, clock = Cell(), Renewing()
        clock.term = halted(cell, clock)
        began = clock.steady
        with pytest.raises(LockedError), take(fake_store(cell, clock=clock), clock, timeout_s=200.0):
            pass
        assert clock.steady - began >= 200.0

    def test_what_one_look_saw_counts_in_the_next_so_that_short_waits_come_to_a_takeover(self):
        cell, clock = Cell(), FakeClock()
        halted(cell, clock)
        store = fake_store(cell, clock=clock)
        stop = threading.Event()
        stop.set()
        with pytest.raises(LockedError), store.locked(clock=clock, purpose="t", timeout_s=0.0, stop=stop):
            pass
        clock.advance(DEAD_AFTER_S)
        with store.locked(clock=clock, purpose="t", timeout_s=0.0, stop=stop):
            assert head_in(cell).term == 2

    def test_a_fenced_holder_overwrites_nothing_and_gives_nothing_back(self):
        cell, clock = Cell(), FakeClock()
        with pytest.raises(FencedError):
            self.lose_the_lease(cell, clock)
        assert fake_store(cell).holder() is not None

    def lose_the_lease(self, cell: Cell, clock: FakeClock) -> None:
        with ledger(fake_store(cell, clock=clock), clock) as old:
            old.begin(intent("A"))
            clock.advance(DEAD_AFTER_S)
            other = halted(cell, clock)
            with pytest.raises(FencedError):
                old.record("A", WebhookRecord("id", PLACE, PLACE, "A", secret("A")))
            other.append(b"line\n")
            assert (fake_store(cell).read().journal or b"").endswith(b"line\n")
            old.before_call()

    def test_of_two_takers_of_one_dead_lease_one_gets_it(self):
        cell, clock = Cell(), FakeClock()
        halted(cell, clock)
        taken: list[LeaseTerm] = []

        def barge_in(name: str) -> None:
            """Let another process take the lease between the other taker's last look and its write."""
            if name == "register-write" and not taken:
                taken.append(None)  # type: ignore[arg-type]
                other = FakeClock()
                taken[0] = halted(cell, other)

        stop = threading.Event()
        with (
            pytest.raises(LockedError),
            fake_store(cell, clock=clock, point=barge_in).locked(
                clock=Stopping(stop, DEAD_AFTER_S + 10), purpose="late", timeout_s=0.0, stop=stop
            ),
        ):
            pass
        taken[0].append(b"line\n")
        assert head_in(cell).term == 2

    def test_unlocking_fences_the_holder_at_once(self):
        cell, clock = Cell(), FakeClock()
        term = halted(cell, clock)
        store = fake_store(cell, clock=clock)
        assert "test" in (store.holder() or "")
        store.unlock()
        assert store.holder() is None
        with take(store, clock), pytest.raises(FencedError):
            term.append(b"line\n")


class Stopping(FakeClock):
    """A clock that ends a wait after a time."""

    def __init__(self, stop: threading.Event, after_s: float) -> None:
        super().__init__()
        self._stop, self._at = stop, self.steady + after_s

    def advance(self, duration_s: float) -> None:
        super().advance(duration_s)
        if self.steady >= self._at:
            self._stop.set()


class Renewing(FakeClock):
    """A clock under which a holder renews its lease as its thread would."""

    term: LeaseTerm | None = None
    _busy = False

    def advance(self, duration_s: float) -> None:
        super().advance(duration_s)
        if self.term is not None and not self._busy:
            self._busy = True
            self.term._renew(RENEW_AFTER_S)
            self._busy = False


class TestTheHead:
    def content(self) -> tuple[Cell, bytes]:
        cell = Cell()
        run(fake_store(cell))
        assert cell.content is not None
        return cell, cell.content

    def test_cut_anywhere_it_is_refused_and_nothing_is_overwritten(self):
        cell, whole = self.content()
        for length in range(0, len(whole) - 1, 7):
            cell.content = whole[:length]
            self.refused(cell)

    def test_with_a_flipped_bit_it_is_refused(self):
        cell, whole = self.content()
        chance = random.Random(3)
        for _ in range(200):
            place = chance.randrange(len(whole) - 1)
            cell.content = whole[:place] + bytes([whole[place] ^ (1 << chance.randrange(8))]) + whole[place + 1 :]
            self.refused(cell)

    def refused(self, cell: Cell) -> None:
        before = cell.content
        with pytest.raises(StateInvalidError):
            read_store(fake_store(cell))
        with pytest.raises(StateInvalidError), ledger(fake_store(cell)):
            pass
        assert cell.content == before

    def test_an_old_version_that_somebody_restored_fences_the_run(self):
        cell = Cell()
        with pytest.raises(FencedError):
            self.restore_within_a_run(cell)
        assert cell.content == cell.history[2]

    def restore_within_a_run(self, cell: Cell) -> None:
        with ledger(fake_store(cell)) as book:
            book.begin(intent("A"))
            book.begin(intent("B"))
            cell.content = cell.history[2]
            book.begin(intent("C"))

    def test_one_of_another_term_is_never_taken_for_ones_own(self):
        cell, clock = Cell(), FakeClock()
        term = halted(cell, clock)
        clock.advance(DEAD_AFTER_S)
        halted(cell, clock)
        before = cell.content
        term.release()
        assert cell.content == before


def test_a_reader_sees_one_moment_while_a_run_folds():
    cell = Cell()
    run(fake_store(cell))
    seen: list[StoredState] = []
    with ledger(fake_store(cell, point=lambda name: seen.append(fake_store(cell).read()))) as book:
        book.record("D", WebhookRecord("id-D", PLACE, PLACE, "D", secret("D")))
    counts = [len(read_back(stored).webhooks) for stored in seen]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (3, 4)


def read_back(stored: StoredState) -> State:
    class Fixed:
        address = journal_address = "fixed"

        def read(self) -> StoredState:
            return stored

    state = read_store(Fixed())  # type: ignore[arg-type]
    assert state is not None
    return state


@pytest.mark.parametrize("after", range(19))
def test_a_process_that_dies_at_any_step_leaves_each_entry_whole(after: int):
    cell, clock = Cell(), FakeClock()
    steps = itertools.count()

    def point(name: str) -> None:
        if next(steps) >= after:
            raise Crash

    with pytest.raises(Crash):
        run(fake_store(cell, clock=clock, point=point), clock)
    clock.advance(DEAD_AFTER_S)
    with ledger(fake_store(cell, clock=clock), clock) as book:
        known = [*book.state.webhooks, *book.state.pending]
        assert sorted(known) == list(NAMES[: len(known)])
    run(fake_store(cell, clock=clock), clock)
    assert sorted(state_in(cell).webhooks) == list(NAMES)
