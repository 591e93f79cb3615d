"""Limits on how much one run may delete or re-create without --force."""

from __future__ import annotations

from ..core.model import ActionKind
from .plan import Plan, Reason

SHARE = 0.3
"""A larger share of the recorded webhooks needs --force."""

FEWEST = 10
"""The share applies from this number of recorded webhooks on."""


def exceeded_limits(plan: Plan, *, desired: int, recorded: int) -> list[str]:
    """Return why `plan` needs --force, as lines for people.

    `desired` and `recorded` are the numbers of webhooks in the config and in the state.
    """
    found = []
    deleted = plan.count(ActionKind.DELETE)
    acted_on = any(action.reason is Reason.MISSING for action in plan.actions)
    gone = plan.refreshed.gone if plan.refreshed is not None and acted_on else 0
    if deleted and not desired:
        found.append(f"the config has no webhooks, and {deleted} would be deleted")
    elif _many(deleted, recorded):
        found.append(f"{deleted} of {recorded} recorded webhooks would be deleted")
    if gone and (gone >= recorded or _many(gone, recorded)):
        found.append(f"{gone} of {recorded} recorded webhooks are gone; the key may belong to another workspace")
    return found


def _many(count: int, recorded: int) -> bool:
    return recorded >= FEWEST and count > SHARE * recorded
