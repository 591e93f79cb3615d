"""A damaged state is an error with its place, exit 65, and nothing is overwritten; the way back is the backup."""

from __future__ import annotations

import json
import random
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sendkit_sync.cli.main import run
from sendkit_sync.core.errors import ExitCode, StateInvalidError
from sendkit_sync.core.fields import Settings
from sendkit_sync.core.model import ActionKind, Intent, Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from sendkit_sync.state import JournalLedger, open_ledger, read_state
from support.world import CountingRng, Crash, FakeClock

API = "https://api.example"
PLACE = Settings("https://a.example", ("email.sent",), 3, 5000)
SECRET = "canary" * 8
DICE = CountingRng()


def ledger(path: Path) -> AbstractContextManager[JournalLedger]:
    return open_ledger(str(path), api=API, clock=FakeClock(), rng=DICE, purpose="test")


def record(book: JournalLedger, name: str) -> None:
    book.record(name, WebhookRecord(f"id-{name}", PLACE, PLACE, name, StoredSecret(SecretOrigin.GENERATED, Secret(SECRET))))


def open_intent(book: JournalLedger, name: str) -> None:
    secret = StoredSecret(SecretOrigin.GENERATED, Secret(SECRET))
    book.begin(Intent(f"op-{name}", ActionKind.CREATE, name, 1.5, PLACE, secret, seen=("x",)))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A state of two runs: one record, one unresolved create, and a backup."""
    path = tmp_path / "state.json"
    with ledger(path) as book:
        record(book, "A")
    with ledger(path) as book:
        open_intent(book, "B")
    return path


@pytest.fixture
def killed(snapshot: Path) -> Path:
    """The same after a run that was killed: a journal of five lines beside it."""
    with pytest.raises(Crash):
        die_in_a_run(snapshot)
    return snapshot


def die_in_a_run(path: Path) -> None:
    with ledger(path) as book:
        record(book, "C")
        open_intent(book, "D")
        record(book, "D")
        open_intent(book, "E")
        raise Crash


def files(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.parent.iterdir() if one.is_file() and one.suffix != ".lock"}


def refused(path: Path) -> str | None:
    """Return why the state is refused by readers and writers alike, or None where both take it."""
    before = files(path)
    why = refusal(path)
    if why is not None:
        with pytest.raises(StateInvalidError), ledger(path):
            pass
        assert str(path) in why
        assert SECRET[:12] not in why
        assert files(path) == before
    return why


def refusal(path: Path) -> str | None:
    try:
        read_state(str(path))
    except StateInvalidError as error:
        return f"{error} {error.hint}"
    return None


def test_a_snapshot_cut_at_any_byte_is_refused(snapshot: Path):
    whole = snapshot.read_bytes()
    for length in range(len(whole) - 1):  # without the line break at its end it is still whole
        snapshot.write_bytes(whole[:length])
        assert refused(snapshot), length


def flips(whole: bytes, count: int) -> list[tuple[int, int]]:
    return random.Random(3).sample([(place, bit) for place in range(len(whole)) for bit in range(8)], count)


def flipped(whole: bytes, place: int, bit: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :]


def check_bits(path: Path, known: State, sample: list[tuple[int, int]]) -> int:
    """Flip one bit after the other; each state is refused, or differs in a value only; return how many were refused."""
    whole, caught = path.read_bytes(), 0
    for place, bit in sample:
        damaged = flipped(whole, place, bit)
        path.write_bytes(damaged)
        if refused(path):
            caught += 1
            continue
        state = read_state(str(path))
        assert state is not None
        assert (len(state.webhooks), len(state.pending)) == (len(known.webhooks), len(known.pending)), (place, bit)
        assert json.loads(damaged) != json.loads(whole) or damaged.split() == whole.split(), (place, bit)
    return caught


def test_a_flipped_bit_in_a_snapshot_never_loses_an_entry(snapshot: Path):
    known = read_state(str(snapshot))
    assert known is not None
    sample = flips(snapshot.read_bytes(), 600)
    assert check_bits(snapshot, known, sample) > 300


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_any_flipped_bit_in_a_snapshot_never_loses_an_entry(snapshot: Path):
    known = read_state(str(snapshot))
    assert known is not None
    check_bits(snapshot, known, flips(snapshot.read_bytes(), len(snapshot.read_bytes()) * 8))


def test_a_flipped_bit_in_a_journal_is_refused_but_in_the_break_that_ends_it(killed: Path):
    journal = killed.with_name(killed.name + ".journal")
    whole = journal.read_bytes()
    for place, bit in flips(whole[:-1], 600):
        journal.write_bytes(flipped(whole, place, bit))
        assert refused(killed), (place, bit)


def test_a_journal_cut_at_any_byte_keeps_all_whole_lines_before_it(killed: Path):
    journal = killed.with_name(killed.name + ".journal")
    whole = journal.read_bytes()
    header = whole.index(b"\n") + 1
    for length in range(len(whole)):
        journal.write_bytes(whole[:length])
        if length < header:
            assert refused(killed), length
            continue
        state = read_state(str(killed))
        assert state is not None
        lines = whole[header:length].count(b"\n")
        seen = ("C" in state.webhooks) + ("D" in state.pending or "D" in state.webhooks) + ("D" in state.webhooks)
        assert seen + ("E" in state.pending) == lines


@pytest.mark.parametrize("missing", ["snapshot", "journal-of-another"])
def test_a_journal_without_its_snapshot_is_refused(killed: Path, tmp_path: Path, missing: str):
    if missing == "snapshot":
        killed.unlink()
    else:
        other = tmp_path / "other" / "state.json"
        other.parent.mkdir()
        with ledger(other):
            pass
        killed.write_bytes(other.read_bytes())
    assert refused(killed)


def test_the_command_ends_with_65_and_leaves_a_damaged_state_alone(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    snapshot.write_bytes(snapshot.read_bytes()[:-40])
    before = files(snapshot)
    config = snapshot.parent / "webhooks.yaml"
    config.write_text("version: 1\nwebhooks:\n  - name: A\n    url: https://a.example\n    events: [email.sent]\n")
    monkeypatch.setenv("SENDKIT_API_KEY", "sk_canary")
    words = ["-c", str(config), "--state", str(snapshot)]
    for command in (["plan"], ["apply", "--yes"], ["state", "list"]):
        assert run(["--api-url", API, *command, *words]) == ExitCode.INVALID
        assert ".backup" in capsys.readouterr().err
    config.unlink()
    assert files(snapshot) == before


def test_the_backup_put_in_its_place_is_taken_again(snapshot: Path):
    backup = snapshot.with_name(snapshot.name + ".backup")
    snapshot.write_bytes(b"")
    assert refused(snapshot)
    snapshot.write_bytes(backup.read_bytes())
    with ledger(snapshot) as book:
        assert set(book.state.webhooks) == {"A"}
        record(book, "F")
    state = read_state(str(snapshot))
    assert state is not None
    assert set(state.webhooks) == {"A", "F"}
