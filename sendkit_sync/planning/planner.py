"""Makes the plan by comparing desired webhooks with recorded ones and, after a refresh, with live ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from operator import itemgetter

from ..core.model import INACTIVE, ActionKind, DesiredWebhook, LiveWebhook, State, WebhookRecord
from .blockers import Blockers
from .diff import changes, differs, drifted_fields, flag_changes, secret_differs, view, view_before
from .plan import Action, Blocker, BlockerKind, LiveFacts, LiveSide, Plan, Reason, Recipients
from .scope import PlanScope
from .sources import of_create, of_update


def make_plan(
    desired: Sequence[DesiredWebhook],
    state: State | None,
    *,
    api: str,
    config_digest: str,
    workspace_id: str | None = None,
    options: PlanScope | None = None,
    live: LiveSide | None = None,
    recipients: tuple[str, ...] = (),
    adoptable: Mapping[str, LiveWebhook] | None = None,
) -> Plan:
    """Return the plan that changes `state` (None: nothing is recorded yet) to `desired`.

    Actions are sorted by name, with deletes last; the order of `desired` does not matter. Without `live` the plan is offline.
    `adoptable` are the live webhooks, by the name of the entry, that an `id` names and nothing records yet.
    """
    options = options or PlanScope()
    known = state if state is not None else State("", 0, api)
    adoptable = adoptable or {}
    if adoptable:
        records = {name: _as_recorded(name, live) for name, live in adoptable.items()}
        known = replace(known, webhooks={**known.webhooks, **records})
    planner = _Planner(known, adoptable, {webhook.name: webhook for webhook in desired}, options, live)
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
        missing_secrets=tuple(sorted(planner.missing_secrets())),
        expired=tuple(sorted(planner.expired)),
        refreshed=None if live is None else _facts(known, live, planner.open_updates),
        targets=options.targets,
        idle_targets=options.idle({*planner.wanted, *known.webhooks, *known.pending}),
        recipients=Recipients.of(recipients, state),
        desired=len(planner.wanted),
        recorded=len(known.webhooks),
        moved=tuple(planner.moved),
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
        inactive=tuple(name for name, _, seen in found if seen.status == INACTIVE),
        other_secrets=tuple(
            name for name, record, seen in found if record.id not in open_updates and _other_secret(record, seen)
        ),
    )


def _other_secret(record: WebhookRecord, live: LiveWebhook) -> bool:
    return record.secret is not None and live.secret is not None and not record.secret.matches(live.secret)


class _Planner:
    """Compares desired and recorded webhooks in one pass. The public attributes are the result."""

    def __init__(
        self,
        state: State,
        adoptable: Mapping[str, LiveWebhook],
        wanted: Mapping[str, DesiredWebhook],
        options: PlanScope,
        live: LiveSide | None,
    ) -> None:
        self._state = state
        self._adoptable = adoptable
        self._live = live if live is not None else LiveSide({})
        self.wanted = wanted
        self.unresolved = state.unresolved()
        self.open_updates = frozenset(intent.id for intent in state.intents() if intent.action is ActionKind.UPDATE)
        self.expired = [
            name for name, intents in state.pending.items() if name not in wanted and all(one.expired for one in intents)
        ]
        self.actions: list[Action] = []
        self.deletes: list[Action] = []
        self.orphans: list[str] = []
        self.moved: list[DesiredWebhook] = []
        self.unchanged = 0
        self._plan(options)

    def missing_secrets(self) -> Iterator[str]:
        """Yield the recorded names without a secret, except those whose secret is kept elsewhere."""
        for name, record in self._state.webhooks.items():
            entry = self.wanted.get(name)
            if record.secret is None and name not in self._adoptable and (entry is None or entry.policy.manage_secret):
                yield name

    def _plan(self, options: PlanScope) -> None:
        state, live, open_names = self._state, self._live, frozenset(self.unresolved)
        renames = self._renames(open_names)
        lost = sorted(state.webhooks.keys() - self.wanted.keys() - set(renames.values()))
        blockers = Blockers(state, self.wanted, lost, open_names, live.by_id.values())
        kept = set(open_names) | self._shared(lost)
        for name in sorted(self.wanted.keys() - open_names):
            webhook = self.wanted[name]
            old = renames.get(name, name)
            record = state.webhooks.get(old)
            covered = options.cover(name)
            if record is None and webhook.id is not None:
                if covered:
                    self._adopt_unread(webhook, webhook.id)
            elif record is None or record.id in live.gone:
                blocker = blockers.of(webhook, record)
                if blocker is not None and blocker.kind is BlockerKind.ORPHAN:
                    # It may be the same webhook under its previous name.
                    kept.add(blocker.name)
                if covered:
                    self._create(webhook, record, old, blocker)
            elif covered:
                self._compare(webhook, record, old)
        for name in filter(options.cover, lost):
            if options.prune and name not in kept:
                self._lose(name, state.webhooks[name])
            else:
                self.orphans.append(name)

    def _shared(self, lost: Sequence[str]) -> set[str]:
        """Return those of `lost` whose webhook another name uses. A manual merge may leave both names of a rename."""
        used = {self._state.webhooks[name].id for name in self._state.webhooks.keys() - set(lost)}
        return {name for name in lost if self._state.webhooks[name].id in used}

    def _renames(self, open_names: Set[str]) -> dict[str, str]:
        """Map new names to recorded ones for all pending renames. Each recorded name is used once."""
        renames: dict[str, str] = {}
        free = self._state.webhooks.keys() - self.wanted.keys() - open_names
        for name in sorted(self.wanted.keys() - self._state.webhooks.keys() - open_names):
            old = self.wanted[name].renamed_from
            if old is not None and old in free:
                renames[name] = old
                free.remove(old)
        return renames

    def _adopt_unread(self, webhook: DesiredWebhook, webhook_id: str) -> None:
        """Plan an adoption without knowing what is live."""
        after = view(webhook.name, webhook.settings, None, sensitive_url=webhook.lifecycle.sensitive_url)
        self.actions.append(Action(ActionKind.ADOPT, webhook.name, webhook_id, Reason.ADOPTED, after=after, desired=webhook))

    def _create(self, webhook: DesiredWebhook, gone: WebhookRecord | None, old: str, blocker: Blocker | None) -> None:
        if not webhook.policy.manage_secret:
            blocker = Blocker(BlockerKind.UNMANAGED_SECRET, webhook.name, None)
        if gone is not None and webhook.id == gone.id:
            blocker = Blocker(BlockerKind.ID_GONE, webhook.name, webhook.id)
        reason = Reason.NEW
        if gone is not None:
            reason = Reason.MISSING
        elif any(intent.action is ActionKind.CREATE for intent in self._state.pending.get(webhook.name, ())):
            reason = Reason.RETRY
        self.actions.append(
            Action(
                ActionKind.CREATE,
                webhook.name,
                None,
                reason,
                after=view(webhook.name, webhook.settings, sensitive_url=webhook.lifecycle.sensitive_url),
                blocked_by=blocker,
                desired=webhook,
                recorded=gone,
                former_name=_other(old, webhook.name),
                secret_source=of_create(webhook, gone, self._state),
            )
        )

    def _compare(self, webhook: DesiredWebhook, record: WebhookRecord, old: str) -> None:
        adopted = self._adoptable.get(webhook.name)
        live = adopted or self._live.by_id.get(record.id)
        ignored = webhook.policy.ignore_changes
        if ignored:
            webhook = replace(webhook, settings=webhook.settings.keeping(record.applied, ignored))
        drifted = drifted_fields(record, live, ignored) if live is not None else ()
        unanswered = record.id in self.open_updates
        renamed = webhook.name != old
        flags = flag_changes(webhook, record) if webhook.lifecycle != record.lifecycle else ()
        if not (adopted or drifted or unanswered or renamed or flags or differs(webhook, record)):
            self.unchanged += 1
            if webhook.lifecycle != record.lifecycle:
                self.moved.append(webhook)
            return
        reason = Reason.CHANGED
        if adopted:
            reason = Reason.ADOPTED
        elif renamed:
            reason = Reason.RENAMED
        elif unanswered:
            reason = Reason.RETRY
        elif drifted:
            reason = Reason.DRIFT
        masked = webhook.lifecycle.sensitive_url or record.lifecycle.sensitive_url
        before = view_before(old, record, live, drifted, sensitive_url=masked)
        after = view(webhook.name, webhook.settings, sensitive_url=masked)
        found = (*changes(before, after, secret_changed=secret_differs(webhook, record)), *flags)
        # A change made outside may be what the config now asks for. Then there is nothing to send.
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
                secret_source=of_update(webhook, record, self._state, unanswered=unanswered),
            )
        )

    def _lose(self, name: str, record: WebhookRecord) -> None:
        gone = record.id in self._live.gone
        protected = record.lifecycle.prevent_delete and not gone
        self.deletes.append(
            Action(
                ActionKind.FORGET if gone else ActionKind.DELETE,
                name,
                record.id,
                Reason.MISSING if gone else Reason.ORPHAN,
                before=view(name, record.applied, sensitive_url=record.lifecycle.sensitive_url),
                blocked_by=Blocker(BlockerKind.PREVENT_DELETE, name, record.id) if protected else None,
                recorded=record,
            )
        )


def _as_recorded(name: str, live: LiveWebhook) -> WebhookRecord:
    """Return the record that an adoption of `live` will make, apart from its secret."""
    return WebhookRecord(
        id=live.id,
        applied=live.settings,
        confirmed=live.settings,
        confirmed_name=live.name,
        secret=None,
        applied_name=None if live.name == name else live.name,
    )


def _other(old: str, name: str) -> str | None:
    return None if old == name else old
