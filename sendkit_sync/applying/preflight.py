"""Preflight checks: the API key belongs to the workspace, and no create would duplicate a live webhook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.diagnostics import printable
from ..core.errors import ApiError, ApiUnreachableError, KeyRefusedError, NoEndpointError, RefusedError
from ..core.model import LiveWebhook
from ..core.outcomes import Failed, FailureCode
from ..core.ports import Api, Ledger
from ..core.quoting import shell_name, yaml_name
from ..planning.blockers import PossibleDuplicates
from ..planning.plan import Action, Blocker, BlockerKind
from .live_list import FRESH_S, WITHOUT_LIST, LiveList
from .warnings import Warnings


@dataclass(frozen=True, slots=True)
class Findings:
    """What the live list says about the creates of a plan, by name.

    `possible_duplicates` are the ids that each create resembles, `blocked` the creates that must not be sent. `live_before`
    are all ids that were live.
    """

    possible_duplicates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    blocked: Mapping[str, Failed] = field(default_factory=dict)
    live_before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Preflight:
    """Compares the creates of a run with what is live."""

    api: Api
    ledger: Ledger
    live_list: LiveList
    allow_duplicate: bool
    warnings: Warnings

    def check(self, creates: Sequence[Action]) -> Findings:
        """Return what the live list says about `creates`; a list that was just read for the plan serves here too.

        Raises what `LiveList.read` raises, but for a server without a list, and `RefusedError` for a key that does not
        reach the workspace.
        """
        live: Sequence[LiveWebhook] = ()
        try:
            live = self.live_list.read(FRESH_S)
        except NoEndpointError:
            self.warnings.add(WITHOUT_LIST)
        self.live_list.guard.check_key(self.api)
        unrecorded = PossibleDuplicates(live, self.ledger.state.recorded_ids())
        resembled: dict[str, tuple[str, ...]] = {}
        blocked: dict[str, Failed] = {}
        for action in creates:
            assert action.desired is not None
            found = unrecorded.of(action.desired)
            resembled[action.name] = tuple(webhook.id for webhook in found)
            blocker = action.blocked_by
            if blocker is None and found:
                blocker = Blocker(BlockerKind.LIVE, found[0].name, found[0].id)
            if blocker is not None and not self.allow_duplicate:
                text = f"{_advice(action.name, blocker)}, or pass --allow-duplicate"
                blocked[action.name] = Failed(FailureCode.POSSIBLE_DUPLICATE, text)
        return Findings(resembled, blocked, frozenset(webhook.id for webhook in live))

    def duplicates(self, created: set[str], live_before: frozenset[str]) -> tuple[str, ...]:
        """Return the ids of live, unrecorded webhooks that double one of those `created` and were not live before."""
        try:
            live = self.live_list.read()
        except NoEndpointError:
            return ()
        except (ApiError, ApiUnreachableError, KeyRefusedError, RefusedError) as error:
            self.warnings.add(f"the live list cannot be read to look for duplicates: {error.what}")
            return ()
        names = {webhook.name for webhook in live if webhook.id in created}
        known = self.ledger.state.recorded_ids() | live_before
        return tuple(webhook.id for webhook in live if webhook.name in names and webhook.id not in known)


def _advice(name: str, blocker: Blocker) -> str:
    """Return what blocks the create of `name`, and what to do instead of making a duplicate."""
    other = printable(blocker.name)
    match blocker.kind:
        case BlockerKind.ORPHAN:
            return f'the orphan "{other}" has the same URL and events: add `renamedFrom: {yaml_name(blocker.name)}`'
        case BlockerKind.UNRESOLVED:
            return f'"{other}" may be the same webhook, and its create is unresolved: run apply again'
        case _:
            return (
                f"the live webhook {blocker.id} looks the same and is not recorded: "
                f"run `sendkit-sync import {shell_name(name)} {blocker.id}`"
            )
