"""A plan for a comment on a pull request."""

from __future__ import annotations

from ..core.diagnostics import printable
from ..core.model import ActionKind
from ..planning.plan import Action, Plan
from .words import SIGNS, blocked_text, fields, notes, remarks, shown_name, summary_line, unrecorded_text

LIMIT = 65_536
"""What a comment on GitHub takes, in characters; counted in bytes here, which are never fewer."""

RESERVE = 2_000
"""Kept for the sentences that say what was cut, and for a line of whoever posts the comment."""

FOR_NOTES = LIMIT // 4
"""What the notes may take, so that neither they nor the actions push out the other."""

ENTITIES = {ord(char): f"&#{ord(char)};" for char in "!#$&*.:<>[\\]_`|~"} | {ord("@"): "&#64;<!-- -->"}
"""What could begin Markdown, HTML, a link or a mention, or end a cell of a table. Addresses of e-mail are looked for
when entities are text again, but never across a comment."""

SIDES = {ActionKind.CREATE: "+", ActionKind.DELETE: "-", ActionKind.FORGET: "-"}
"""The sign of a field that is not compared with another."""


def _code(text: str) -> str:
    """Return `text` as code that no Markdown, HTML, table or mention gets out of."""
    return f"<code>{text.translate(ENTITIES)}</code>"


class _Page:
    """Text that never grows over the limit."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.left = LIMIT - RESERVE

    def add(self, text: str, *, keep: int = 0) -> bool:
        """Add `text` where `keep` bytes are left after it; return whether it was added."""
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > self.left - keep:
            return False
        self.left -= size
        self.parts.append(text)
        return True

    def some(self, items: list[str], *, keep: int = 0) -> int:
        """Add as many of `items` as fit, and return how many did not."""
        for index, item in enumerate(items):
            if not self.add(item, keep=keep):
                return len(items) - index
        return 0

    def always(self, text: str) -> None:
        """Add one of the few short sentences that the reserve is for."""
        self.parts.append(text)

    def cut(self, count: int, what: str) -> None:
        """Say that so many were left out, if any were."""
        if count:
            self.always(f"\n{count} more {what} are left out: the comment would be too long.\n")


def _row(action: Action) -> str:
    note = "; ".join(remarks(action) + blocked_text(action))
    cells = (f"{SIGNS[action.kind]} {action.kind}", shown_name(action.name), printable(action.id or ""), note)
    return "| " + " | ".join(_code(cell) if cell else "" for cell in cells) + " |\n"


def _detail(action: Action) -> str:
    """Return lines of a diff. None begins like the end of its block, for each begins with a sign or a field's name."""
    lines = [f'@@ {action.kind} "{shown_name(action.name)}" @@\n']
    for path, pieces in fields(action):
        lines += [f"{sign or SIDES.get(action.kind, ' ')} {path}: {text}\n" for sign, text in pieces]
    return "".join(lines)


def plan_markdown(plan: Plan) -> str:
    """Return the plan as Markdown that fits in a comment; details are cut before summaries."""
    page = _Page()
    page.add(f"**{summary_line(plan)}**\n")
    unrecorded = unrecorded_text(plan)
    if unrecorded is not None:
        page.add(f"\n{unrecorded}\n")
    for note in notes(plan):
        page.always(f"\n{note.heading}\n\n")
        items = [
            f"- {_code(shown_name(name))}" + (f": {_code(advice)}" if advice else "") + "\n" for name, advice in note.entries
        ]
        page.cut(page.some(items, keep=LIMIT - FOR_NOTES), "names")
    if plan.actions:
        page.add("\n| Action | Webhook | Id | Note |\n| --- | --- | --- | --- |\n")
        page.cut(page.some([_row(action) for action in plan.actions]), "actions")
        page.always("\n<details><summary>Details</summary>\n\n```diff\n")
        left_out = page.some([_detail(action) for action in plan.actions])
        page.always("```\n")
        page.cut(left_out, "details")
        page.always("\n</details>\n")
    return "".join(page.parts)
