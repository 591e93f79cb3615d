"""The plan as data: the actions of a run, in order, and what it leaves alone.

`planner` makes it, `render` shows it, `applying` carries it out. The same input always gives an equal plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.fields import SHOWN
from ..core.model import ActionKind, DesiredWebhook, LiveWebhook, State, WebhookRecord

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
    """Live differs from what the API confirmed: the webhook was changed outside."""
    MISSING = "missing"
    """Recorded, but no longer live."""
    RETRY = "retry"
    """An earlier attempt expired without a match, or its outcome is unknown and it may be sent again."""
    RENAMED = "renamed"
    """`renamedFrom` names the recorded webhook."""
    ORPHAN = "orphan"
    """Recorded, no longer desired, and to be pruned."""
    ADOPTED = "adopted"
    """The `id` of the entry names a live webhook that is not recorded yet."""


class BlockerKind(StrEnum):
    """What keeps an action from being carried out."""

    ORPHAN = "orphan"
    """A recorded webhook with the same URL and events that is no longer desired."""
    UNRESOLVED = "unresolved"
    """An unresolved create with the same URL and events, or with the name to be renamed."""
    LIVE = "live"
    """A live, unrecorded webhook with the same name, or the same URL and events."""
    PREVENT_DELETE = "prevent_delete"
    """The webhook itself: `preventDelete` was set for it when it was applied last."""
    UNMANAGED_SECRET = "unmanaged_secret"
    """The entry itself: with `manageSecret: false` it is adopted, never created."""

    ID_GONE = "id_gone"
    """The entry itself: the live webhook that its `id` names no longer exists."""

    @property
    def duplicate(self) -> bool:
        """Whether --allow-duplicate lifts it."""
        return self in (BlockerKind.ORPHAN, BlockerKind.UNRESOLVED, BlockerKind.LIVE)


class SecretSource(StrEnum):
    """Where the secret that an action sends comes from."""

    CONFIG = "config"
    """The config supplies it."""
    GENERATED = "generated"
    """This tool generates it when the action is carried out."""
    SERVER = "server"
    """SendKit generates it; none is sent."""
    ATTEMPT = "attempt"
    """An earlier attempt in the state. Generated if that one cannot be read or proved."""
    STAGED = "staged"
    """The staged secret. If it cannot be read, nothing is sent."""
    RECORDED = "recorded"
    """The recorded secret of the webhook that is gone. Generated if it cannot be read."""

    @property
    def from_state(self) -> bool:
        """Whether the sent secret comes from the state."""
        return self in (SecretSource.ATTEMPT, SecretSource.STAGED, SecretSource.RECORDED)


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs. `path` is its name in the config. The values of a secret are `(sensitive)`."""

    path: str
    before: JsonValue
    after: JsonValue


@dataclass(frozen=True, slots=True)
class Blocker:
    """What blocks an action: the possible duplicate of a create, or the webhook itself. `id` is None where none is known."""

    kind: BlockerKind
    name: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a plan. `desired` is None for a delete, `recorded` for a create of a new webhook.

    `changes` are the fields that differ, in the order of the config; a create has none. `drifted` names those that were
    changed outside. `before` or `after` is None if there is no such side. `unanswered`: an earlier update has no known
    outcome, so all fields are sent again. `former_name` is the recorded name, if it differs. `live` is what a refresh found.
    `secret_source` is the only place from which a secret is sent; None if none is sent.
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

    @property
    def sends(self) -> bool:
        """Whether an update sends anything, or only what is recorded changes."""
        return self.unanswered or any(change.path in SHOWN for change in self.changes)


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What a refresh found. Made by `applying.refresh`.

    `by_id` maps each id to its live webhook. `gone` holds the ids of recorded webhooks that are not in the list and for which
    GET answers 404.
    """

    by_id: Mapping[str, LiveWebhook]
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What a refresh found besides the differences.

    `gone` and `unrecorded` count recorded webhooks that no longer exist, and live ones that are not recorded. `inactive` and
    `other_secrets` are sorted names: of recorded webhooks whose status is `inactive`, and of those for which the API shows a
    different secret than the recorded one.
    """

    gone: int
    unrecorded: int
    inactive: tuple[str, ...] = ()
    other_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipients:
    """The age public keys that new secrets are encrypted for, sorted.

    `added` are those of them that the state does not name, although it holds something; `removed` those that only it names.
    """

    listed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def of(cls, listed: tuple[str, ...], state: State | None) -> Recipients:
        """Return the `listed` recipients, compared with those that `state` names."""
        if state is None or state.empty:
            return cls(listed)
        added = tuple(one for one in listed if one not in state.recipients)
        return cls(listed, added, tuple(one for one in state.recipients if one not in listed))

    @property
    def changed(self) -> bool:
        """Whether secrets will be encrypted for others than before."""
        return bool(self.added or self.removed)


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered differences between desired and recorded.

    `actions` are sorted by name, with deletes last. `orphans` (recorded, not desired, not pruned), `unresolved` (a create
    with an unknown outcome), `missing_secrets` (recorded without a secret) and `expired` (attempts without a match that are no
    longer desired) are sorted names. `refreshed` is None for an offline plan. `lineage` is None and `serial` 0 if nothing is
    recorded yet. `targets` are the patterns of `--target`, `idle_targets` those that match nothing.
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
    recipients: Recipients = Recipients()
    desired: int = 0
    recorded: int = 0
    """Number of webhooks in the config and in the state."""
    moved: tuple[DesiredWebhook, ...] = ()
    """Those that are unchanged, but stand in another config file than the recorded one."""

    def count(self, kind: ActionKind) -> int:
        """Return the number of actions of `kind` that are not blocked."""
        return sum(action.kind is kind and action.blocked_by is None for action in self.actions)

    @property
    def secrets_from_state(self) -> tuple[tuple[str, SecretSource], ...]:
        """The names of the webhooks that are sent a secret from the state. Whoever can change the state could choose it."""
        sources = ((action.name, action.secret_source) for action in self.actions)
        return tuple((name, source) for name, source in sources if source is not None and source.from_state)

    @property
    def blocked(self) -> tuple[Action, ...]:
        """The actions that are not carried out."""
        return tuple(action for action in self.actions if action.blocked_by is not None)

    @property
    def drifted(self) -> int:
        """Number of actions that correct a change made outside."""
        return sum(action.reason in (Reason.DRIFT, Reason.MISSING) for action in self.actions)

    @property
    def pending(self) -> bool:
        """Whether anything is left to do. Orphans do not count."""
        return bool(self.actions or self.unresolved or self.recipients.changed)
