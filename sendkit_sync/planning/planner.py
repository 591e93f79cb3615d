"""Makes the plan: compares every desired webhook with the record of its name, and with the live one after a refresh."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import itemgetter

from ..model import ActionKind, Live, Recorded, State, Webhook
from .diff import changes, differs, drifted_fields, secret_differs, view, view_before
from .look_alikes import Delivery, LookAlikes, delivery
from .plan import Action, Blocker, BlockerKind, LiveFacts, LiveSide, Plan, Reason


@dataclass(frozen=True, slots=True)
class Options:
    """What a plan is to cover.

    `targets` are patterns with `*`: only entries whose name matches one are planned, the rest counts nowhere.
    With `prune`, orphans are deleted.
    """

    prune: bool = False
    targets: tuple[str, ...] = ()

    def cover(self, name: str) -> bool:
        """Tell whether the entry `name` is to be planned."""
        return not self.targets or any(_matches(name, pattern) for pattern in self.targets)

    def idle(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the targets that match none of `names`."""
        known = tuple(names)
        return tuple(pattern for pattern in self.targets if not any(_matches(name, pattern) for name in known))


def _matches(name: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) is not None


def make_plan(
    desired: Sequence[Webhook],
    state: State | None,
    *,
    api: str,
    config_digest: str,
    workspace_id: str | None = None,
    options: Options | None = None,
    live: LiveSide | None = None,
) -> Plan:
    """Return the plan that brings `state` (None: nothing recorded yet) to `desired`.

    Actions are sorted by name, deletes last, so the order of `desired` means nothing. Without `live` the plan is
    made offline.
    """
    options = options or Options()
    known = state if state is not None else State("", 0, api)
    planner = _Planner(known, {webhook.name: webhook for webhook in desired}, options, live)
    planner.run()
    return Plan(
        actions=(*planner.actions, *planner.deletes),
        orphans=tuple(planner.orphans),
        unresolved=tuple(planner.unresolved),
        unchanged=planner.unchanged,
        config_digest=config_digest,
        lineage=state.lineage if state else None,
        serial=known.serial,
        api=api,
        workspace_id=workspace_id,
        missing_secrets=tuple(sorted(name for name, record in known.webhooks.items() if record.secret is None)),
        expired=tuple(sorted(planner.expired())),
        refreshed=None if live is None else _facts(known, live, planner.open_updates),
        targets=options.targets,
        idle_targets=options.idle({*planner.wanted, *known.webhooks, *known.pending}),
    )


def _facts(state: State, live: LiveSide, open_updates: Set[str | None]) -> LiveFacts:
    recorded = state.recorded_ids()
    found = [
        (name, record, live.by_id[record.id])
        for name, record in sorted(state.webhooks.items(), key=itemgetter(0))
        if record.id in live.by_id
    ]
    return LiveFacts(
        gone=len(recorded & live.gone),
        unrecorded=len(live.by_id.keys() - recorded),
        inactive=tuple(name for name, _, seen in found if seen.status == "inactive"),
        other_secrets=tuple(
            name for name, record, seen in found if record.id not in open_updates and _other_secret(record, seen)
        ),
    )


def _other_secret(record: Recorded, live: Live) -> bool:
    return record.secret is not None and live.secret is not None and not record.secret.matches(live.secret)


