"""The status of all webhooks as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..core.clock import epoch_of
from ..core.last_run import LastRun
from ..planning.status import Status, StatusCounts, WebhookStatus, WorkspaceStatus, count
from ..version import __version__

FORMAT_VERSION = "1.0"


def status_document(status: Status) -> dict[str, Any]:
    """Return the status as the document that `schemas/status.schema.json` describes."""
    counts = count(status.webhooks())
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "read_at": _instant(status.read_at),
        "summary": _counts(counts) | {"unrecorded": sum(workspace.unrecorded for workspace in status.workspaces)},
        "workspaces": [_workspace(workspace, status.read_at) for workspace in status.workspaces],
    }


def _counts(counts: StatusCounts) -> dict[str, int]:
    return {
        "webhooks": counts.webhooks,
        **{str(sync): number for sync, number in counts.syncs.items()},
        "inactive": counts.inactive,
        "secret_missing": counts.secrets_missing,
        "with_problems": counts.with_problems,
        "delivered": counts.delivered,
        "failed": counts.failed,
    }


def _workspace(workspace: WorkspaceStatus, now: float) -> dict[str, Any]:
    unread = workspace.unread
    return {
        "workspace": workspace.workspace_id,
        "api": workspace.api,
        "state": workspace.state,
        "unread": None if unread is None else {"code": str(unread.code), "message": unread.message},
        "unrecorded": None if unread is not None else workspace.unrecorded,
        "last_run": None if workspace.last_run is None else _run(workspace.last_run),
        "webhooks": [_webhook(webhook, now) for webhook in workspace.webhooks],
    }


def _run(run: LastRun) -> dict[str, Any]:
    ended = {"ended_at": _instant(run.ended_at), "by": run.by, "command": run.command, "exit_code": run.exit_code}
    return ended | {"counts": dict(run.counts)}


def _webhook(webhook: WebhookStatus, now: float) -> dict[str, Any]:
    stats = webhook.stats
    delivered_at = stats.last_delivered_at if stats is not None else None
    at = epoch_of(delivered_at)
    rate = webhook.success_rate
    return {
        "name": webhook.name,
        "id": webhook.id,
        "sync": str(webhook.sync),
        "drifted": list(webhook.drifted),
        "status": webhook.active,
        "secret": None if webhook.secret is None else str(webhook.secret),
        "delivered": stats.delivered if stats is not None else None,
        "failed": stats.failed if stats is not None else None,
        "success_rate": None if rate is None else round(rate, 6),
        "last_delivered_at": delivered_at,
        "last_delivery_age_s": None if at is None else max(0, int(now - at)),
        "problems": [str(problem) for problem in webhook.problems],
    }


def _instant(epoch: float) -> str | None:
    try:
        return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None
