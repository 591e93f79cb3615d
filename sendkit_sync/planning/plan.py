"""The plan as plain data: what a run would do, in order, and what it would leave alone.

Made by `planner`, shown by `render`, carried out by `applying`. Two plans of the same input are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.model import ActionKind, DesiredWebhook, LiveWebhook, WebhookRecord

JsonValue = str | int | bool | None | list[str]
View = Mapping[str, JsonValue]
"""A webhook as a plan shows it: `name`, `url`, `events`, `retryAttempts`, `timeoutMs`, `secret` (masked)."""


class Reason(StrEnum):
    """Why an action is in the plan."""

    NEW = "new"
    """Desired and not recorded."""
    CHANGED = "changed"
    """Desired differs from what was applied."""
    DRIFT = "drift"
    """Live differs from what the API confirmed: it was changed outside."""
    MISSING = "missing"
    """Recorded, and gone on the live side."""
    RETRY = "retry"
    """An earlier attempt has expired without a trace, or its answer is not known and it may be sent again."""
    RENAMED = "renamed"
    """`renamedFrom` names the recorded webhook."""
    ORPHAN = "orphan"
    """Recorded, no longer desired, and to be pruned."""


class BlockerKind(StrEnum):
    """What a create must not double."""

    ORPHAN = "orphan"
    """A recorded webhook of the same URL and events that is no longer desired."""
    UNRESOLVED = "unresolved"
    """A create without an outcome, of the same URL and events or of the name that is to be renamed."""
    LIVE = "live"
    """A live webhook of the same name, or of the same URL and events, that nobody recorded."""


class SecretSource(StrEnum):
    """Where the secret comes from that an action sends."""

    CONFIG = "config"
    """The config gives it."""
    GENERATED = "generated"
    """This tool generates it when the action is carried out."""
    SERVER = "server"
    """SendKit generates it: nothing is sent."""
    ATTEMPT = "attempt"
    """An earlier attempt in the state; generated where that one cannot be read or proved."""
    STAGED = "staged"
    """The staged secret; where it cannot be read, nothing is sent."""
    RECORDED = "recorded"
    """The recorded secret of the webhook that is gone; generated where it cannot be read."""

    @property
    def from_state(self) -> bool:
        """Whether the state decides what is sent."""
        return self in (SecretSource.ATTEMPT, SecretSource.STAGED, SecretSource.RECORDED)


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; `path` is its name in the config. A secret's values are `(sensitive)`."""

    path: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True)
class Blocker:
    """What a create looks like, and must not double; `id` is None for an unresolved one."""

    kind: BlockerKind
    name: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Action:
    """One step. `desired` is None for a delete, `recorded` for a create of what was never there.

    `changes` are the fields that differ, in the order of the config's fields; a create has none. `drifted` are
    those of them that were changed outside. `before` and `after` are None where there is no such side.
    `unanswered` tells that an earlier update has no known outcome, so that all fields are sent again.
    `former_name` is the name that `recorded` stands under, where that is another one. `live` is what a refresh saw.
    `secret_source` is None where no secret is sent; nothing else is ever sent than from there.
    """

    kind: ActionKind
    name: str
    id: str | None
    reason: Reason
    before: View | None = None
    after: View | None = None
    changes: tuple[Change, ...] = ()
    drifted: tuple[str, ...] = ()
    blocked_by: Blocker | None = None
    unanswered: bool = False
    desired: DesiredWebhook | None = field(default=None, compare=False)
    recorded: WebhookRecord | None = field(default=None, compare=False)
    former_name: str | None = None
    live: LiveWebhook | None = field(default=None, compare=False)
    secret_source: SecretSource | None = None


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What a refresh found; made by `applying.refresh`.

    `by_id` maps the id of every webhook that was found to it; `gone` are the ids of recorded webhooks that are
    neither in the list nor answered by GET.
    """

    by_id: Mapping[str, LiveWebhook]
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What a refresh saw besides the differences.

    `gone` counts recorded webhooks that are there no more, `unrecorded` live ones that nobody recorded;
    `inactive` are the names, sorted, of recorded ones whose status is `inactive`, `other_secrets` of those whose
    secret the API shows whole, and as another than the recorded one.
    """

    gone: int
    unrecorded: int
    inactive: tuple[str, ...] = ()
    other_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered differences between desired and recorded.

    `actions` are sorted by name, deletes last. `orphans` (recorded, not desired, and not pruned), `unresolved`
    (the call may have happened), `missing_secrets` (recorded without a secret) and `expired` (attempts that left
    no trace, and that nobody wants any more) are sorted names. `refreshed` is None for an offline plan.
    `lineage` is None and `serial` 0 where nothing is recorded yet. `targets` are the patterns of `--target`,
    `idle_targets` those of them that match nothing.
    """

    actions: tuple[Action, ...]
    orphans: tuple[str, ...]
    unresolved: tuple[str, ...]
    unchanged: int
    config_digest: str
    lineage: str | None
    serial: int
    api: str
    workspace_id: str | None = None
    missing_secrets: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    refreshed: LiveFacts | None = None
    targets: tuple[str, ...] = ()
    idle_targets: tuple[str, ...] = ()

    def count(self, kind: ActionKind) -> int:
        """Return how many actions are of `kind`."""
        return sum(action.kind is kind for action in self.actions)

    @property
    def secrets_from_state(self) -> tuple[Action, ...]:
        """The actions that send a secret which the state holds: whoever can change the state could choose it."""
        return tuple(one for one in self.actions if one.secret_source is not None and one.secret_source.from_state)

    @property
    def blocked(self) -> tuple[Action, ...]:
        """The creates that a look-alike blocks."""
        return tuple(action for action in self.actions if action.blocked_by is not None)

    @property
    def drifted(self) -> int:
        """How many actions answer a change that was made outside."""
        return sum(action.reason in (Reason.DRIFT, Reason.MISSING) for action in self.actions)

    @property
    def pending(self) -> bool:
        """Whether anything is left to do; orphans do not count."""
        return bool(self.actions or self.unresolved)
