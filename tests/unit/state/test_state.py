"""The state: its codec, the journal, the lock and the ledger, over real files."""

# ruff: noqa: PT012 -- a run is killed by an exception from inside its block

from __future__ import annotations

import json
import os
import re
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendkit_sync.core import failpoints
from sendkit_sync.core.clock import SystemClock, SystemRng
from sendkit_sync.core.errors import LockedError, StateInvalidError, StateIOError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, Fingerprint, Intent, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.state import JournalLedger, open_ledger, read_state
from sendkit_sync.state.codec import decode_snapshot, encode_snapshot
from sendkit_sync.state.stores import file as state_file

API = "https://api.example"
SCHEMA = json.loads((Path(__file__).parent.parent.parent.parent / "schemas" / "state.schema.json").read_text())

texts = st.text(max_size=8)
filled = st.text(min_size=1, max_size=8)
ids = st.from_regex("[A-Za-z0-9_-]{1,128}", fullmatch=True)
id_lists = st.lists(ids, max_size=3).map(tuple)
hexes = st.binary(min_size=1, max_size=8).map(bytes.hex)
origins = st.sampled_from(SecretOrigin)
counts = st.none() | st.integers(0, 10**6)
lists = st.lists(texts, max_size=3).map(tuple)
configs = st.builds(Settings, texts, lists, counts, counts)
stored = st.builds(StoredSecret, origins, texts.map(Secret)) | st.builds(
    StoredSecret, origins, st.none(), texts, st.builds(Fingerprint, hexes, st.none() | hexes)
)
records = st.builds(
    WebhookRecord,
    ids,
    configs,
    configs,
    texts,
    st.none() | stored,
    st.none() | texts,
    st.none() | texts,
    st.lists(stored, max_size=3).map(tuple),
    lists,
)


@st.composite
def states(draw: st.DrawFn) -> State:
    pending = {}
    for name in draw(st.lists(texts, max_size=2, unique=True)):
        intent = st.builds(
            Intent, filled, st.sampled_from(ActionKind), st.just(name), st.floats(0, 2e11), st.none() | configs,
            st.none() | stored, st.none() | ids, id_lists, st.booleans(), st.none() | texts, st.none() | st.floats(0, 2e11),
        )  # fmt: skip
        pending[name] = tuple(draw(st.lists(intent, min_size=1, max_size=2)))
    webhooks = draw(st.dictionaries(texts, records, max_size=3))
    workspaces = [draw(st.none() | texts) for _ in range(2)]
    numbers = draw(filled), draw(st.integers(0, 9)), draw(filled)
    staged = draw(st.dictionaries(texts, stored, max_size=2))
    return State(*numbers, workspaces[0], webhooks, pending, staged, workspaces[1], draw(st.booleans()))


