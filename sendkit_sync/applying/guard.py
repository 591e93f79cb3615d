"""Keeps a run from the workspace of another key."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RefusedError
from ..model import Live


def check_workspace(live: Sequence[Live], workspace_id: str | None) -> None:
    """Raise `RefusedError` where the list is that of another workspace than the recorded one."""
    for webhook in live:
        if workspace_id is not None and webhook.workspace_id not in (None, workspace_id):
            raise RefusedError(
                f"the key belongs to workspace {webhook.workspace_id}, the state to {workspace_id}",
                hint="Nothing was changed. Use the key of that workspace, or another state for this one.",
            )
