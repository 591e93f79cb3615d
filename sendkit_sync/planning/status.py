"""Desired + recorded + live -> the health of every webhook, as plain data; the comparison itself is the plan's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.errors import ErrorCode, ExitCode
from ..core.last_run import LastRun
from ..core.model import INACTIVE, ActionKind, DeliveryStats, DesiredWebhook, State, WebhookRecord
from .plan import Action, LiveSide, Plan, Reason


class Sync(StrEnum):
    """How desired, recorded and live stand to each other; the values are those of the JSON output."""

    UNRESOLVED = "unresolved"
    """A call has no known outcome."""
    GONE = "gone"
    """Recorded and desired, but no longer in SendKit."""
    DRIFTED = "drifted"
    """Changed outside since the last apply."""
    NOT_CREATED = "not_created"
    """Desired, and not recorded yet."""
    PENDING = "pending"
    """The config asks for a change that was not applied yet."""
    ORPHAN = "orphan"
    """Recorded, and no longer desired."""
    IN_SYNC = "in_sync"


class SecretHealth(StrEnum):
    """What the state holds of a signing secret; the values are those of the JSON output."""

    RECORDED = "recorded"
    STAGED = "staged"
    """The next one is drawn, and not sent yet."""
    CANDIDATE = "candidate"
    """One of several may be in force."""
    MISSING = "missing"


class Problem(StrEnum):
    """What `--fail-on` takes."""

    INACTIVE = "inactive"
    DRIFT = "drift"
    UNRESOLVED = "unresolved"
    MISSING = "missing"


LIVE_PROBLEMS = (Problem.INACTIVE, Problem.DRIFT, Problem.MISSING)
"""The problems that nobody can rule out without the live list."""

SYNC_PROBLEMS = {
    Sync.UNRESOLVED: {Problem.UNRESOLVED},
    Sync.GONE: {Problem.DRIFT, Problem.MISSING},
    Sync.DRIFTED: {Problem.DRIFT},
    Sync.NOT_CREATED: {Problem.MISSING},
}
"""What is wrong with a webhook because of how it stands; the other values of `Sync` are no problem."""


@dataclass(frozen=True, slots=True)
class WebhookStatus:
    """One webhook. `active` is the API's own word; it and `stats` are None where the live webhook was not seen.

    `secret` is None where nothing is recorded. `drifted` are the fields that were changed outside.
    """

    name: str
    id: str | None
    sync: Sync
    secret: SecretHealth | None = None
    active: str | None = None
    stats: DeliveryStats | None = None
    drifted: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, in the order of `Problem`."""
        found = set(SYNC_PROBLEMS.get(self.sync, ()))
        found |= {Problem.INACTIVE} if self.active == INACTIVE else set()
        found |= {Problem.MISSING} if self.secret is SecretHealth.MISSING else set()
        return tuple(problem for problem in Problem if problem in found)

    @property
    def success_rate(self) -> float | None:
        """The delivered share, 0 to 1, of all deliveries that SendKit counts; None where it counts none."""
        return success_rate(self.stats)

    @property
    def urgency(self) -> tuple[object, ...]:
        """What sorts webhooks by how much they need a look: problems, then low success rates, then names."""
        rate = self.success_rate
        return -len(self.problems), list(Sync).index(self.sync), 2.0 if rate is None else rate, self.name


