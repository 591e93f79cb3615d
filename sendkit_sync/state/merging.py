"""Merges two states of one lineage that two branches recorded apart, webhook by webhook; git's merge driver stands on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from ..core.model import ActionKind, Intent, State, StoredSecret, WebhookRecord

T = TypeVar("T")
Named = tuple[str, WebhookRecord]
"""A record and the name it stands under."""


@dataclass(frozen=True, slots=True)
class MergedState:
    """The merged state, and what needs a look afterwards, as lines for people."""

    state: State
    warnings: tuple[str, ...]


def merge_states(base: State | None, ours: State, theirs: State) -> MergedState:
    """Return what `ours` and `theirs` record together; `base` is what both were made from, None where there is nothing.

    Webhooks are followed by their id, so a rename on one side meets a change on the other. No secret is dropped: of two
    that differ both are kept. The serial is the higher one plus one. Raises `RefusedError` that names every conflict: another
    lineage, address or workspace, one name with two ids, one webhook under two names, one create resolved differently.
    """
    merge = _Merge(base or State(ours.lineage, 0, ours.api), ours, theirs)
    state = merge.merged()
    if merge.conflicts:
        raise RefusedError(
            ErrorCode.MERGE_CONFLICT,
            "the states cannot be merged: " + "; ".join(merge.conflicts),
            hint="Nothing was written. Keep the side that has what SendKit shows, then run: sendkit-sync plan --refresh",
        )
    return MergedState(state, tuple(merge.warnings))


@dataclass(slots=True)
class _Merge:
    base: State
    ours: State
    theirs: State
    conflicts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def merged(self) -> State:
        ours, theirs = self.ours, self.theirs
        for what, mine, other in (("lineage", ours.lineage, theirs.lineage), ("API address", ours.api, theirs.api)):
            if mine != other:
                self.conflicts.append(f"they differ in their {what}: {printable(mine)} and {printable(other)}")
        records = self._records()
        pending = self._pending(records)
        return replace(
            ours,
            serial=max(ours.serial, theirs.serial) + 1,
            workspace_id=self._agreed("configured workspace", ours.workspace_id, theirs.workspace_id),
            observed_workspace_id=self._agreed("workspace", ours.observed_workspace_id, theirs.observed_workspace_id),
            list_worked=ours.list_worked or theirs.list_worked,
            # What only one side has encrypted for, the next plan reports as added.
            recipients=tuple(sorted({*ours.recipients} & {*theirs.recipients})),
            webhooks=records,
            pending=pending,
            staged=self._staged(records),
        )

    def _agreed(self, what: str, mine: str | None, other: str | None) -> str | None:
        """Return what both sides say of one thing; a side that does not know it yet agrees with the other."""
        if None not in (mine, other) and mine != other:
            self.conflicts.append(f"they differ in their {what}: {printable(str(mine))} and {printable(str(other))}")
        return mine if mine is not None else other

    def _records(self) -> dict[str, WebhookRecord]:
        for side in (self.ours, self.theirs):
            if len(side.recorded_ids()) < len(side.webhooks):
                self.conflicts.append("one side records a webhook under two names")
        base, ours, theirs = _by_id(self.base), _by_id(self.ours), _by_id(self.theirs)
        records: dict[str, WebhookRecord] = {}
        for webhook_id in dict.fromkeys([*ours, *theirs]):
            found = self._record(base.get(webhook_id), ours.get(webhook_id), theirs.get(webhook_id))
            if found is None:
                continue
            name, record = found
            if name in records:
                self.conflicts.append(f'"{printable(name)}" is recorded as {records[name].id} and as {record.id}')
            records[name] = record
        return records

    def _record(self, base: Named | None, ours: Named | None, theirs: Named | None) -> Named | None:
        """Return the record of one id; None where a side forgot it and the other left it alone."""
        if theirs in (ours, base):
            return ours
        if ours == base:
            return theirs
        if ours is None or theirs is None:
            kept = ours or theirs
            assert kept is not None
            self.warnings.append(f'"{printable(kept[0])}" was forgotten on one side and changed on the other: it is kept')
            return kept
        was = base or (None, None)
        name = _changed(was[0], ours[0], theirs[0])
        if name is None:
            self.conflicts.append(f'{ours[1].id} is recorded as "{printable(ours[0])}" and as "{printable(theirs[0])}"')
            return ours
        return name, self._both_changed(name, was[1], ours[1], theirs[1])

    def _both_changed(self, name: str, base: WebhookRecord | None, ours: WebhookRecord, theirs: WebhookRecord) -> WebhookRecord:
        """Return what two sides that both changed a webhook record of it together, field by field."""
        was = base or ours
        applied, confirmed = (
            _changed(was.applied, ours.applied, theirs.applied),
            _changed(was.confirmed, ours.confirmed, theirs.confirmed),
        )
        if applied is None or confirmed is None:
            self.warnings.append(f'"{printable(name)}" was changed on both sides: run apply --refresh')
        former = base.secret if base is not None else None
        secret = _changed(former, ours.secret, theirs.secret) or ours.secret or theirs.secret
        candidates = tuple(dict.fromkeys((*ours.candidate_secrets, *theirs.candidate_secrets)))
        if ours.secret is not None and theirs.secret is not None and _both_moved(former, ours.secret, theirs.secret):
            self.warnings.append(f'"{printable(name)}" has a secret of each side, and either may be in force: rotate it')
            candidates = (theirs.secret, *candidates)
        candidates = tuple(one for one in candidates if one != secret)
        kept = [one for one in (*ours.secrets(), *theirs.secrets()) if one != secret]
        return replace(
            ours,
            applied=applied or ours.applied,
            confirmed=confirmed or ours.confirmed,
            confirmed_name=_changed(was.confirmed_name, ours.confirmed_name, theirs.confirmed_name) or ours.confirmed_name,
            status=_changed(was.status, ours.status, theirs.status) or ours.status,
            secret=secret,
            previous_secrets=tuple(dict.fromkeys(one for one in kept if one not in candidates)),
            candidate_secrets=candidates,
            former_names=tuple(dict.fromkeys((*ours.former_names, *theirs.former_names))),
        )

    def _staged(self, records: dict[str, WebhookRecord]) -> dict[str, StoredSecret]:
        """Return the staged secrets that neither side activated or dropped; two that differ are a conflict."""
        base, ours, theirs = self.base.staged, self.ours.staged, self.theirs.staged
        staged: dict[str, StoredSecret] = {}
        for name in dict.fromkeys([*ours, *theirs]):
            was, mine, other = base.get(name), ours.get(name), theirs.get(name)
            if mine is not None and other is not None and not mine.same_as(other):
                self.conflicts.append(f'two different secrets are staged for "{printable(name)}"')
            secret = _changed(was, mine, other) or (mine if mine is not None and other is not None else None)
            record = records.get(name)
            if secret is not None and (record is None or not secret.same_as(record.secret)):
                staged[name] = secret
        return staged

    def _pending(self, records: dict[str, WebhookRecord]) -> dict[str, tuple[Intent, ...]]:
        """Return the intents that neither side resolved; the secrets of those that one did stay with the webhook."""
        base, ours, theirs = _by_op(self.base), _by_op(self.ours), _by_op(self.theirs)
        left: dict[str, list[Intent]] = {}
        for op in dict.fromkeys([*base, *ours, *theirs]):
            mine, other = ours.get(op), theirs.get(op)
            if mine is not None and other is not None:
                latest = max(mine, other, key=lambda one: one.sent_at)
                left.setdefault(latest.name, []).append(latest)
            elif op not in base:
                new = mine or other
                assert new is not None
                left.setdefault(new.name, []).append(new)
            else:
                self._resolved(base[op], records)
        return {name: tuple(sorted(intents, key=lambda one: one.sent_at)) for name, intents in left.items()}

    def _resolved(self, intent: Intent, records: dict[str, WebhookRecord]) -> None:
        """Keep the secret of an intent that a side resolved; two sides that resolved it must agree."""
        sides = [side for side in (self.ours, self.theirs) if intent not in side.pending.get(intent.name, ())]
        if intent.action is ActionKind.CREATE and len({_made(side, self.base, intent.name) for side in sides}) > 1:
            self.conflicts.append(f'the create of "{printable(intent.name)}" is resolved differently on the two sides')
        record = records.get(intent.name)
        if record is not None and intent.secret is not None and intent.secret not in record.secrets():
            records[intent.name] = replace(record, previous_secrets=(*record.previous_secrets, intent.secret))


def _by_id(state: State) -> dict[str, Named]:
    return {record.id: (name, record) for name, record in state.webhooks.items()}


def _by_op(state: State) -> dict[str, Intent]:
    return {intent.op: intent for intent in state.intents()}


def _made(side: State, base: State, name: str) -> str | None:
    """Return the id that a side recorded under `name` since `base`."""
    record, former = side.webhooks.get(name), base.webhooks.get(name)
    return record.id if record is not None and (former is None or former.id != record.id) else None


def _changed(base: T | None, ours: T, theirs: T) -> T | None:
    """Return the value that a side changed; ours where none did, None where both did and differ."""
    if theirs in (ours, base):
        return ours
    return theirs if ours == base else None


def _both_moved(base: StoredSecret | None, ours: StoredSecret | None, theirs: StoredSecret | None) -> bool:
    return ours != theirs and base not in (ours, theirs)
