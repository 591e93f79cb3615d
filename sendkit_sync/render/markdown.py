"""A plan for a comment on a pull request."""

from __future__ import annotations

import string

from ..diagnostics import printable
from ..planning.plan import Action, Plan
from .words import SIGNS, blocked_text, notes, remarks, rows, shown_name, summary_line, unrecorded_text

LIMIT = 65_536
"""What GitHub takes in a comment; counted in bytes here, to be safe."""

RESERVE = 2_000
"""Kept for the sentences that say what was cut."""

ENTITIES = {ord(char): f"&#{ord(char)};" for char in string.punctuation if char != "-"}


def _code(text: str) -> str:
    """Return `text` as code that no Markdown, HTML, table or mention gets out of."""
    return f"<code>{text.translate(ENTITIES)}</code>"


class _Page:
    """Text that never grows over the limit."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.left = LIMIT - RESERVE

    def add(self, text: str) -> bool:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > self.left:
            return False
        self.left -= size
        self.parts.append(text)
        return True

    def always(self, text: str) -> None:
        """Add one of the few short sentences that the reserve is for."""
        self.parts.append(text)


def _row(action: Action) -> str:
    note = "; ".join(remarks(action) + blocked_text(action))
    cells = (f"{SIGNS[action.kind]} {action.kind}", shown_name(action.name), printable(action.id or ""), note)
    return "| " + " | ".join(_code(cell) if cell else "" for cell in cells) + " |\n"


def _detail(action: Action) -> str:
    lines = [f"**{action.kind}** {_code(shown_name(action.name))}\n\n"]
    for path, values in rows(action):
        lines += [f"- {path}: {_code(value)}\n" for value in values]
    return "".join(lines) + "\n"


def plan_markdown(plan: Plan) -> str:
    """Return the plan as Markdown that fits in a comment; details are cut before summaries."""
    page = _Page()
    page.add(f"**{summary_line(plan)}**\n")
    unrecorded = unrecorded_text(plan)
    if unrecorded is not None:
        page.add(f"\n{unrecorded}\n")
    if plan.actions:
        page.add("\n| Action | Webhook | Id | Note |\n| --- | --- | --- | --- |\n")
        _some(page, [_row(action) for action in plan.actions], "actions")
    for heading, names in notes(plan):
        page.always(f"\n{heading}\n\n")
        items = [f"- {_code(shown_name(name))}" + (f": {_code(advice)}" if advice else "") + "\n" for name, advice in names]
        _some(page, items, "names")
    if plan.actions:
        if page.add("\n<details><summary>Details</summary>\n\n"):
            _some(page, [_detail(action) for action in plan.actions], "details")
            page.always("\n</details>\n")
        else:
            page.always("\nThe details are left out: the comment would be too long.\n")
    return "".join(page.parts)


def _some(page: _Page, items: list[str], what: str) -> None:
    for index, item in enumerate(items):
        if not page.add(item):
            page.always(f"\n{len(items) - index} more {what} are left out: the comment would be too long.\n")
            return
