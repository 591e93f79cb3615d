"""The use case `state merge`: merges the states of two branches, as git's merge driver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import ErrorCode, RefusedError
from ..core.model import State
from ..state.codec import encode_snapshot
from ..state.merging import merge_states
from .context import Context
from .private_file import replace_private
from .wiring import read_state


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """The three files in git's order (`%O %A %B`). `path` is the merged file in the work tree (`%P`)."""

    base: str
    ours: str
    theirs: str
    path: str | None = None


def merge(context: Context, request: MergeRequest) -> int:
    """Replace the file `ours` with the merge of both sides, and return the number of recorded webhooks.

    Raises `RefusedError` if they cannot be merged or if there is a journal beside a side. Then nothing is written.
    """
    for path in filter(None, (request.ours, request.theirs, request.path)):
        if Path(f"{path}.journal").exists():
            raise RefusedError(
                ErrorCode.MERGE_CONFLICT,
                "there is a journal beside the state, so the state is incomplete",
                where=path,
                hint="Nothing was written. Run sendkit-sync apply there first. It folds the journal into the state.",
            )
    ours, theirs = _read(request.ours), _read(request.theirs)
    base = _read(request.base) if Path(request.base).exists() and Path(request.base).stat().st_size else None
    merged = merge_states(base, ours, theirs)
    replace_private(request.ours, encode_snapshot(merged.state, None).decode())
    for warning in merged.warnings:
        context.warn(warning)
    return len(merged.state.webhooks)


def _read(path: str) -> State:
    state = read_state(path)
    if state is None:
        hint = "Pass three files, as git does: sendkit-sync state merge %O %A %B"
        raise RefusedError(ErrorCode.NOTHING_RECORDED, "there is no such state", where=path, hint=hint)
    return state
