"""How much a run may take away at once without being told so twice."""

from __future__ import annotations

from ..core.model import ActionKind
from .plan import Plan, Reason

SHARE = 0.3
"""More than this share of the recorded webhooks at once needs --force."""

FEWEST = 10
"""Below so many recorded webhooks the share says nothing."""


def exceeded_limits(plan: Plan, *, wanted: int, recorded: int) -> list[str]:
    """Return what in `plan` needs --force, as lines for people.

    `wanted` counts the webhooks of the config, `recorded` those of the state.
    """
    found = []
    deleted = plan.count(ActionKind.DELETE)
    acted_on = any(action.reason is Reason.MISSING for action in plan.actions)
    gone = plan.refreshed.gone if plan.refreshed is not None and acted_on else 0
    if deleted and not wanted:
        found.append(f"the config wants no webhook at all, and {deleted} would be deleted")
    elif _many(deleted, recorded):
        found.append(f"{deleted} of {recorded} recorded webhooks would be deleted")
    if gone and (gone >= recorded or _many(gone, recorded)):
        found.append(f"{gone} of {recorded} recorded webhooks are gone: the key may belong to another workspace")
    return found


def _many(count: int, recorded: int) -> bool:
    return recorded >= FEWEST and count > SHARE * recorded
