"""Preflight checks: the API key belongs to the recorded workspace, and no create would duplicate a live webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, ErrorCode, KeyRefusedError, NoEndpointError, RefusedError
from ..core.model import LiveWebhook
from ..core.outcomes import FailureCode
from ..core.ports import Api, Ledger
from ..core.quoting import shell_name, yaml_name
from ..planning.blockers import PossibleDuplicates
from ..planning.plan import Action, Blocker, BlockerKind
from .results import Failure

NO_LIST = "the server cannot list webhooks, so possible duplicates cannot be found; only the recorded state is used"


def check_workspace(live: Sequence[LiveWebhook], workspace_id: str | None) -> None:
    """Raise `RefusedError` if the list belongs to another workspace than the recorded one."""
    for webhook in live:
        if workspace_id is not None and webhook.workspace_id not in (None, workspace_id):
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"the API key belongs to workspace {webhook.workspace_id}, but the state to {workspace_id}",
                hint="Nothing was changed. Use the API key of that workspace, or a separate state for this one.",
            )


@dataclass(slots=True)
class Preflight:
    """Reads the live list before the first create of a run and after the last one. `warn` takes lines for people."""

    api: Api
    ledger: Ledger
    allow_duplicate: bool
    warn: Callable[[str], None]
    _before: frozenset[str] = field(default=frozenset())

    def was_there(self, live: LiveWebhook) -> bool:
        """Return whether a webhook was live before the first create."""
        return live.id in self._before

    def look(self, creates: Sequence[Action]) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Failure]]:
        """Read the live list. Returns the ids of possible duplicates for each create, and the failures of blocked ones.

        Raises what `Api.list` raises, except for a server without a list, and `RefusedError` for another workspace.
        """
        live: Sequence[LiveWebhook] = ()
        try:
            live = self.api.list()
        except NoEndpointError:
            self.warn(NO_LIST)
        check_workspace(live, self.ledger.workspace_id)
        self._before = frozenset(one.id for one in live)
        index = PossibleDuplicates(live, self.ledger.state.recorded_ids())
        seen: dict[str, tuple[str, ...]] = {}
        blocked: dict[str, Failure] = {}
        for action in creates:
            assert action.desired is not None
            duplicates = index.of(action.desired)
            seen[action.name] = tuple(one.id for one in duplicates)
            blocker = action.blocked_by
            if blocker is None and duplicates:
                blocker = Blocker(BlockerKind.LIVE, duplicates[0].name, duplicates[0].id)
            if blocker is not None and not self.allow_duplicate:
                blocked[action.name] = Failure(
                    FailureCode.POSSIBLE_DUPLICATE, f"{_reason(action.name, blocker)}, or pass --allow-duplicate"
                )
        return seen, blocked

    def duplicates(self, made: set[str]) -> tuple[str, ...]:
        """Return the ids of live, unrecorded webhooks that duplicate one of `made` and were not live before."""
        try:
            live = self.api.list()
        except NoEndpointError:
            return ()
        except (ApiError, ApiUnreachableError, KeyRefusedError) as error:
            self.warn(f"the live list cannot be read to look for duplicates: {error.what}")
            return ()
        recorded = self.ledger.state.recorded_ids()
        names = {one.name for one in live if one.id in made}
        return tuple(one.id for one in live if one.name in names and one.id not in recorded and not self.was_there(one))


def _reason(name: str, blocker: Blocker) -> str:
    """Return what blocks the create of `name`, and what to do instead of creating a duplicate."""
    other = printable(blocker.name)
    match blocker.kind:
        case BlockerKind.ORPHAN:
            return f'the orphan "{other}" has the same URL and events: add `renamedFrom: {yaml_name(blocker.name)}`'
        case BlockerKind.UNRESOLVED:
            return f'"{other}" may be the same webhook, and its create is unresolved: run apply again'
        case BlockerKind.LIVE:
            return (
                f"the live webhook {blocker.id} looks the same and is not recorded: "
                f"run `sendkit-sync import {shell_name(name)} {blocker.id}`"
            )
