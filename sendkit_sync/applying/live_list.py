"""The list of live webhooks as a run reads it: whether the server has one, whose it is, and how old it may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..core.errors import ApiError, ErrorCode, NoEndpointError
from ..core.model import LiveWebhook, State
from ..core.ports import Api, Clock, Ledger
from .workspace import WorkspaceGuard

WITHOUT_LIST = "the server cannot list webhooks, so possible duplicates cannot be found; only the recorded state is used"
FRESH_S = 5.0
"""How old a list may be to serve once more: about as old as it gets by itself while a run goes on."""


@dataclass(slots=True)
class LiveList:
    """Reads the live webhooks of one run. With `no_list`, the user says that the server has no list.

    `worked`: a list was read before. `note_worked` is called when one is read for the first time.
    """

    api: Api
    clock: Clock
    guard: WorkspaceGuard
    worked: bool
    no_list: bool = False
    note_worked: Callable[[], None] = lambda: None
    _latest: Sequence[LiveWebhook] = field(default=())
    _read_at: float | None = None

    @classmethod
    def recording(cls, api: Api, clock: Clock, ledger: Ledger, *, no_list: bool = False) -> LiveList:
        """Return one that records in `ledger` what it learns."""
        state = ledger.state
        guard = WorkspaceGuard(state, state.workspace_id, ledger.set_observed_workspace)
        return cls(api, clock, guard, state.list_worked, no_list, ledger.note_list_worked)

    @classmethod
    def dry(cls, api: Api, clock: Clock, state: State | None, workspace_id: str | None, *, no_list: bool = False) -> LiveList:
        """Return one that records nothing; `workspace_id` is the configured one."""
        worked = state is not None and state.list_worked
        return cls(api, clock, WorkspaceGuard(state, workspace_id), worked, no_list)

    def read(self, max_age_s: float = 0.0) -> Sequence[LiveWebhook]:
        """Return all live webhooks of the workspace, read within the last `max_age_s` seconds.

        Raises `NoEndpointError` if the server has no list, `RefusedError` for the list of another workspace, else what
        `Api.list` raises. A list that is gone, or missing where it was never read, is an `ApiError`.
        """
        now = self.clock.monotonic()
        if self._read_at is not None and now - self._read_at < max_age_s:
            return self._latest
        try:
            live = self.api.list()
        except NoEndpointError as error:
            refuse_missing_list(error, worked=self.worked, no_list=self.no_list)
            raise
        if not self.worked:
            self.note_worked()
            self.worked = True
        self.guard.check_list(live)
        self._latest, self._read_at = live, now
        return live

    def expire(self) -> None:
        """Have the next read go to the API, however young the latest list is."""
        self._read_at = None


def refuse_missing_list(error: NoEndpointError, *, worked: bool, no_list: bool) -> None:
    """Raise `ApiError` unless `error` shows a server that has no list: most often it shows a wrong address.

    405 and 501 say so themselves, a 404 only together with `no_list`. If the list `worked` before, none of them does.
    """
    if worked:
        raise ApiError(
            ErrorCode.LIST_GONE,
            f"the list of webhooks is gone: {error.what}",
            status=error.status,
            where=error.where,
            hint=f"Earlier runs read it, so nothing is created without it. {error.hint or ''}".rstrip(),
        ) from error
    if error.status == 404 and not no_list:
        raise ApiError(
            ErrorCode.LIST_NOT_FOUND,
            f"there is no list of webhooks at this address: {error.what}",
            status=error.status,
            where=error.where,
            hint=f"{error.hint or ''} If the server really has no list, use --no-list.".lstrip(),
        ) from error
