"""Renders a plan as Markdown for a comment on a pull request."""

from __future__ import annotations

from ..core.diagnostics import printable
from ..core.model import ActionKind
from ..planning.plan import Action, Plan
from .words import SIGNS, blocked_text, fields, notes, remarks, shown_name, summary_line, unrecorded_text

LIMIT = 65_536
"""Size limit of a GitHub comment in characters. Bytes are counted here, which are never fewer."""

RESERVE = 2_000
"""Reserved for the sentences about what was left out, and for a line that the poster adds."""

FOR_NOTES = LIMIT // 4
"""Size limit of the notes, so that notes and actions both get space."""

ENTITIES = {ord(char): f"&#{ord(char)};" for char in "!#$&*.:<>[\\]_`|~"} | {ord("@"): "&#64;<!-- -->"}
"""Characters that may start Markdown, HTML, a link or a mention, or end a table cell. E-mail addresses are still detected
behind entities, but never across an HTML comment."""

SIDES = {ActionKind.CREATE: "+", ActionKind.DELETE: "-", ActionKind.FORGET: "-"}
"""The sign for fields that have only one side."""


def _code(text: str) -> str:
    """Return `text` as inline code from which no Markdown, HTML, table or mention can escape."""
    return f"<code>{text.translate(ENTITIES)}</code>"


class _Page:
    """Collects text up to the size limit."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.left = LIMIT - RESERVE

    def add(self, text: str, *, keep: int = 0) -> bool:
        """Add `text` if it leaves at least `keep` bytes. Return whether it was added."""
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > self.left - keep:
            return False
        self.left -= size
        self.parts.append(text)
        return True

    def some(self, items: list[str], *, keep: int = 0) -> int:
        """Add as many of `items` as fit. Return the number of the others."""
        for index, item in enumerate(items):
            if not self.add(item, keep=keep):
                return len(items) - index
        return 0

    def always(self, text: str) -> None:
        """Add a short sentence that the reserve is meant for."""
        self.parts.append(text)

    def cut(self, count: int, what: str) -> None:
        """Say how many were left out, if any."""
        if count:
            self.always(f"\n{count} more {what} are left out, because the comment would be too long.\n")


def _row(action: Action) -> str:
    note = "; ".join(remarks(action) + blocked_text(action))
    cells = (f"{SIGNS[action.kind]} {action.kind}", shown_name(action.name), printable(action.id or ""), note)
    return "| " + " | ".join(_code(cell) if cell else "" for cell in cells) + " |\n"


def _detail(action: Action) -> str:
    """Return lines of a diff block. Each starts with a sign or a field's name, so none can end the block."""
    lines = [f'@@ {action.kind} "{shown_name(action.name)}" @@\n']
    for path, pieces in fields(action):
        lines += [f"{sign or SIDES.get(action.kind, ' ')} {path}: {text}\n" for sign, text in pieces]
    return "".join(lines)


def plan_markdown(plan: Plan) -> str:
    """Return the plan as Markdown that fits in a comment. Details are left out before summaries."""
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
