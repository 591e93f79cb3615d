"""The status of all webhooks as one page for a browser or a screen on the wall: no scripts, nothing loaded, charts as SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from html import escape

from ..core.diagnostics import printable
from ..planning.status import Status, StatusCounts, WebhookStatus, WorkspaceStatus, count
from .html import HEAD
from .page_style import STYLE
from .status_style import SHAPES, STATUS_STYLE
from .status_words import (
    HEADS,
    NOTHING,
    NUMBERS,
    by_urgency,
    cells,
    counted,
    headline,
    instant,
    one_or_many,
    percent,
    run_text,
    unread_text,
)
from .words import shown_name

REFRESH_S = 60
"""How many seconds until a browser reloads the page, to show what was written since."""

FOLD_ABOVE = 50
"""With more webhooks than this that have no problem, they are collapsed at first."""

MAP_FROM = 12
"""With fewer webhooks than this, the bars in the table say all that a map could."""

MAP_COLUMNS = 100
BANDS = {"poor": 0.9, "fair": 0.99, "good": math.inf}
"""The marks of the map, each with the success rate that it stays below."""

LEGEND = {
    "problem": "with a problem",
    "poor": "below 90%",
    "fair": "from 90% to 99%",
    "good": "99% or more",
    "none": "no deliveries",
}
"""What each mark means, in the order of the map."""


def status_html(status: Status) -> str:
    """Return the status as one standalone page."""
    counts = count(status.webhooks())
    read = all(workspace.unread is None for workspace in status.workspaces)
    summary = escape(headline(counts, read=read))
    at = instant(status.read_at)
    look = "alarm" if counts.with_problems or not read else "calm"
    parts = [
        f'{HEAD}<meta http-equiv="refresh" content="{REFRESH_S}">\n<title>{summary}</title>\n',
        f"<style>{STYLE}{STATUS_STYLE}</style>\n</head>\n<body>\n{SHAPES}<header>\n",
        f'<h1>sendkit-sync status <time>{at}</time></h1>\n<p class="summary {look}">{summary}</p>\n{_tiles(counts)}</header>\n',
        "<main>\n",
        *(_workspace(number, workspace, status.read_at) for number, workspace in enumerate(status.workspaces, 1)),
    ]
    return "".join(parts) + "</main>\n</body>\n</html>\n"


def _tiles(counts: StatusCounts) -> str:
    """Return the status as numbers."""
    tiles = [_tile(f"{number:,}", label, "alarm" if problem else "") for label, number, problem in counted(counts)]
    total = counts.delivered + counts.failed
    if total:
        tiles += [_tile(f"{counts.delivered:,}", "delivered"), _tile(f"{counts.failed:,}", "failed")]
        tiles.append(_tile(percent(counts.delivered / total), "success rate"))
    return "<nav>\n" + "".join(tiles) + "</nav>\n" if tiles else ""


def _tile(shown: str, label: str, look: str = "") -> str:
    return f"<span{f' class={look}' if look else ''}><b>{shown}</b>{escape(label)}</span>\n"


def _workspace(number: int, workspace: WorkspaceStatus, now: float) -> str:
    ordered = by_urgency(workspace.webhooks)
    troubled = [webhook for webhook in ordered if webhook.problems]
    rest = ordered[len(troubled) :]
    name = f"Workspace {printable(workspace.workspace_id)}" if workspace.workspace_id is not None else "Workspace of the key"
    unread = f'<p class="note blocked">{escape(unread_text(workspace.unread))}</p>\n' if workspace.unread is not None else ""
    parts = [
        f'<section id="workspace-{number}">\n<h2>{escape(name)} <span>{one_or_many(len(ordered), "webhook")}</span></h2>\n',
        unread,
        _facts(workspace, now),
        _map(ordered) if len(ordered) >= MAP_FROM and workspace.unread is None else "",
        _table("Need a look", troubled, now, opened=True),
        _table("No problem", rest, now, opened=len(rest) <= FOLD_ABOVE),
    ]
    return "".join(parts) + "</section>\n"


def _facts(workspace: WorkspaceStatus, now: float) -> str:
    facts = {
        "API": printable(workspace.api),
        "State": printable(workspace.state, 300),
        "Last run": run_text(workspace.last_run, now) if workspace.last_run is not None else "",
        "Not recorded": one_or_many(workspace.unrecorded, "live webhook") if workspace.unrecorded else "",
    }
    rows = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>\n" for name, text in facts.items() if text]
    return '<dl class="facts">\n' + "".join(rows) + "</dl>\n"


def _band(webhook: WebhookStatus) -> str:
    """Return the class of a webhook on the map."""
    if webhook.problems:
        return "problem"
    rate = webhook.success_rate
    return "none" if rate is None else next(band for band, above in BANDS.items() if rate < above)


def _map(webhooks: Sequence[WebhookStatus]) -> str:
    """Return a mark for each webhook: its color and its shape say whether it has a problem, and how deliveries go."""
    bands = list(LEGEND)
    ordered = sorted(webhooks, key=lambda webhook: (bands.index(_band(webhook)), webhook.success_rate or 0, webhook.name))
    # As few rows as fit, and those filled evenly.
    rows = -(-len(ordered) // MAP_COLUMNS)
    columns = -(-len(ordered) // rows)
    marks = []
    for index, webhook in enumerate(ordered):
        facts = [*(text for text, _ in cells(webhook, 0)[:3]), percent(webhook.success_rate)]
        about = f"{shown_name(webhook.name)}: {', '.join(facts)}"
        place = f'x="{index % columns * 10 + 5}" y="{index // columns * 10 + 5}"'
        marks.append(f'<use href="#{_band(webhook)}" {place}><title>{escape(about)}</title></use>\n')
    found = Counter(map(_band, ordered))
    keys = [
        f'<span><svg viewBox="0 0 10 10"><use href="#{band}" x="5" y="5"/></svg>{text}: {found[band]:,}</span>\n'
        for band, text in LEGEND.items()
        if found[band]
    ]
    return (
        f"<figure>\n<figcaption><b>Success rate by webhook</b>\n{''.join(keys)}</figcaption>\n"
        f'<div><svg class="map" viewBox="0 0 {columns * 10} {rows * 10}" style="max-width:{columns * 1.5:g}rem" '
        f'role="img" aria-label="Success rate by webhook">\n{"".join(marks)}</svg></div>\n</figure>\n'
    )


def _table(title: str, webhooks: Sequence[WebhookStatus], now: float, *, opened: bool) -> str:
    """Return a table of webhooks; nothing where there are none."""
    if not webhooks:
        return ""
    heads = "".join(f"<th scope=col{' class=end' if head in NUMBERS[:2] else ''}>{head}</th>" for head in ("Webhook", *HEADS))
    body = "".join(_row(webhook, now) for webhook in webhooks)
    table = f'<table class="status">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n'
    if opened:
        return f"<h3>{title} <span>{len(webhooks):,}</span></h3>\n{table}"
    return f"<details><summary><b>{title}</b> {len(webhooks):,}</summary>\n{table}</details>\n"


def _row(webhook: WebhookStatus, now: float) -> str:
    shown = [f'<td><bdi class="name">{escape(shown_name(webhook.name))}</bdi></td>']
    for head, (text, wrong) in zip(HEADS, cells(webhook, now), strict=True):
        looks = (
            ["end"] * (head in NUMBERS[:2])
            + ["rate"] * (head == NUMBERS[2])
            + ["wrong"] * wrong
            + ["empty"] * (text == NOTHING)
        )
        bar = _bar(webhook) if head == NUMBERS[2] else ""
        look = f' class="{" ".join(looks)}"' if looks else ""
        shown.append(f'<td{look} data-label="{head}">{bar}{escape(text)}</td>')
    return f"<tr>{''.join(shown)}</tr>\n"


def _bar(webhook: WebhookStatus) -> str:
    """Return the success rate as a bar: what was delivered, and the rest; a single failure among many is seen too."""
    rate = webhook.success_rate
    if rate is None:
        return ""
    lost = 0.0 if rate == 1 else max(3.0, 100 - 100 * rate)
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none">'
        f'<rect class="done" width="{100 - lost:g}" height="6"/>'
        f'<rect class="lost" x="{100 - lost:g}" width="{lost:g}" height="6"/></svg>'
    )
