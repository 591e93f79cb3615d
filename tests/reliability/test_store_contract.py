"""The contract of a store, held by each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from sendkit_sync.core.errors import ErrorCode, FencedError, LockedError, StateIOError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, StoredSecret, WebhookRecord
from sendkit_sync.core.ports import Store, Term
from sendkit_sync.state import JournalLedger, open_ledger, read_store
from sendkit_sync.state.stores.register import RegisterError
from support.stores import ALL, place
from support.world import CountingRng, Crash, FakeClock

API = "https://api.example"
PLACE = Settings("https://a.example", ("email.sent",))
SECRET = StoredSecret(SecretOrigin.GENERATED, Secret("kept"))
RNG = CountingRng()
"""One for all ledgers: two journals never have the same id."""

Opener = Callable[[], Store]


@pytest.fixture(params=ALL)
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Return what opens the same state again and again, as one process after the other does."""
    return place(request.param, request, tmp_path).open


def term(store: Store, purpose: str = "test", *, waits: bool = True) -> AbstractContextManager[Term]:
    """Take the lock; a lease is watched for a while where another has it, and not at all where this one may not wait."""
    stop = threading.Event()
    if not waits:
        stop.set()
    return store.locked(clock=FakeClock(), purpose=purpose, timeout_s=0.0, stop=stop)


def ledger(store: Store) -> AbstractContextManager[JournalLedger]:
    return open_ledger(store, api=API, clock=FakeClock(), rng=RNG, purpose="test")


def test_nothing_is_there_at_first(opener: Opener):
    stored = opener().read()
    assert (stored.snapshot, stored.journal, read_store(opener())) == (None, None, None)


def test_what_was_folded_is_read_by_the_next_process(opener: Opener):
    for content in (b"one\n", b"two\n"):
        with term(opener()) as writer:
            writer.fold(content, last=True)
    with term(opener()) as writer:
        assert writer.read().snapshot == b"two\n"
    assert (opener().read().snapshot, opener().read().journal) == (b"two\n", None)


def test_a_large_snapshot_comes_back_whole(opener: Opener):
    large = b'{"0123456789": "\xc3\xa4"}\n' * 50_000
    with term(opener()) as writer:
        writer.fold(large)
        writer.fold(None, last=True)
    assert opener().read().snapshot == large


def test_a_journal_holds_its_header_and_then_each_line(opener: Opener):
    with term(opener()) as writer:
        writer.start(b"header\n")
        writer.append(b"one\n")
        assert opener().read().journal == b"header\none\n"
        writer.append(b"two\nthree\n")
        assert writer.read().journal == b"header\none\ntwo\nthree\n"
    assert opener().read().journal == b"header\none\ntwo\nthree\n"


def test_a_long_journal_comes_back_whole(opener: Opener):
    line = b"x" * 999 + b"\n"
    with term(opener()) as writer:
        writer.start(b"header\n")
        for _ in range(200):
            writer.append(line)
    assert opener().read().journal == b"header\n" + line * 200


def test_a_fold_ends_the_journal_and_leaves_the_snapshot_where_it_gets_none(opener: Opener):
    with term(opener()) as writer:
        writer.fold(b"kept\n")
        writer.start(b"header\n")
        writer.append(b"line\n")
        writer.fold(None)
    assert (opener().read().snapshot, opener().read().journal) == (b"kept\n", None)


def test_the_lock_lets_one_in_and_is_given_back_on_leaving(opener: Opener):
    with term(opener(), "first"), pytest.raises(LockedError, match="first"), term(opener(), "second", waits=False):
        pass
    with pytest.raises(KeyboardInterrupt), term(opener(), "third"):
        raise KeyboardInterrupt
    with term(opener(), "fourth"):
        pass


def leased(opener: Opener) -> Store:
    store = opener()
    if not store.has_lease:
        pytest.skip("a lock on a file goes with its process")
    return store


