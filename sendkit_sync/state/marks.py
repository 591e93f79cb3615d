"""What takes the place of a snapshot while a state moves to another store, and afterwards: nothing else may write there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NoReturn

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, StateMovedError
from ..core.quoting import shell_name

VERSION = 2
"""Tools that know no marks refuse this version of a state."""


@dataclass(frozen=True, slots=True)
class Mark:
    """`to` is the address that the state moves to; `document` the snapshot that moves, None once it has moved."""

    to: str
    lineage: str
    serial: int
    document: str | None

    def encode(self) -> bytes:
        """Return the bytes that stand in the place of a snapshot."""
        body: dict[str, object] = {"version": VERSION, "lineage": self.lineage, "serial": self.serial}
        body |= {"movedTo": self.to} if self.document is None else {"movingTo": self.to, "document": self.document}
        return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()


def find_mark(snapshot: bytes | str | None) -> Mark | None:
    """Return the mark that stands in the place of a snapshot, or None where it is none."""
    text = snapshot.decode(errors="replace") if isinstance(snapshot, bytes) else snapshot
    if text is None or ('"movingTo"' not in text and '"movedTo"' not in text):
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("version") != VERSION:
        return None
    to, document = body.get("movedTo", body.get("movingTo")), body.get("document")
    lineage, serial = body.get("lineage"), body.get("serial")
    moving = isinstance(document, str) and "movingTo" in body
    if isinstance(to, str) and isinstance(lineage, str) and isinstance(serial, int) and moving != ("movedTo" in body):
        return Mark(to, lineage, serial, document if moving else None)
    return None


def refuse(mark: Mark, where: str) -> NoReturn:
    """Raise `StateMovedError` for a command that found a mark instead of a state."""
    to = printable(mark.to, 300)
    if mark.document is None:
        what, hint = f"the state has moved to {to}", f"Use it there: --state {shell_name(mark.to)}, or `state` in the config."
        raise StateMovedError(ErrorCode.STATE_MOVED, what, where=where, hint=hint)
    hint = "Run `sendkit-sync state migrate` again to finish, or add --abort to keep the state here."
    raise StateMovedError(ErrorCode.STATE_MOVING, f"the state is being moved to {to}", where=where, hint=hint)