@dataclass(frozen=True, slots=True)
class Unread:
    """Why SendKit's list was not read: `code` for scripts, `message` and `hint` for people."""

    code: ErrorCode
    message: str
    hint: str | None
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class WorkspaceStatus:
    """All webhooks of one workspace, by name. `state` is the address of its state.

    `unread` is None where the live list was read. Without it only the recorded side is known: nothing drifted, nothing is
    gone. `unrecorded` counts the live webhooks that are not recorded.
    """

    api: str
    workspace_id: str | None
    state: str
    webhooks: tuple[WebhookStatus, ...]
    unrecorded: int = 0
    unread: Unread | None = None
    last_run: LastRun | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` shows of all workspaces; `read_at` is in seconds since the epoch, UTC."""

    read_at: float
    workspaces: tuple[WorkspaceStatus, ...] = field(default=())

    def webhooks(self) -> Iterator[WebhookStatus]:
        """Yield the webhooks of all workspaces."""
        for workspace in self.workspaces:
            yield from workspace.webhooks

    def found(self, problems: Iterable[Problem]) -> frozenset[Problem]:
        """Return which of `problems` any webhook has."""
        return frozenset(problems) & {problem for webhook in self.webhooks() for problem in webhook.problems}


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """How many webhooks are how; `syncs` has a number for each `Sync`. `delivered` and `failed` are sums."""

    webhooks: int
    syncs: dict[Sync, int]
    inactive: int
    secrets_missing: int
    with_problems: int
    delivered: int
    failed: int


def count(webhooks: Iterable[WebhookStatus]) -> StatusCounts:
    """Return the counts of `webhooks`."""
    found = tuple(webhooks)
    syncs = Counter(webhook.sync for webhook in found)
    stats = [webhook.stats for webhook in found if webhook.stats is not None]
    return StatusCounts(
        webhooks=len(found),
        syncs={sync: syncs[sync] for sync in Sync},
        inactive=sum(Problem.INACTIVE in webhook.problems for webhook in found),
        secrets_missing=sum(webhook.secret is SecretHealth.MISSING for webhook in found),
        with_problems=sum(bool(webhook.problems) for webhook in found),
        delivered=sum(one.delivered or 0 for one in stats),
        failed=sum(one.failed or 0 for one in stats),
    )


def success_rate(stats: DeliveryStats | None) -> float | None:
    """Return the delivered share of `stats`; None where it counts no delivery."""
    if stats is None:
        return None
    delivered, failed = stats.delivered or 0, stats.failed or 0
    return delivered / (delivered + failed) if delivered + failed else None


def workspace_status(
    plan: Plan,
    desired: Sequence[DesiredWebhook],
    state: State | None,
    live: LiveSide | None,
    *,
    address: str,
    unread: Unread | None = None,
) -> WorkspaceStatus:
    """Return the health of one workspace; `plan` was made from the same `desired`, `state` and `live`, without pruning."""
    known = state if state is not None else State("", 0, plan.api)
    rows = _rows(plan, {webhook.name for webhook in desired}, known, live or LiveSide({}))
    return WorkspaceStatus(
        plan.api,
        plan.workspace_id or known.observed_workspace_id,
        address,
        tuple(sorted(rows, key=lambda row: row.name)),
        unrecorded=plan.refreshed.unrecorded if plan.refreshed is not None else 0,
        unread=unread,
        last_run=known.last_run,
    )


def _rows(plan: Plan, desired: set[str], state: State, live: LiveSide) -> Iterator[WebhookStatus]:
    actions = {action.name: action for action in plan.actions}
    renamed = {action.former_name for action in plan.actions}
    unresolved = {intent.name for intent in state.intents() if not intent.expired}
    for name in (desired | state.webhooks.keys() | unresolved) - renamed:
        action = actions.get(name)
        record = action.recorded if action is not None else state.webhooks.get(name)
        sync = Sync.UNRESOLVED if name in unresolved else _sync(action, orphan=name not in desired)
        secret = _secret(record, staged=name in state.staged)
        yield _row(name, sync, record, secret, live, action.drifted if action is not None else ())


def _sync(action: Action | None, *, orphan: bool) -> Sync:
    if action is None:
        return Sync.ORPHAN if orphan else Sync.IN_SYNC
    if action.kind is ActionKind.CREATE:
        return Sync.GONE if action.reason is Reason.MISSING else Sync.NOT_CREATED
    return Sync.DRIFTED if action.drifted else Sync.PENDING


def _secret(record: WebhookRecord | None, *, staged: bool) -> SecretHealth | None:
    if record is not None and record.secret is None:
        return SecretHealth.MISSING
    if record is not None and record.candidate_secrets:
        return SecretHealth.CANDIDATE
    if staged:
        return SecretHealth.STAGED
    return SecretHealth.RECORDED if record is not None else None


def _row(
    name: str, sync: Sync, record: WebhookRecord | None, secret: SecretHealth | None, live: LiveSide, drifted: tuple[str, ...]
) -> WebhookStatus:
    seen = live.by_id.get(record.id) if record is not None else None
    return WebhookStatus(
        name,
        record.id if record is not None else None,
        sync,
        secret,
        seen.status if seen is not None else None,
        seen.stats if seen is not None else None,
        drifted,
    )
