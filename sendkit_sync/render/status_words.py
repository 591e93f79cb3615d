"""What all renderers of the status say in the same words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from ..core.clock import epoch_of
from ..core.diagnostics import printable
from ..core.errors import MEANINGS, ExitCode
from ..core.last_run import LastRun
from ..core.model import INACTIVE
from ..planning.status import SYNC_PROBLEMS, SecretHealth, StatusCounts, Sync, Unread, WebhookStatus, WorkspaceStatus

SYNCS = {
    Sync.UNRESOLVED: "unresolved",
    Sync.GONE: "gone",
    Sync.DRIFTED: "drifted",
    Sync.NOT_CREATED: "not created",
    Sync.PENDING: "changes pending",
    Sync.ORPHAN: "orphan",
    Sync.IN_SYNC: "in sync",
}
NOTHING = "-"
"""What stands for a value that is not known."""

STEPS = ((60, 1, "s"), (3600, 60, "min"), (2 * 86_400, 3600, "h"), (math.inf, 86_400, "d"))
"""Ages below the first number are counted in the second, whose unit is the third."""


def one_or_many(count: int, noun: str) -> str:
    """Return a count with its noun: "1 webhook", "2 webhooks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(rate: float | None) -> str:
    """Return a share; rounded down, so that 100% means all."""
    if rate is None:
        return NOTHING
    return "100%" if rate == 1 else f"{math.floor(rate * 1000) / 10:.1f}%"


def number(value: int | None) -> str:
    """Return a number with its thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def age(seconds: float) -> str:
    """Return how long ago something was."""
    seconds = max(0.0, seconds)
    size, unit = next((size, unit) for below, size, unit in STEPS if seconds < below)
    return f"{int(seconds // size)} {unit} ago"


def instant(epoch: float) -> str:
    """Return a time in UTC, as people read it."""
    try:
        return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return NOTHING


def last_delivery(webhook: WebhookStatus, now: float) -> str:
    """Return how long ago SendKit last delivered to a webhook."""
    if webhook.stats is None:
        return NOTHING
    if webhook.stats.last_delivered_at is None:
        return "never" if webhook.stats.delivered == 0 else NOTHING
    at = epoch_of(webhook.stats.last_delivered_at)
    return NOTHING if at is None else age(now - at)


def sync_text(webhook: WebhookStatus) -> str:
    """Return how a webhook stands, with the fields that were changed outside."""
    text = SYNCS[webhook.sync]
    shows = webhook.sync is Sync.DRIFTED and webhook.drifted
    return f"{text}: {', '.join(webhook.drifted)}" if shows else text


def secret_text(webhook: WebhookStatus) -> str:
    """Return what is recorded of a secret."""
    return NOTHING if webhook.secret is None else str(webhook.secret)


def active_text(webhook: WebhookStatus) -> str:
    """Return the API's own word for whether it delivers to a webhook."""
    return NOTHING if webhook.active is None else printable(webhook.active, 20)


def cells(webhook: WebhookStatus, now: float) -> tuple[tuple[str, bool], ...]:
    """Return what the table shows of a webhook besides its name: each text, and whether it says what is wrong."""
    stats = webhook.stats
    return (
        (sync_text(webhook), webhook.sync in SYNC_PROBLEMS),
        (active_text(webhook), webhook.active == INACTIVE),
        (secret_text(webhook), webhook.secret is SecretHealth.MISSING),
        (number(stats.delivered if stats is not None else None), False),
        (number(stats.failed if stats is not None else None), False),
        (percent(webhook.success_rate), False),
        (last_delivery(webhook, now), False),
    )


HEADS = ("Sync", "Status", "Secret", "Delivered", "Failed", "Success", "Last delivery")
NUMBERS = ("Delivered", "Failed", "Success")
"""The columns whose texts end at one line."""


def place(workspace: WorkspaceStatus) -> str:
    """Return which workspace it is."""
    which = f"Workspace {printable(workspace.workspace_id)}" if workspace.workspace_id is not None else "Workspace of the key"
    return f"{which} at {printable(workspace.api)}, state {printable(workspace.state, 300)}"


def unread_text(unread: Unread) -> str:
    """Return why only the recorded side is shown."""
    return f"SendKit was not read: {unread.message}. Only the recorded state is shown."


def run_text(run: LastRun, now: float) -> str:
    """Return when the last run was, by whom, and what it did."""
    shown = [f"{count:,} {printable(result).replace('_', ' ')}" for result, count in run.counts.items() if count]
    when = f"{age(now - run.ended_at)} ({instant(run.ended_at)})"
    known = run.exit_code in set(ExitCode)
    wrong = "" if run.exit_code == 0 else f"; {MEANINGS[ExitCode(run.exit_code)] if known else f'exit code {run.exit_code}'}"
    return f"{printable(run.command)} by {printable(run.by)}, {when}: {', '.join(shown) or 'nothing to do'}{wrong}"


def counted(counts: StatusCounts) -> list[tuple[str, int, bool]]:
    """Return what there is any of: a label, how many, and whether that is a problem; problems first."""
    found = [(SYNCS[sync], number, sync in SYNC_PROBLEMS) for sync, number in counts.syncs.items()]
    found = [(label + "s" * (label == SYNCS[Sync.ORPHAN] and number != 1), number, wrong) for label, number, wrong in found]
    found += [("inactive", counts.inactive, True), ("secret missing", counts.secrets_missing, True)]
    return sorted([one for one in found if one[1]], key=lambda one: not one[2])


def headline(counts: StatusCounts, *, read: bool) -> str:
    """Return the whole status in one sentence."""
    if not counts.webhooks:
        return "No webhooks: none in the config, none recorded."
    total = one_or_many(counts.webhooks, "webhook")
    if not counts.with_problems:
        seen = "as far as the recorded state tells" if not read else "in SendKit and in the state"
        return f"{total}, none with a problem {seen}."
    return f"{counts.with_problems:,} of {total} {'has' if counts.with_problems == 1 else 'have'} a problem."


def delivery_text(counts: StatusCounts) -> str | None:
    """Return what SendKit counts of all deliveries, if any."""
    total = counts.delivered + counts.failed
    if not total:
        return None
    return f"{counts.delivered:,} delivered, {counts.failed:,} failed ({percent(counts.delivered / total)})."


def by_urgency(webhooks: Sequence[WebhookStatus]) -> list[WebhookStatus]:
    """Return webhooks, those that need a look first."""
    return sorted(webhooks, key=lambda webhook: webhook.urgency)
