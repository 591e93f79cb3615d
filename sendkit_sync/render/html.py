"""Renders a plan as one HTML page without scripts and without external resources."""

from __future__ import annotations

from html import escape

from ..core.diagnostics import printable
from ..core.model import ActionKind
from ..planning.plan import Action, Plan
from .page_style import STYLE
from .words import (
    SIGNS,
    Line,
    Note,
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

HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
"""
"""The policy is a second line of defense: no script runs and nothing is requested even if escaping fails. Without the `data:`
icon, a browser would request one from the server."""

FOLD_ABOVE = 50
"""With more actions or names than this, they are collapsed at first."""

MARKS = {"+": "ins", "-": "del"}


def _line(sign: str, text: str) -> str:
    mark = MARKS.get(sign)
    return f"<{mark}>{sign} {escape(text)}</{mark}>" if mark is not None else escape(text)


def _field(path: str, lines: list[Line], *, drifted: bool) -> str:
    label = escape(path) + ("<br>(changed outside)" if drifted else "")
    return f"<tr><th scope=row>{label}</th><td>{''.join(_line(*line) for line in lines)}</td></tr>\n"


def _digest(action: Action) -> str:
    """Return the summary of a collapsed action."""
    if action.changes:
        return ", ".join(change.path for change in action.changes)
    view = action.after if action.after is not None else action.before
    return printable(str(view["url"]), 200) if view is not None and "url" in view else ""


def _action(action: Action, opened: str, anchor: str) -> str:
    ident = f' <span class="id">{escape(printable(action.id))}</span>' if action.id is not None else ""
    badge = ' <span class="badge">blocked</span>' if action.blocked_by is not None else ""
    parts = [
        f'<details class="{action.kind}"{anchor}{opened}><summary><span class="kind">{SIGNS[action.kind]} {action.kind}</span> '
        f'<bdi class="name">{escape(shown_name(action.name))}</bdi>{ident}{badge} '
        f'<span class="digest">{escape(_digest(action))}</span></summary>\n'
    ]
    parts += [f'<p class="note">{escape(line)}</p>\n' for line in remarks(action)]
    parts += [f'<p class="note blocked">{escape(line)}</p>\n' for line in blocked_text(action)]
    table = [_field(path, lines, drifted=path in action.drifted) for path, lines in fields(action)]
    if table:
        parts += ["<table>\n", *table, "</table>\n"]
    return "".join(parts) + "</details>\n"


def _tile(count: int, label: str, anchor: str | None, look: str = "") -> str:
    inner = f"<b>{count}</b>{escape(label)}"
    colour = f' class="{look}"' if look else ""
    return f'<a{colour} href="#{anchor}">{inner}</a>\n' if anchor is not None else f"<span>{inner}</span>\n"


def _tiles(plan: Plan, found: list[Note]) -> str:
    """Return the plan as numbers, each linked to what it counts."""
    tiles = [_tile(plan.count(kind), f"to {kind}", kind, kind) for kind in ActionKind if plan.count(kind)]
    if plan.blocked:
        tiles.append(_tile(len(plan.blocked), "blocked", "blocked", "alarm"))
    tiles.append(_tile(plan.unchanged, "unchanged", None))
    for note in found:
        tiles.append(_tile(len(note.entries), note.title.lower(), note.anchor, "alarm" if note.urgent else ""))
    return "<nav>\n" + "".join(tiles) + "</nav>\n"


def _facts(plan: Plan) -> str:
    """Return the facts about what the plan was made from."""
    state = "nothing is recorded yet" if plan.lineage is None else f"serial {plan.serial} of {printable(plan.lineage)}"
    facts = {
        "API": printable(plan.api),
        "Workspace": printable(plan.workspace_id or ""),
        "State": state,
        "Config": f"SHA-256 {plan.config_digest[:12]}",
        "Compared with": comparison_text(plan).removeprefix("Compared with "),
        "Not recorded": unrecorded_text(plan) or unknown_text(plan) or "",
        "Only": ", ".join(printable(target) for target in plan.targets),
    }
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>\n" for name, text in facts.items() if text]
    return '<dl class="facts">\n' + "".join(rows) + "</dl>\n"


def _section(anchor: str, title: str, count: int, body: list[str]) -> str:
    return f'<section id="{anchor}">\n<h2>{escape(title)} <span>{count}</span></h2>\n{"".join(body)}</section>\n'


def _named(name: str) -> str:
    return f"<bdi>{escape(shown_name(name))}</bdi>" if name else ""


def _note(note: Note) -> str:
    names = [f"<li>{_named(name)}{': ' if name and advice else ''}{escape(advice)}</li>\n" for name, advice in note.entries]
    meaning = f'<p class="meaning">{escape(note.meaning)}</p>\n' if note.meaning else ""
    body = [f"{meaning}<ul>\n", *names, "</ul>\n"]
    if len(names) > FOLD_ABOVE:
        body = ["<details><summary>Names</summary>\n", *body, "</details>\n"]
    return _section(note.anchor, note.title, len(names), body)


def plan_html(plan: Plan) -> str:
    """Return the plan as a self-contained page."""
    summary, found = escape(summary_line(plan)), notes(plan)
    parts = [
        f"{HEAD}<title>{summary}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>sendkit-sync plan</h1>\n",
        f'<p class="summary">{summary}</p>\n{_tiles(plan, found)}{_facts(plan)}</header>\n<main>\n',
        *(_note(note) for note in found if note.urgent or note.first),
    ]
    opened = " open" if len(plan.actions) <= FOLD_ABOVE else ""
    first_blocked = next(iter(plan.blocked), None)
    for kind in ActionKind:
        body = [
            _action(action, opened, ' id="blocked"' if action is first_blocked else "")
            for action in plan.actions
            if action.kind is kind
        ]
        if body:
            parts.append(_section(kind, kind.capitalize(), len(body), body))
    parts += [_note(note) for note in found if not (note.urgent or note.first)]
    return "".join(parts) + "</main>\n</body>\n</html>\n"
