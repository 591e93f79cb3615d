"""Keeps a run within the workspace that its records belong to.

A workspace has two ids: the one that is configured and sent, and the one that responses show. Nothing says that they look
alike, so each is compared with its own kind only.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, ErrorCode, KeyRefusedError, RefusedError
from ..core.model import LiveWebhook, State
from ..core.outcomes import Misplaced
from ..core.ports import Api
from ..core.quoting import shell_name

FEW = 5
"""How many workspaces a message names."""

OTHER_KEY = "Nothing was changed. Use the API key of that workspace, or a separate state (--state) for this one."


class WorkspaceGuard:
    """Compares what the API shows with the workspace of a state.

    `confirmed`: a response of this run belongs to that workspace, or responses show no workspace. `learn` records the
    observed workspace; it is called only if none is known.
    """

    def __init__(
        self, state: State | None, configured: str | None = None, learn: Callable[[str], None] = lambda _: None
    ) -> None:
        """`configured` is the workspace id that is sent, if one is."""
        self.confirmed = False
        self._configured = configured
        self._learn = learn
        self._turn = threading.Lock()
        self._recorded = frozenset(state.recorded_ids()) if state is not None else frozenset[str]()
        # A state that holds nothing belongs to no workspace yet, whatever an earlier run observed.
        self._known = None if state is None or state.empty else state.observed_workspace_id

    def check_list(self, live: Sequence[LiveWebhook]) -> None:
        """Raise `RefusedError` if `live` is the list of another workspace than the recorded one."""
        shown = {webhook.workspace_id for webhook in live if webhook.workspace_id is not None}
        other = next(iter(sorted(shown - {self._known})), None) if self._known is not None else None
        if other is not None:
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"the API key belongs to workspace {printable(other)}, but the state to {printable(self._known or '')}",
                hint=OTHER_KEY,
            )
        ours = any(webhook.id in self._recorded for webhook in live)
        self.confirmed = self.confirmed or ours or (bool(shown) and self._known is not None)
        if self._known is None and len(shown) == 1 and (ours or not self._recorded):
            self._note(shown.pop())

    def check_key(self, api: Api) -> None:
        """Raise `RefusedError` if the API says that the key does not reach the configured workspace.

        An API without a list of workspaces tells nothing, nor does one whose ids have another form than the configured one.
        """
        if self._configured is None or self.confirmed:
            return
        try:
            reached = api.workspaces()
        except (ApiError, ApiUnreachableError, KeyRefusedError):
            return
        form = _form(self._configured)
        if self._configured in reached or form is None or any(_form(other) != form for other in reached):
            return
        named = ", ".join(map(printable, reached[:FEW])) + (", ..." if len(reached) > FEW else "")
        raise RefusedError(
            ErrorCode.WORKSPACE_MISMATCH,
            f"the API key does not reach workspace {printable(self._configured)}, only {named}",
            hint=OTHER_KEY,
        )

    def check_created(self, name: str, live: LiveWebhook) -> Misplaced | None:
        """Return what is wrong with the webhook `name` that was just created, or None if it is in the right workspace."""
        with self._turn:
            if live.workspace_id is not None and self._known is None:
                self._note(live.workspace_id)
            if live.workspace_id in (None, self._known):
                self.confirmed = True
                return None
        there, here = printable(live.workspace_id or ""), printable(self._known or "")
        again = f"delete it there, run `sendkit-sync state forget {shell_name(name)}`, and use the API key of {here}"
        text = f"created in workspace {there}, but the state belongs to {here}: {again}"
        return Misplaced(live, f"{text}. To manage {there}, use a separate state (--state)")

    def _note(self, workspace_id: str) -> None:
        self._known = workspace_id
        self.confirmed = True
        self._learn(workspace_id)


def _form(workspace_id: str) -> str | None:
    """Return the form of an id: 24 hex digits, or its prefix; None if it has no form that could be compared."""
    if re.fullmatch("[0-9a-f]{24}", workspace_id):
        return "hex"
    return workspace_id.partition("_")[0] if "_" in workspace_id else None
