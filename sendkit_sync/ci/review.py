"""The comment that shows a plan, and whether a plan is the one that a comment showed."""

from __future__ import annotations

import hashlib
import json

from ..app.saved_plan import SavedPlan

MARK = "<!-- sendkit-sync"
"""How the one comment on a pull request begins."""


def body(plan: SavedPlan, markdown: str) -> str:
    """Return the comment that shows `plan`, written as `markdown`."""
    return f"{_head(plan)}\n{markdown}"


def shows(comment: str, plan: SavedPlan) -> bool:
    """Tell whether `comment` showed what `plan` does."""
    # A forge may turn line ends into CR LF.
    return comment.partition("\n")[0].rstrip("\r") == _head(plan)


def _head(plan: SavedPlan) -> str:
    """Return the line that names what `plan` does, to whom, and how it was made.

    Not what it was made from: where another change was merged in between, the files and the state differ, and what
    was reviewed may still be all that is left to do.
    """
    options = {"refresh": plan.refresh, "prune": plan.options.prune, "targets": list(plan.options.targets)}
    what = {"api": plan.api, "options": options, "actions": plan.plan["actions"]}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode("ascii")).hexdigest()
    return f"{MARK} plan={digest} -->"