def test_a_holder_that_lost_its_lease_writes_nothing_and_starts_no_call(opener: Opener):
    store = leased(opener)
    with term(store) as writer:
        writer.fold(b"one\n")
        assert "test" in (opener().holder() or "")
        opener().unlock()
        assert opener().holder() is None
        for deed in (lambda: writer.append(b"line\n"), lambda: writer.fold(b"two\n"), writer.confirm, writer.before_call):
            with pytest.raises(FencedError):
                deed()
    assert (opener().read().snapshot, opener().read().journal) == (b"one\n", None)


def test_of_two_that_swap_the_same_version_one_wins(opener: Opener):
    leased(opener)
    with term(opener()) as writer:
        writer.fold(b"one\n", last=True)
    registers = [opener()._register for _ in range(2)]  # type: ignore[attr-defined]
    base = [register.read() for register in registers]
    registers[0].swap(base[0], replace(base[0], nonce="first"))
    with pytest.raises(RegisterError):
        registers[1].swap(base[1], replace(base[1], nonce="second"))
    assert registers[1].read().nonce == "first"
    with pytest.raises(RegisterError):
        registers[1].swap(None, replace(base[1], nonce="third"))
    for register in registers:
        register.close()


def test_a_ledger_keeps_its_records_over_runs(opener: Opener):
    with ledger(opener()) as book:
        book.begin(Intent("op", ActionKind.CREATE, "A", 1.0, PLACE, SECRET))
        book.record("A", WebhookRecord("id", PLACE, PLACE, "A", SECRET))
    state = read_store(opener())
    assert state is not None
    assert (state.webhooks["A"].secret, state.pending, state.serial) == (SECRET, {}, 1)
    assert opener().read().journal is None


def test_an_older_state_does_not_change_while_the_ledger_goes_on(opener: Opener):
    with ledger(opener()) as book:
        empty = book.state
        book.begin(Intent("op", ActionKind.CREATE, "A", 1.0, PLACE, SECRET))
        begun = book.state
        assert book.state is begun
        book.record("A", WebhookRecord("id", PLACE, PLACE, "A", SECRET))
        book.set_workspace("w")
        assert (empty.webhooks, empty.pending, empty.workspace_id) == ({}, {}, None)
        assert (list(begun.pending), begun.webhooks) == (["A"], {})
        assert (list(book.state.webhooks), book.state.pending, book.state.workspace_id) == (["A"], {}, "w")
        assert (book.record_of("A"), book.pending_of("A"), book.workspace_id) == (book.state.webhooks["A"], (), "w")


def die_with_an_intent(store: Store) -> None:
    with ledger(store) as book:
        book.begin(Intent("op", ActionKind.CREATE, "A", 1.0, PLACE, SECRET))
        raise Crash


def test_an_intent_outlives_a_ledger_that_was_never_closed(opener: Opener):
    with pytest.raises(Crash):
        die_with_an_intent(opener())
    state = read_store(opener())
    assert state is not None
    assert state.unresolved() == ["A"]
    with ledger(opener()) as book:
        assert book.state.pending == state.pending


def test_what_is_recorded_anew_is_in_the_backup_too(opener: Opener):
    with ledger(opener()) as book:
        book.record("A", WebhookRecord("id", PLACE, PLACE, "A", SECRET))
    other = StoredSecret(SecretOrigin.GENERATED, Secret("other"))
    with ledger(opener()) as book:
        book.replace_all({"A": WebhookRecord("id", PLACE, PLACE, "A", other)}, {}, {})
    state = read_store(opener())
    assert state is not None
    assert state.webhooks["A"].secret == other


def test_a_ledger_takes_nothing_after_a_write_that_failed(opener: Opener, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StateIOError, match="could not be written"):
        refuse_writes(opener(), monkeypatch)
    with ledger(opener()) as book:
        assert book.state.workspace_id is None


def refuse_writes(store: Store, patch: pytest.MonkeyPatch) -> None:
    def fail(lines: bytes) -> None:
        raise StateIOError(ErrorCode.FILE_IO, "no")

    with ledger(store) as book:
        patch.setattr(book._term, "append", fail)
        for _ in range(2):
            with pytest.raises(StateIOError):
                book.set_workspace("w")
