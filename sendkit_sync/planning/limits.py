"""What an apply would refuse: too much deleted, re-created or changed in one run, and actions that are blocked."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.model import ActionKind
from .plan import Plan, Reason

SHARE = 0.3
"""A larger share of the recorded webhooks needs --force."""

FEWEST = 10
"""The share applies from this number of recorded webhooks on."""

FORCE = "If this is intended, pass --force."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an apply would not carry out a plan, or one of its actions: that of `name`. `code` appears in the JSON output."""

    code: str
    message: str
    name: str | None = None


def refusals(plan: Plan, *, max_changes: int | None = None) -> tuple[Refusal, ...]:
    """Return what an apply without --force and --allow-duplicate would refuse: the whole plan first, then single actions."""
    whole = [Refusal("limits_exceeded", text) for text in exceeded_limits(plan)]
    if max_changes is not None and len(plan.actions) > max_changes:
        text = f"the plan has more changes ({len(plan.actions)}) than --max-changes {max_changes} allows"
        whole.append(Refusal("too_many_changes", text))
    blocked = (
        Refusal(str(action.blocked_by.kind), f"{action.kind} is blocked", action.name)
        for action in plan.actions
        if action.blocked_by is not None
    )
    return (*whole, *blocked)


def exceeded_limits(plan: Plan) -> list[str]:
    """Return why `plan` needs --force, as lines for people."""
    found = []
    recorded, deleted = plan.recorded, plan.count(ActionKind.DELETE)
    acted_on = any(action.reason is Reason.MISSING for action in plan.actions)
    gone = plan.refreshed.gone if plan.refreshed is not None and acted_on else 0
    if deleted and not plan.desired:
        found.append(f"the config has no webhooks, and {deleted} would be deleted")
    elif _many(deleted, recorded):
        found.append(f"{deleted} of {recorded} recorded webhooks would be deleted")
    if gone and (gone >= recorded or _many(gone, recorded)):
        found.append(f"{gone} of {recorded} recorded webhooks are gone; the key may belong to another workspace")
    return found


def _many(count: int, recorded: int) -> bool:
    return recorded >= FEWEST and count > SHARE * recorded
