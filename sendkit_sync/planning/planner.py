"""Makes the plan: compares every desired webhook with the record of its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ..model import ActionKind, Intent, Recorded, Settings, State, Webhook
from .diff import changes, differs, secret_differs, view
from .plan import Action, Blocker, Plan, Reason


def make_plan(
    desired: Sequence[Webhook],
    state: State | None,
    *,
    api: str,
    config_digest: str,
    workspace_id: str | None = None,
    targets: Sequence[str] = (),
) -> Plan:
    """Return the plan that brings `state` (None: nothing recorded yet) to `desired`.

    Actions are sorted by name, so the order of `desired` means nothing. `targets` are patterns with `*`: only
    entries whose name matches one are planned; the rest counts nowhere.
    """
    recorded = state.webhooks if state else {}
    pending = state.pending if state else {}
    wanted = {webhook.name: webhook for webhook in desired if _targeted(webhook.name, targets)}
    all_wanted = {webhook.name for webhook in desired}
    lost = sorted(name for name in recorded if name not in all_wanted and _targeted(name, targets))
    unresolved = state.unresolved() if state else []
    twins = _TwinIndex(
        [(name, recorded[name].id, recorded[name].applied) for name in recorded if name not in all_wanted],
        [intent for name in unresolved if name not in all_wanted for intent in pending[name]],
    )
    actions: list[Action] = []
    unchanged = 0
    for name in sorted(wanted):
        if name in unresolved:
            continue
        webhook = wanted[name]
        record = recorded.get(name)
        if record is None:
            reason = Reason.RETRY if name in pending else Reason.NEW
            actions.append(_create(webhook, reason, twins.find(webhook.settings)))
            continue
        unanswered = any(intent.action is ActionKind.UPDATE for intent in pending.get(name, ()))
        if unanswered or differs(webhook, record):
            actions.append(_update(webhook, record, unanswered))
        else:
            unchanged += 1
    return Plan(
        actions=tuple(actions),
        orphans=tuple(lost),
        unresolved=tuple(unresolved),
        unchanged=unchanged,
        config_digest=config_digest,
        lineage=state.lineage if state else None,
        serial=state.serial if state else 0,
        api=api,
        workspace_id=workspace_id,
        missing_secrets=tuple(sorted(name for name, record in recorded.items() if record.secret is None)),
        expired=tuple(
            sorted(name for name in pending if name not in recorded and name not in unresolved and name not in all_wanted)
        ),
        targets=tuple(targets),
    )


def _targeted(name: str, targets: Iterable[str]) -> bool:
    patterns = tuple(targets)
    return not patterns or any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def _create(webhook: Webhook, reason: Reason, blocker: Blocker | None) -> Action:
    after = view(webhook.name, webhook.settings)
    return Action(ActionKind.CREATE, webhook.name, None, reason, after=after, blocked_by=blocker, desired=webhook)


def _update(webhook: Webhook, record: Recorded, unanswered: bool) -> Action:
    before = view(webhook.name, record.applied)
    after = view(webhook.name, webhook.settings)
    found = changes(before, after, secret_changed=secret_differs(webhook, record))
    reason = Reason.RETRY if unanswered else Reason.CHANGED
    return Action(ActionKind.UPDATE, webhook.name, record.id, reason, before, after, found, desired=webhook, recorded=record)


class _TwinIndex:
    """Finds what is no longer desired and still delivers the same events to the same URL."""

    def __init__(self, orphans: Iterable[tuple[str, str, Settings]], intents: Iterable[Intent]) -> None:
        self._blockers: dict[tuple[str, tuple[str, ...]], Blocker] = {}
        for intent in intents:
            if intent.settings is not None:
                self._blockers[_delivery(intent.settings)] = Blocker("unresolved", intent.name, None)
        for name, webhook_id, settings in sorted(orphans, key=lambda orphan: orphan[:2], reverse=True):
            self._blockers[_delivery(settings)] = Blocker("orphan", name, webhook_id)

    def find(self, settings: Settings) -> Blocker | None:
        return self._blockers.get(_delivery(settings))


def _delivery(settings: Settings) -> tuple[str, tuple[str, ...]]:
    return settings.url, settings.events