class Killed(BaseException):
    """The process ends at a fail point."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s.json")


@pytest.fixture(autouse=True)
def _hook() -> Iterator[None]:
    former = failpoints.hook
    yield
    failpoints.hook = former


def ledger(path: str, api: str = API) -> AbstractContextManager[JournalLedger]:
    return open_ledger(path, api=api, clock=SystemClock(), rng=SystemRng(), purpose="test")


def recorded(webhook_id: str = "w1") -> WebhookRecord:
    conf = Settings("https://a.example", ("email.sent",))
    return WebhookRecord(webhook_id, conf, conf, "n", StoredSecret(SecretOrigin.GENERATED, Secret("s3cr3t")))


def intent(name: str = "n", op: str = "op1") -> Intent:
    return Intent(op, ActionKind.CREATE, name, 1.5, Settings("https://a.example", ("email.sent",)))


def kill_at(name: str) -> None:
    def hook(reached: str) -> None:
        if reached == name:
            raise Killed

    failpoints.hook = hook


def killed_run(path: str) -> None:
    """Leave a journal with one intent and one record."""
    with pytest.raises(Killed), ledger(path) as book:
        book.begin(intent("open"))
        book.record("n", recorded())
        raise Killed


@settings(deadline=None)
@given(states(), st.none() | filled)
def test_round_trip_and_schema(state: State, journal: str | None) -> None:
    raw = encode_snapshot(state, journal)
    back = decode_snapshot(raw.decode(), "f")
    assert (back.state, back.journal) == (state, journal)
    jsonschema.Draft7Validator(SCHEMA).validate(json.loads(raw))
    try_decrypt = json.dumps(json.loads(raw), indent=2, sort_keys=True, ensure_ascii=b"\\ud" in raw) + "\n"
    assert raw == try_decrypt.encode()


def test_nothing_there(path: str) -> None:
    assert read_state(path) is None


def test_fold_backup_and_modes(path: str) -> None:
    with ledger(path) as book:
        book.begin(intent())
        book.record("n", recorded())
        live = read_state(path)
        assert live is not None
        assert (live.serial, set(live.webhooks), live.pending) == (0, {"n"}, {})
    state = read_state(path)
    assert state is not None
    assert state.serial == 1
    assert sorted(one.name for one in Path(path).parent.iterdir()) == ["s.json", "s.json.backup", "s.json.lock"]
    for name in (path, path + ".backup", path + ".lock"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    before = Path(path).read_bytes()
    with ledger(path) as book:
        book.begin(intent())
        book.drop(intent())
    assert Path(path).read_bytes() == before


def test_folds_on_exception(path: str) -> None:
    with pytest.raises(KeyboardInterrupt), ledger(path) as book:
        book.record("n", recorded())
        raise KeyboardInterrupt
    assert not Path(path + ".journal").exists()


def test_entries(path: str) -> None:
    with ledger(path) as book:
        book.set_workspace("ws")
        book.set_observed_workspace("66a0")
        book.note_list_worked()
        book.begin(intent("a"))
        book.restamp(intent("a"), 9.0)
        book.expire("a")
        book.record("old", recorded("w1"))
        book.record("new", recorded("w1"), replaces="old")
        book.record("gone", recorded("w2"))
        book.forget("gone")
        seen = read_state(path)
        assert seen == book.state
    state = read_state(path)
    assert state is not None
    assert (state.workspace_id, set(state.webhooks)) == ("ws", {"new"})
    assert (state.observed_workspace_id, state.list_worked) == ("66a0", True)
    (attempt,) = state.pending["a"]
    assert (attempt.sent_at, attempt.since, attempt.expired) == (9.0, intent("a").sent_at, True)


def test_recovers_and_drops_a_torn_line(path: str) -> None:
    killed_run(path)
    with Path(path + ".journal").open("ab") as stream:
        stream.write(b'{"do":"for')
    with ledger(path) as book:
        assert (set(book.state.webhooks), set(book.state.pending), book.state.serial) == ({"n"}, {"open"}, 1)


def test_damaged_line_names_its_number(path: str) -> None:
    killed_run(path)
    journal = Path(path + ".journal")
    journal.write_bytes(journal.read_bytes().replace(b"s3cr3t", b"s3cr3x"))
    with pytest.raises(StateInvalidError) as caught:
        read_state(path)
    assert str(caught.value).startswith(f"{journal}:3:")
    assert "s3cr3" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b'{"version": 1', b'{"version": 2}', b"<<<<<<< HEAD\n{}", b"[]", b"\xff", b'{"a":1,"a":2}', None]
)
def test_bad_snapshot_is_left_alone(path: str, raw: bytes | None) -> None:
    killed_run(path)
    if raw is None:
        Path(path).unlink()
    else:
        Path(path).write_bytes(raw)
    with pytest.raises(StateInvalidError):
        read_state(path)
    with pytest.raises(StateInvalidError), ledger(path):
        pass
    assert (Path(path).read_bytes() if Path(path).exists() else None) == raw
    assert Path(path + ".journal").exists()


def test_merge_conflict_markers_are_reported(path: str) -> None:
    with ledger(path) as book:
        book.record("n", recorded())
    Path(path).write_text(
        Path(path).read_text().replace('  "serial": 1,', '<<<<<<< HEAD\n  "serial": 1,\n=======\n>>>>>>> other')
    )
    with pytest.raises(StateInvalidError, match="merge conflict markers"):
        read_state(path)


def test_a_reader_without_the_lock_looks_at_the_snapshot_again_after_the_journal(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = State("l", 0, API), State("l", 1, API, webhooks={"n": recorded()})
    Path(path).write_bytes(encode_snapshot(before, None))
    read = state_file._read

    def folding(place: str, *, follow: bool) -> bytes | None:
        """Let a run end between the look at the snapshot and the one at the journal."""
        found = read(place, follow=follow)
        if place == path:
            Path(path).write_bytes(encode_snapshot(after, "folded"))
        return found

    monkeypatch.setattr(state_file, "_read", folding)
    assert read_state(path) == after


def test_a_reader_sees_all_that_was_recorded_while_runs_come_and_go(path: str) -> None:
    known, over = [0], threading.Event()

    def write() -> None:
        for number in range(60):
            with ledger(path) as book:
                book.record(f"n{number}", recorded(f"w{number}"))
                known[0] = number + 1
        over.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not over.is_set() and not writing.done():
            least = known[0]
            state = read_state(path)
            assert least <= (len(state.webhooks) if state is not None else 0)
        writing.result()
    assert over.is_set()


def test_foreign_journal_and_api(path: str, tmp_path: Path) -> None:
    killed_run(path)
    other = str(tmp_path / "o.json")
    with ledger(other):
        pass
    Path(path + ".journal").rename(other + ".journal")
    with pytest.raises(StateInvalidError, match="belongs to serial"):
        read_state(other)
    killed_run(path)
    with pytest.raises(StateInvalidError, match="belongs to the API"), ledger(path, "https://other.example"):
        pass


def test_lock_names_its_holder(path: str) -> None:
    who_where_since_what = rf"locked by \S+@{re.escape(socket.gethostname())} \(pid {os.getpid()}, since \d{{4}}-.*, test\)"
    with ledger(path), pytest.raises(LockedError, match=who_where_since_what), ledger(path):
        pass


@pytest.mark.parametrize(
    "point", [name for name in failpoints.NAMES if name not in ("gate-passed", "request-sent", "answer-read")]
)
def test_killed_anywhere_recovers(path: str, point: str) -> None:
    kill_at(point)
    done = []
    with pytest.raises(Killed), ledger(path) as book:
        book.begin(intent("open"))
        done.append("open")
        book.record("n", recorded())
        done.append("n")
    failpoints.hook = lambda _name: None
    with ledger(path) as book:
        assert set(done) <= {*book.state.webhooks, *book.state.pending}
    assert not Path(path + ".journal").exists()


def test_failed_write_stops_the_ledger(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StateIOError), ledger(path) as book:
        book.record("n", recorded())
        monkeypatch.setattr(state_file, "_datasync", full)
        with pytest.raises(StateIOError, match="No space"):
            book.record("m", recorded("w2"))
        monkeypatch.undo()
        with pytest.raises(StateIOError):
            book.forget("n")
    state = read_state(path)
    assert state is not None
    assert "n" in state.webhooks


def test_threads_and_short_writes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:50]))
    with ledger(path) as book, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: book.record(f"n{index}", recorded(f"w{index}")), range(100)))
        live = read_state(path)
        assert live is not None
        assert len(live.webhooks) == 100


def test_symbolic_link_is_followed(path: str, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with ledger(str(link)) as book:
        book.record("n", recorded())
    assert link.is_symlink()
    assert read_state(path) == read_state(str(link)) is not None
