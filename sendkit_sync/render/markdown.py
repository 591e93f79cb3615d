"""Renders a plan as Markdown for a comment on a pull request."""

from __future__ import annotations

from ..core.diagnostics import printable
from ..core.model import ActionKind
from ..planning.plan import Action, Plan
from .words import (
    SIGNS,
    blocked_text,
    comparison_text,
    fields,
    notes,
    remarks,
    shown_name,
    summary_line,
    unknown_text,
    unrecorded_text,
)

LIMIT = 65_536
"""Size limit of a GitHub comment in characters. Bytes are counted here, which are never fewer."""

RESERVE = 2_000
"""Reserved for the sentences about what was left out, and for a line that the poster adds."""

FOR_NOTES = LIMIT // 4
"""Size limit of the notes, so that notes and actions both get space."""

ENTITIES = {ord(char): f"&#{ord(char)};" for char in "!#$&)*.:<>[\\]_`|~"} | {ord("@"): "&#64;<!-- -->"}
"""Characters that may start Markdown, HTML, a link or a mention, or end a table cell. E-mail addresses are still detected
behind entities, but never across an HTML comment."""

LONGEST_VALUE = 120
"""Longer texts in a row are shortened, and stand in full below the table."""

MOST_CHANGES = 6
"""More fields than this stand below the table."""

SIDES = {ActionKind.CREATE: "+", ActionKind.DELETE: "-", ActionKind.FORGET: "-"}
"""The sign for fields that have only one side."""


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


def _text(text: str) -> str:
    """Return `text` so that no Markdown, HTML, table or mention in it takes effect."""
    first = text[:1]  # a sign or white space here may begin a list or code
    if first.isalnum() or not first:
        return text.translate(ENTITIES)
    return ENTITIES.get(ord(first), f"&#{ord(first)};") + text[1:].translate(ENTITIES)


def _short(text: str, longest: int = LONGEST_VALUE) -> str:
    """Return a value shortened in the middle: both ends of a URL tell more than its beginning alone."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}\u2026{text[-half:]}"


def _changes(action: Action) -> list[str]:
    """Return what changes, a text for each field: both sides, or the one that there is."""
    texts = []
    for path, pieces in fields(action):
        if path == "events" and action.changes:
            texts.append(f"{path}: " + ", ".join(f"{sign}{text}" for sign, text in pieces))
        else:
            texts.append(f"{path}: " + " \u2192 ".join(text for _, text in pieces))
    return texts


def _is_short(action: Action) -> bool:
    """Return whether the row of an action says all of it."""
    return all(len(text) <= LONGEST_VALUE for text in _changes(action)) and len(action.changes) <= MOST_CHANGES


def _row(action: Action) -> str:
    title = f"{SIGNS[action.kind]} {action.kind}"
    name = _text(shown_name(action.name)) + (f"<br>{_text(printable(action.id))}" if action.id is not None else "")
    blocked = [f"**{_text(line)}**" if not number else _text(line) for number, line in enumerate(blocked_text(action))]
    about = [*blocked, *map(_text, remarks(action)), *(_text(_short(text)) for text in _changes(action)[:MOST_CHANGES])]
    return f"| {_text(title)} | {name} | {'<br>'.join(about)} |\n"


def _detail(action: Action) -> str:
    """Return lines of a diff block. Each starts with a sign or a field's name, so none can end the block."""
    lines = [f'@@ {action.kind} "{shown_name(action.name)}" @@\n']
    for path, pieces in fields(action):
        lines += [f"{sign or SIDES.get(action.kind, ' ')} {path}: {text}\n" for sign, text in pieces]
    return "".join(lines)


def _rank(action: Action) -> int:
    """Return where an action belongs: what needs the reviewer's eyes most comes first."""
    return 0 if action.blocked_by is not None else 1 if action.kind in (ActionKind.DELETE, ActionKind.FORGET) else 2


def _where(plan: Plan) -> str:
    workspace = f"Workspace {_text(printable(plan.workspace_id))} at " if plan.workspace_id else "At "
    return f"{workspace}{_text(printable(plan.api))}. {comparison_text(plan)}"


def plan_markdown(plan: Plan) -> str:
    """Return the plan as Markdown that fits in a comment. Details are left out before summaries."""
    page = _Page()
    page.add(f"**{summary_line(plan)}**\n")
    page.add(f"\n{_where(plan)}\n")
    for text in (unrecorded_text(plan), unknown_text(plan)):
        if text is not None:
            page.add(f"\n{text}\n")
    for note in notes(plan):
        page.always(f"\n{note.heading}\n\n")
        items = [
            f"- {_text(shown_name(name))}{': ' if name and advice else ''}{_text(advice)}\n" for name, advice in note.entries
        ]
        page.cut(page.some(items, keep=LIMIT - FOR_NOTES), "names")
    if plan.actions:
        actions = sorted(plan.actions, key=_rank)
        page.add("\n| Action | Webhook | What changes |\n| --- | --- | --- |\n")
        page.cut(page.some([_row(action) for action in actions]), "actions")
        rest = [_detail(action) for action in actions if not _is_short(action)]
        if rest:
            page.always("\n<details><summary>In full</summary>\n\n```diff\n")
            left_out = page.some(rest)
            page.always("```\n")
            page.cut(left_out, "details")
            page.always("\n</details>\n")
    return "".join(page.parts)
