"""Renders a plan as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..core.diagnostics import inert_json
from ..core.model import ActionKind
from ..planning.limits import refusals
from ..planning.plan import Action, LiveFacts, Plan, View
from ..version import __version__
from .words import masked

FORMAT_VERSION = "1.0"


def _view(view: View | None) -> dict[str, Any] | None:
    return None if view is None else {path: masked(path, value) for path, value in view.items()}


def _action(action: Action) -> dict[str, Any]:
    blocker = action.blocked_by
    return {
        "action": str(action.kind),
        "name": action.name,
        "id": action.id,
        "reason": str(action.reason),
        "before": _view(action.before),
        "after": _view(action.after),
        "changes": [
            {"path": change.path, "before": masked(change.path, change.before), "after": masked(change.path, change.after)}
            for change in action.changes
        ],
        "drifted": list(action.drifted),
        "secret_source": action.secret_source and str(action.secret_source),
        "blocked_by": None if blocker is None else {"kind": str(blocker.kind), "name": blocker.name, "id": blocker.id},
    }


def plan_document(plan: Plan, *, max_changes: int | None = None) -> dict[str, Any]:
    """Return the plan as a document of `schemas/plan.schema.json`."""
    summary: dict[str, int] = {str(kind): plan.count(kind) for kind in ActionKind}
    summary |= {"unchanged": plan.unchanged, "orphan": len(plan.orphans), "unresolved": len(plan.unresolved)}
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "config_digest": plan.config_digest,
        "state": {"lineage": plan.lineage, "serial": plan.serial},
        "compared_with": ["state"] if plan.refreshed is None else ["state", "live"],
        "summary": summary,
        "refusals": [
            {"code": one.code, "name": one.name, "message": one.message} for one in refusals(plan, max_changes=max_changes)
        ],
        "recipients": {key: list(keys) for key, keys in asdict(plan.recipients).items()},
        "secrets_from_state": [{"name": name, "secret_source": str(source)} for name, source in plan.secrets_from_state],
        "actions": [_action(action) for action in plan.actions],
        "orphans": list(plan.orphans),
        "unresolved": list(plan.unresolved),
        "missing_secrets": list(plan.missing_secrets),
        "live": None if plan.refreshed is None else _facts(plan.refreshed),
    }


def _facts(facts: LiveFacts) -> dict[str, Any]:
    return {
        "gone": facts.gone,
        "unrecorded": facts.unrecorded,
        "inactive": list(facts.inactive),
        "other_secrets": list(facts.other_secrets),
    }


def dump(document: dict[str, Any]) -> str:
    """Return a document as ASCII JSON that ends with a line break."""
    return inert_json(json.dumps(document, indent=2)) + "\n"
