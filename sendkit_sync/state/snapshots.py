"""The state of a store: its snapshot with the journal replayed onto it, read, recovered, and folded into the next snapshot."""

from __future__ import annotations

from dataclasses import replace

from ..core import failpoints
from ..core.errors import StateInvalidError, StateIOError
from ..core.model import State
from ..core.ports import Rng, Store
from . import journal
from .codec import Snapshot, decode_snapshot, encode_snapshot, same_content
from .node import RESTORE_HINT, text_of
from .stores.file import FileStore

_READ_ATTEMPTS = 100


def read_state(path: str) -> State | None:
    """Read the state file `path` without a lock; None where there is none."""
    return read_store(FileStore(path))


def read_store(store: Store) -> State | None:
    """Read without a lock: the snapshot and its journal, again until the snapshot holds still."""
    for _ in range(_READ_ATTEMPTS):
        raw = store.read_snapshot()
        lines = store.read_journal()
        if store.snapshot_is(raw):
            text = _text_of(raw, store)
            del raw  # the bytes of a large state need not stay beside its text
            loaded = _load(store, text, lines)
            return None if loaded is None else loaded[1]
    raise StateIOError("the state changes all the time", where=store.path, hint="Try again when the other run has ended.")


def _text_of(raw: bytes | None, store: Store) -> str | None:
    return None if raw is None else text_of(raw, store.path)


def _load(store: Store, text: str | None, lines: bytes | None) -> tuple[Snapshot, State, str | None] | None:
    """Return the snapshot, the state with the journal replayed, and the id of the journal."""
    if text is None:
        if lines is not None:
            raise StateInvalidError("the state is missing although its journal is there", where=store.path, hint=RESTORE_HINT)
        return None
    snapshot = decode_snapshot(text, store.path)
    if lines is None:
        return snapshot, snapshot.state, None
    return snapshot, *journal.replay(snapshot, lines, store.journal_path)


def recover(store: Store, api: str, rng: Rng) -> Snapshot:
    """Return the snapshot of a locked store, with what a killed run left folded into it; the first one where there is none."""
    loaded = _load(store, _text_of(store.read_snapshot(), store), store.read_journal())
    if loaded is None:
        state = State(rng.token(), 0, api)
        store.write_snapshot(encode_snapshot(state, None))
        return Snapshot(state, None)
    snapshot, state, left = loaded
    if state.api != api and state.empty:
        # What a first run to a mistyped address left behind.
        return fold(store, snapshot, replace(state, api=api, workspace_id=None), left or snapshot.journal)
    if state.api != api:
        raise StateInvalidError(
            f"the state belongs to the API at {state.api}, not to {api}",
            where=store.path,
            hint="Use the address that the state was made with, or another state file for the other address.",
        )
    return snapshot if left is None else fold(store, snapshot, state, left)


def fold(store: Store, snapshot: Snapshot, state: State, folded: str | None) -> Snapshot:
    """Write `state` as the next snapshot if it differs, and remove the journal."""
    failpoints.reached("fold-begun")
    if not same_content(state, snapshot.state):
        snapshot = Snapshot(replace(state, serial=state.serial + 1), folded)
        store.write_snapshot(encode_snapshot(snapshot.state, folded))
    failpoints.reached("fold-done")
    store.remove_journal()
    return snapshot
