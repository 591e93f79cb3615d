"""The state of a store: its snapshot with the journal replayed onto it, read, recovered, and folded into the next snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..core import failpoints
from ..core.errors import ErrorCode, StateInvalidError
from ..core.model import State
from ..core.ports import Rng, Store, StoredState, Term
from . import journal
from .codec import Snapshot, decode_run, decode_snapshot, encode_snapshot, same_content
from .node import RESTORE_HINT, parse, text_of
from .stores import open_store


def read_state(address: str) -> State | None:
    """Read the state at `address`, a path or a URL, without a lock; None where there is none."""
    return read_store(open_store(address))


def read_store(store: Store) -> State | None:
    """Read the state of a store without a lock; None where there is none."""
    stored = store.read()
    text, lines, last_run = _text_of(stored.snapshot, store), stored.journal, stored.last_run
    del stored  # the bytes of a large state need not stay beside its text
    loaded = _load(store, text, lines)
    return None if loaded is None else _with_run(loaded[1], last_run, store)


def _with_run(state: State, text: str | None, store: Store) -> State:
    """Return the state with what the store keeps of the last run beside it; no reading fails for that."""
    try:
        return state if text is None else replace(state, last_run=decode_run(parse(text, store.address)))
    except StateInvalidError:
        return state


def read_stored(store: Store, stored: StoredState) -> tuple[Snapshot, State, str | None] | None:
    """Return snapshot, state and the id of the journal of what was read from a store; None where nothing is there."""
    return _load(store, _text_of(stored.snapshot, store), stored.journal)


def _text_of(raw: bytes | None, store: Store) -> str | None:
    return None if raw is None else text_of(raw, store.address)


def _load(store: Store, text: str | None, lines: bytes | None) -> tuple[Snapshot, State, str | None] | None:
    """Return the snapshot, the state with the journal replayed, and the id of the journal."""
    if text is None:
        if lines is not None:
            raise StateInvalidError(
                ErrorCode.SNAPSHOT_MISSING,
                "the state is missing although its journal is there",
                where=store.address,
                hint=RESTORE_HINT,
            )
        return None
    snapshot = decode_snapshot(text, store.address)
    if lines is None:
        return snapshot, snapshot.state, None
    return snapshot, *journal.replay(snapshot, lines, store.journal_address)


def recover(store: Store, term: Term, api: str, rng: Rng, check: Callable[[State | None], None]) -> Snapshot:
    """Return the snapshot of a locked store, with what a killed run left folded into it; the first one where there is none.

    `check` may refuse what is recorded before anything is written.
    """
    loaded = read_stored(store, term.read())
    check(None if loaded is None else loaded[1])
    if loaded is None:
        state = State(rng.token(), 0, api)
        term.fold(encode_snapshot(state, None))
        return Snapshot(state, None)
    snapshot, state, left = loaded
    if state.api != api and state.empty:
        # What a first run to a mistyped address left behind.
        return fold(term, snapshot, State(state.lineage, state.serial, api), left or snapshot.journal)
    if state.api != api:
        raise StateInvalidError(
            ErrorCode.API_MISMATCH,
            f"the state belongs to the API at {state.api}, not to {api}",
            where=store.address,
            hint="Use the address that the state was made with, or another state file for the other address.",
        )
    return snapshot if left is None else fold(term, snapshot, state, left)


def fold(term: Term, snapshot: Snapshot, state: State, folded: str | None, *, last: bool = False) -> Snapshot:
    """End the journal, and make `state` the next snapshot if it differs; `last`: nothing is written in this term after it."""
    failpoints.reached("fold-begun")
    if same_content(state, snapshot.state):
        term.fold(None, last=last)
        return snapshot
    snapshot = Snapshot(replace(state, serial=state.serial + 1), folded)
    term.fold(encode_snapshot(snapshot.state, folded), last=last)
    return snapshot