@dataclass(slots=True)
class _Planner:
    state: State
    wanted: Mapping[str, Webhook]
    options: Options
    live: LiveSide | None
    actions: list[Action] = field(default_factory=list)
    deletes: list[Action] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    unchanged: int = 0
    open_updates: frozenset[str | None] = frozenset()
    twins: Mapping[Delivery, Blocker] = field(default_factory=dict)
    strangers: LookAlikes = field(default_factory=LookAlikes)

    def run(self) -> None:
        self.unresolved = self.state.unresolved()
        open_names = frozenset(self.unresolved)
        self.open_updates = frozenset(one.id for one in self.state.intents() if one.action is ActionKind.UPDATE)
        renames = self._renames(open_names)
        renamed = frozenset(renames.values())
        lost = sorted(name for name in self.state.webhooks if name not in self.wanted and name not in renamed)
        self.twins = self._twins(lost, open_names)
        if self.live is not None:
            self.strangers = LookAlikes(self.live.by_id.values(), self.state.recorded_ids())
        blocking: set[str] = set()
        for name in sorted(self.wanted):
            if name in open_names:
                continue
            webhook = self.wanted[name]
            old = renames.get(name, name)
            record = self.state.webhooks.get(old)
            covered = self.options.cover(name)
            if record is None or (self.live is not None and record.id in self.live.gone):
                blocker = self._blocker(webhook, record, open_names)
                if blocker is not None and blocker.kind is BlockerKind.ORPHAN:
                    blocking.add(blocker.name)
                if covered:
                    self._create(webhook, record, old, blocker)
            elif covered:
                self._compare(webhook, record, old)
        # An orphan that blocks a create may be the same webhook under its former name.
        kept = open_names | blocking
        self._lose([name for name in lost if self.options.cover(name)], kept)

    def expired(self) -> Iterable[str]:
        """Return the names of creates that left no trace and that nobody wants any more."""
        for name, intents in self.state.pending.items():
            if name not in self.wanted and all(intent.expired for intent in intents):
                yield name

    def _renames(self, open_names: frozenset[str]) -> dict[str, str]:
        """Map the new name to the recorded one, for each rename that is still to be done; a name is taken once."""
        renames: dict[str, str] = {}
        taken: set[str] = set()
        for name in sorted(self.wanted):
            old = self.wanted[name].renamed_from
            if old is None or old in self.wanted or old in taken or old in open_names or old not in self.state.webhooks:
                continue
            if name not in self.state.webhooks and name not in open_names:
                renames[name] = old
                taken.add(old)
        return renames

    def _twins(self, lost: Iterable[str], open_names: frozenset[str]) -> dict[Delivery, Blocker]:
        """Map a URL with its events to what delivers there, is recorded or may be live, and is no longer desired."""
        found: dict[Delivery, Blocker] = {}
        for name in open_names - self.wanted.keys():
            for intent in self.state.pending[name]:
                if intent.settings is not None:
                    found[delivery(intent.settings)] = Blocker(BlockerKind.UNRESOLVED, name, None)
        for name in sorted(lost, reverse=True):
            record = self.state.webhooks[name]
            found[delivery(record.applied)] = Blocker(BlockerKind.ORPHAN, name, record.id)
        return found

    def _blocker(self, webhook: Webhook, record: Recorded | None, open_names: frozenset[str]) -> Blocker | None:
        """Return what a create of `webhook` would double; `record` is that of the webhook that is gone."""
        old = webhook.renamed_from
        if old in open_names and old not in self.wanted:
            return Blocker(BlockerKind.UNRESOLVED, old, None)
        if record is None and (twin := self.twins.get(delivery(webhook.settings))):
            return twin
        return next((Blocker(BlockerKind.LIVE, live.name, live.id) for live in self.strangers.of(webhook)), None)

    def _create(self, webhook: Webhook, gone: Recorded | None, old: str, blocker: Blocker | None) -> None:
        reason = Reason.NEW
        if gone is not None:
            reason = Reason.MISSING
        elif any(intent.action is ActionKind.CREATE for intent in self.state.pending.get(webhook.name, ())):
            reason = Reason.RETRY
        self.actions.append(
            Action(
                ActionKind.CREATE,
                webhook.name,
                None,
                reason,
                after=view(webhook.name, webhook.settings),
                blocked_by=blocker,
                desired=webhook,
                recorded=gone,
                former_name=_other(old, webhook.name),
            )
        )

    def _compare(self, webhook: Webhook, record: Recorded, old: str) -> None:
        live = self.live.by_id.get(record.id) if self.live is not None else None
        drifted = drifted_fields(record, live) if live is not None else ()
        unanswered = record.id in self.open_updates
        renamed = webhook.name != old
        if not (drifted or unanswered or renamed or differs(webhook, record)):
            self.unchanged += 1
            return
        reason = Reason.CHANGED
        if renamed:
            reason = Reason.RENAMED
        elif unanswered:
            reason = Reason.RETRY
        elif drifted:
            reason = Reason.DRIFT
        before = view_before(old, record, live, drifted)
        after = view(webhook.name, webhook.settings)
        found = changes(before, after, secret_changed=secret_differs(webhook, record))
        # What was changed outside may be just what the config asks for by now: then there is nothing to send.
        kind = ActionKind.UPDATE if found or unanswered else ActionKind.ADOPT
        self.actions.append(
            Action(
                kind,
                webhook.name,
                record.id,
                reason,
                before,
                after,
                found,
                drifted=drifted,
                unanswered=unanswered,
                desired=webhook,
                recorded=record,
                former_name=_other(old, webhook.name),
                live=live,
            )
        )

    def _lose(self, lost: Iterable[str], kept: frozenset[str]) -> None:
        for name in lost:
            record = self.state.webhooks[name]
            gone = self.live is not None and record.id in self.live.gone
            if not self.options.prune or name in kept:
                self.orphans.append(name)
                continue
            self.deletes.append(
                Action(
                    ActionKind.FORGET if gone else ActionKind.DELETE,
                    name,
                    record.id,
                    Reason.MISSING if gone else Reason.ORPHAN,
                    before=view(name, record.applied),
                    recorded=record,
                )
            )


def _other(old: str, name: str) -> str | None:
    return None if old == name else old
