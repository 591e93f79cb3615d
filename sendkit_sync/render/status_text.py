"""The status of all webhooks for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..planning.status import Status, WebhookStatus, WorkspaceStatus, count
from .status_words import (
    HEADS,
    NUMBERS,
    by_urgency,
    cells,
    counted,
    delivery_text,
    headline,
    one_or_many,
    place,
    run_text,
    unread_text,
)
from .text import Paint, painter
from .words import shown_name

GAP = "  "
LEAST = 2
"""So many lines of a table are shown, however small the screen."""


@dataclass(frozen=True, slots=True)
class Block:
    """The lines about one workspace: what stands above the table, the table with its heads, and what is below it."""

    head: list[str]
    table: list[str]
    foot: list[str]

    def lines(self, room: int | None = None) -> list[str]:
        """Return all lines, of the table at most `room`, but its heads and how many webhooks are left out."""
        table = self.table
        if room is not None and len(table) > max(room, LEAST):
            shown = max(room, LEAST) - 1
            table = [*table[:shown], f"... and {len(table) - shown:,} more"]
        return [*self.head, *(["", *table] if table else []), "", *self.foot]


def status_text(status: Status, *, colour: bool) -> str:
    """Return the status as lines, each with its line break."""
    parts = [block.lines() for block in blocks(status, colour=colour)]
    if len(parts) > 1:
        read = all(workspace.unread is None for workspace in status.workspaces)
        parts.append([f"{len(parts):,} workspaces: {headline(count(status.webhooks()), read=read)}"])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def blocks(status: Status, *, colour: bool) -> list[Block]:
    """Return the lines about each workspace."""
    paint = painter(colour)
    return [
        Block(
            list(_head(workspace, status.read_at, paint)),
            list(_table(workspace.webhooks, status.read_at, paint)),
            list(_foot(workspace)),
        )
        for workspace in status.workspaces
    ]


def _head(workspace: WorkspaceStatus, now: float, paint: Paint) -> Iterator[str]:
    yield place(workspace)
    if workspace.last_run is not None:
        yield f"Last run: {run_text(workspace.last_run, now)}"
    if workspace.unread is not None:
        yield paint(unread_text(workspace.unread), "yellow")
        if workspace.unread.hint:
            yield f"  {workspace.unread.hint}"


def _foot(workspace: WorkspaceStatus) -> Iterator[str]:
    counts = count(workspace.webhooks)
    yield headline(counts, read=workspace.unread is None)
    if counts.webhooks:
        yield ", ".join(f"{number:,} {label}" for label, number, _ in counted(counts)) + "."
    deliveries = delivery_text(counts)
    if deliveries is not None:
        yield f"Deliveries: {deliveries}"
    if workspace.unrecorded:
        verb = "is" if workspace.unrecorded == 1 else "are"
        yield f"{one_or_many(workspace.unrecorded, 'live webhook')} {verb} not recorded."


def _table(webhooks: Sequence[WebhookStatus], now: float, paint: Paint) -> Iterator[str]:
    """Yield a table of webhooks, those that need a look first.

    The names come last: there they may be of any length and any script, and no line begins with what somebody else wrote.
    """
    if not webhooks:
        return
    rows = [(cells(webhook, now), webhook) for webhook in by_urgency(webhooks)]
    heads = [head.upper() for head in HEADS]
    widths = [max(len(head), *(len(row[index][0]) for row, _ in rows)) for index, head in enumerate(heads)]
    yield GAP.join(_padded(head, index, widths) for index, head in enumerate(heads)) + f"{GAP}WEBHOOK"
    for row, webhook in rows:
        padded = ((_padded(text, index, widths), wrong) for index, (text, wrong) in enumerate(row))
        name = shown_name(webhook.name)
        columns = [paint(text, "red") if wrong else text for text, wrong in padded]
        yield GAP.join([*columns, paint(name, "red") if webhook.problems else name])


def _padded(text: str, index: int, widths: Sequence[int]) -> str:
    return text.rjust(widths[index]) if HEADS[index] in NUMBERS else text.ljust(widths[index])
