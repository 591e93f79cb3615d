"""Keeps a run from the workspace of another key, and its creates from doubling what is live already."""

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

NO_LIST = "the server has no list of webhooks: look-alikes cannot be seen, the recorded state alone decides"


def check_workspace(live: Sequence[LiveWebhook], workspace_id: str | None) -> None:
    """Raise `RefusedError` where the list is that of another workspace than the recorded one."""
    for webhook in live:
        if workspace_id is not None and webhook.workspace_id not in (None, workspace_id):
            raise RefusedError(
                ErrorCode.WORKSPACE_MISMATCH,
                f"the key belongs to workspace {webhook.workspace_id}, the state to {workspace_id}",
                hint="Nothing was changed. Use the key of that workspace, or another state for this one.",
            )


@dataclass(slots=True)
class Preflight:
    """Looks at the live list before the first create of a run and after its last; `warn` takes lines for people."""

    api: Api
    ledger: Ledger
    allow_duplicate: bool
    warn: Callable[[str], None]
    _before: frozenset[str] = field(default=frozenset())

    def was_there(self, live: LiveWebhook) -> bool:
        """Tell whether a webhook was live before the first create."""
        return live.id in self._before

    def look(self, creates: Sequence[Action]) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Failure]]:
        """Read the live list; return the ids that each create resembles, and what blocks those that may not be made.

        Raises what `Api.list` raises, but for a server without a list, and `RefusedError` for another workspace.
        """
        live: Sequence[LiveWebhook] = ()
        try:
            live = self.api.list()
        except NoEndpointError:
            self.warn(NO_LIST)
        check_workspace(live, self.ledger.state.workspace_id)
        self._before = frozenset(one.id for one in live)
        looks = PossibleDuplicates(live, self.ledger.state.recorded_ids())
        seen: dict[str, tuple[str, ...]] = {}
        blocked: dict[str, Failure] = {}
        for action in creates:
            assert action.desired is not None
            alike = looks.of(action.desired)
            seen[action.name] = tuple(one.id for one in alike)
            blocker = action.blocked_by
            if blocker is None and alike:
                blocker = Blocker(BlockerKind.LIVE, alike[0].name, alike[0].id)
            if blocker is not None and not self.allow_duplicate:
                blocked[action.name] = Failure(
                    FailureCode.POSSIBLE_DUPLICATE, f"{_likeness(action.name, blocker)}, or use --allow-duplicate"
                )
        return seen, blocked

    def duplicates(self, made: set[str]) -> tuple[str, ...]:
        """Return the ids of live, unrecorded webhooks that double one of those `made` and were not there before."""
        try:
            live = self.api.list()
        except NoEndpointError:
            return ()
        except (ApiError, ApiUnreachableError, KeyRefusedError) as error:
            self.warn(f"the live list cannot be read to look for twins: {error.what}")
            return ()
        recorded = self.ledger.state.recorded_ids()
        names = {one.name for one in live if one.id in made}
        return tuple(one.id for one in live if one.name in names and one.id not in recorded and not self.was_there(one))


def _likeness(name: str, blocker: Blocker) -> str:
    """Return by what the create of `name` is blocked, and what else than a duplicate can be done."""
    other = printable(blocker.name)
    match blocker.kind:
        case BlockerKind.ORPHAN:
            return f'orphan "{other}" has the same url and events: add `renamedFrom: {yaml_name(blocker.name)}`'
        case BlockerKind.UNRESOLVED:
            return f'"{other}" may be the same webhook, and its create has no outcome yet: run apply again'
        case BlockerKind.LIVE:
            return (
                f"live webhook {blocker.id} looks the same and is not recorded: "
                f"sendkit-sync import {shell_name(name)} {blocker.id}"
            )
