"""The comment that shows a plan, and whether a plan is the one that a comment showed."""

from __future__ import annotations

import hashlib
import json

from ..app.saved_plan import SavedPlan

MARK = "<!-- sendkit-sync"
"""How the one comment on a pull request begins."""


def body(plan: SavedPlan, commit: str, markdown: str) -> str:
    """Return the comment that shows `plan`, made for `commit` and written as `markdown`."""
    return f"{_head(plan, commit)}\n{markdown}"


def shows(comment: str, plan: SavedPlan, commit: str) -> bool:
    """Tell whether `comment` showed for `commit` what `plan` does."""
    # A forge may turn line ends into CR LF.
    return comment.partition("\n")[0].rstrip("\r") == _head(plan, commit)


def needs_review(plan: SavedPlan) -> bool:
    """Tell whether `plan` changes anything that a person must have seen: a webhook, or who can read new secrets."""
    recipients = plan.plan.get("recipients", {})
    return bool(plan.plan["actions"] or recipients.get("added") or recipients.get("removed"))


def _head(plan: SavedPlan, commit: str) -> str:
    """Return the line that names what `plan` does, to whom, how it was made, and for which proposed commit.

    Not what it was made from: where another change was merged in between, the files and the state differ, and what
    was reviewed may still be all that is left to do.
    """
    options = {"refresh": plan.refresh, "prune": plan.options.prune, "targets": list(plan.options.targets)}
    what = {"api": plan.api, "options": options, "actions": plan.plan["actions"]}
    what["recipients"] = plan.plan.get("recipients", {}).get("listed", [])
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode("ascii")).hexdigest()
    return f"{MARK} plan={digest} commit={commit} -->"
