"""A plan as one page for a browser: no scripts, nothing loaded."""

from __future__ import annotations

from html import escape

from ..diagnostics import printable
from ..planning.plan import Action, Plan
from .words import SIGNS, blocked_text, notes, remarks, rows, shown_name, summary_line, unrecorded_text

STYLE = """
:root { color-scheme: light dark; --bg: #fff; --fg: #1b1f24; --dim: #59636e; --line: #d1d9e0; --create: #116329;
  --update: #7d4e00; --adopt: #0550ae; --delete: #a40e26; --forget: #6639ba; }
@media (prefers-color-scheme: dark) { :root { --bg: #0d1117; --fg: #e6edf3; --dim: #9198a1; --line: #3d444d;
  --create: #4ac26b; --update: #e3b341; --adopt: #79c0ff; --delete: #ff938a; --forget: #d2a8ff; } }
body { background: var(--bg); color: var(--fg); font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; content-visibility: auto;
  contain-intrinsic-size: auto 2.2rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .3rem 0 .6rem 1.5rem; }
th { text-align: left; vertical-align: top; font-weight: 400; color: var(--dim); padding-right: 1.5rem; }
td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
p.note { margin: .2rem 0 .2rem 1.5rem; } .id { color: var(--dim); } .blocked { color: var(--delete); }
.create b { color: var(--create); } .update b { color: var(--update); } .adopt b { color: var(--adopt); }
.delete b { color: var(--delete); } .forget b { color: var(--forget); }
"""

FOLD_ABOVE = 50
"""With more actions than this, each begins folded."""


def _action(action: Action, opened: str) -> str:
    ident = f' <span class="id">{escape(printable(action.id))}</span>' if action.id is not None else ""
    blocked = ' <span class="blocked">blocked</span>' if action.blocked_by is not None else ""
    parts = [
        f'<details class="{action.kind}"{opened}><summary><b>{SIGNS[action.kind]} {action.kind}</b> '
        f"{escape(shown_name(action.name))}{ident}{blocked}</summary>\n"
    ]
    parts += [f'<p class="note">{escape(line)}</p>\n' for line in remarks(action)]
    parts += [f'<p class="note blocked">{escape(line)}</p>\n' for line in blocked_text(action)]
    fields = rows(action)
    if fields:
        parts.append("<table>\n")
        for path, values in fields:
            parts.append(f"<tr><th scope=row>{escape(path)}</th><td>{'<br>'.join(map(escape, values))}</td></tr>\n")
        parts.append("</table>\n")
    return "".join(parts) + "</details>\n"


def plan_html(plan: Plan) -> str:
    """Return the plan as one standalone page."""
    summary = escape(summary_line(plan))
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{summary}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>sendkit-sync plan</h1>\n<p>{summary}</p>\n"
    ]
    unrecorded = unrecorded_text(plan)
    if unrecorded is not None:
        parts.append(f"<p>{escape(unrecorded)}</p>\n")
    for heading, names in notes(plan):
        parts.append(f"<h2>{escape(heading.removesuffix(':'))}</h2>\n<ul>\n")
        for name, advice in names:
            parts.append(f"<li>{escape(shown_name(name))}{': ' + escape(advice) if advice else ''}</li>\n")
        parts.append("</ul>\n")
    opened = " open" if len(plan.actions) <= FOLD_ABOVE else ""
    if plan.actions:
        parts.append("<h2>Actions</h2>\n")
        parts += [_action(action, opened) for action in plan.actions]
    return "".join(parts) + "</body>\n</html>\n"
