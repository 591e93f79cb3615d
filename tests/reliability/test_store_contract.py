"""The contract of a store, held by each of them: the file, and the stand-in that the schedules run on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from memory import Disk, MemoryStore
from world import CountingRng, FakeClock, World

from sendkit_sync.core.errors import LockedError
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, Settings, StoredSecret, WebhookRecord
from sendkit_sync.state import Store, open_store, read_store
from sendkit_sync.state.stores.file import FileStore

PLACE = Settings("https://a.example", ("email.sent",))
SECRET = StoredSecret(SecretOrigin.GENERATED, Secret("kept"))
DICE = CountingRng()
"""One for all ledgers: two journals never have the same id."""

Opener = Callable[[], Store]


@pytest.fixture(params=["file", "memory"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return what opens the same state again and again, as one process after the other does."""
    if request.param == "file":
        return lambda: FileStore(str(tmp_path / "state.json"))
    disk = Disk()
    return lambda: MemoryStore(disk, World(FakeClock()))


def ledger(store: Store):
    return open_store(store, api="https://api.example", clock=FakeClock(), rng=DICE, purpose="test")


def test_nothing_is_there_at_first(opener: Opener):
    store = opener()
    assert (store.read_snapshot(), store.read_journal(), read_store(store)) == (None, None, None)


def test_what_was_written_is_read_by_the_next_process(opener: Opener):
    opener().write_snapshot(b"one")
    opener().write_snapshot(b"two")
    assert opener().read_snapshot() == b"two"


def test_a_snapshot_is_known_again_and_told_from_any_other(opener: Opener):
    large = b"0123456789" * 200_000
    assert opener().snapshot_is(None)
    assert not opener().snapshot_is(b"")
    opener().write_snapshot(large)
    assert opener().snapshot_is(large)
    for other in (None, b"", large[:-1], large + b"0", b"1" + large[1:], large[:-1] + b"0"):
        assert not opener().snapshot_is(other)


def test_a_journal_holds_its_header_and_then_each_line(opener: Opener):
    writer = opener().create_journal(b"header\n")
    assert opener().read_journal() == b"header\n"
    writer.append(b"one\n")
    writer.append(b"two\nthree\n")
    assert opener().read_journal() == b"header\none\ntwo\nthree\n"
    writer.close()
    assert opener().read_journal() == b"header\none\ntwo\nthree\n"


def test_a_new_journal_replaces_the_former(opener: Opener):
    writer = opener().create_journal(b"first\n")
    writer.append(b"line\n")
    writer.close()
    opener().create_journal(b"second\n").close()
    assert opener().read_journal() == b"second\n"


def test_a_journal_that_another_process_removed_is_there_no_more(opener: Opener):
    writer = opener().create_journal(b"header\n")
    assert writer.there()
    opener().remove_journal()
    assert not writer.there()
    writer.close()


def test_removing_the_journal_leaves_the_snapshot_and_may_be_done_twice(opener: Opener):
    opener().write_snapshot(b"kept")
    opener().create_journal(b"header\n").close()
    opener().remove_journal()
    opener().remove_journal()
    assert (opener().read_snapshot(), opener().read_journal()) == (b"kept", None)


def test_the_lock_lets_one_in_and_goes_with_its_holder(opener: Opener):
    clock = FakeClock()
    with (
        opener().locked(clock=clock, purpose="first", timeout_s=0.0, stop=threading.Event()),
        pytest.raises(LockedError),
        opener().locked(clock=clock, purpose="second", timeout_s=0.0, stop=threading.Event()),
    ):
        pass
    with pytest.raises(KeyboardInterrupt), opener().locked(clock=clock, purpose="third", timeout_s=0.0, stop=threading.Event()):
        raise KeyboardInterrupt
    with opener().locked(clock=clock, purpose="fourth", timeout_s=0.0, stop=threading.Event()):
        pass


def test_a_ledger_keeps_its_records_over_runs(opener: Opener):
    with ledger(opener()) as book:
        book.begin(Intent("op", ActionKind.CREATE, "A", 1.0, PLACE, SECRET))
        book.record("A", WebhookRecord("id", PLACE, PLACE, "A", SECRET))
    state = read_store(opener())
    assert state is not None
    assert (state.webhooks["A"].secret, state.pending, state.serial) == (SECRET, {}, 1)
    assert opener().read_journal() is None


def test_an_intent_outlives_a_ledger_that_was_never_closed(opener: Opener):
    killed = ledger(opener())
    killed.__enter__().begin(Intent("op", ActionKind.CREATE, "A", 1.0, PLACE, SECRET))
    state = read_store(opener())
    assert state is not None
    assert state.unresolved() == ["A"]
    killed.__exit__(None, None, None)
