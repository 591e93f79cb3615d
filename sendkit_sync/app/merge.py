"""The use case `state merge`: merges two states that two branches recorded apart, as git's merge driver."""

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
    """The three files, as git names them (`%O %A %B`); `path` is where the merged file stands in the work tree (`%P`)."""

    base: str
    ours: str
    theirs: str
    path: str | None = None


def merge(context: Context, request: MergeRequest) -> int:
    """Replace the file `ours` by the merge of both sides, and return how many webhooks it records.

    Raises `RefusedError` where they cannot be merged, or a journal stands beside a side: nothing is written then.
    """
    for path in filter(None, (request.ours, request.theirs, request.path)):
        if Path(f"{path}.journal").exists():
            raise RefusedError(
                ErrorCode.MERGE_CONFLICT,
                "a journal stands beside the state, so it is not all that was recorded",
                where=path,
                hint="Nothing was written. Run sendkit-sync apply there first: it folds the journal.",
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
        hint = "Name three files, as git does: sendkit-sync state merge %O %A %B"
        raise RefusedError(ErrorCode.NOTHING_RECORDED, "there is no such state", where=path, hint=hint)
    return state
