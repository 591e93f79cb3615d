"""Finds what a create would duplicate: orphans, unresolved creates and live webhooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from ..core.fields import Settings
from ..core.model import DesiredWebhook, LiveWebhook, State, WebhookRecord
from ..core.quoting import shell_name
from .plan import Blocker, BlockerKind

Route = tuple[str, tuple[str, ...]]


def route(settings: Settings) -> Route:
    """Return URL and events. Two webhooks with the same route deliver every event twice."""
    return settings.url, settings.events


class PossibleDuplicates:
    """The live webhooks that are not recorded, indexed by name and by route."""

    def __init__(self, live: Iterable[LiveWebhook] = (), recorded_ids: Set[str] = frozenset()) -> None:
        self._by_name: dict[str, list[LiveWebhook]] = {}
        self._by_route: dict[Route, list[LiveWebhook]] = {}
        for candidate in live:
            if candidate.id not in recorded_ids:
                self._by_name.setdefault(candidate.name, []).append(candidate)
                self._by_route.setdefault(route(candidate.settings), []).append(candidate)

    def of(self, webhook: DesiredWebhook) -> list[LiveWebhook]:
        """Return the possible duplicates of a desired webhook, those with the same name first."""
        found = self._by_name.get(webhook.name, []) + self._by_route.get(route(webhook.settings), [])
        return list({candidate.id: candidate for candidate in found}.values())


def reason_and_advice(name: str, kind: BlockerKind) -> tuple[str, str]:
    """Return why the webhook `name` blocks its own action, and what to do about it."""
    if kind is BlockerKind.PREVENT_DELETE:
        return (
            "`preventDelete` is set for it",
            "to delete it, put the entry back with `preventDelete: false`, apply, then remove it and apply with --prune",
        )
    if kind is BlockerKind.ID_GONE:
        return (
            "the webhook that its `id` names is gone in SendKit",
            "set the `id` of a live webhook, or remove `id` to create it again",
        )
    adopt = f"set the `id` of the live webhook, or run `sendkit-sync import {shell_name(name)} ID`"
    return "an entry with `manageSecret: false` is adopted, never created", f"{adopt}; or remove `manageSecret`"


class Blockers:
    """What a create may duplicate: orphans, unresolved creates of names that are not desired, and live webhooks.

    `desired` and `unresolved` are names, `orphans` the names of recorded webhooks that are no longer desired.
    """

    def __init__(
        self, state: State, desired: Collection[str], orphans: Iterable[str], unresolved: Set[str], live: Iterable[LiveWebhook]
    ) -> None:
        self._unresolved = {name for name in unresolved if name not in desired}
        self._live = PossibleDuplicates(live, state.recorded_ids())
        self._by_route: dict[Route, Blocker] = {}
        for name in sorted(self._unresolved, reverse=True):
            for intent in state.pending[name]:
                if intent.settings is not None:
                    self._by_route[route(intent.settings)] = Blocker(BlockerKind.UNRESOLVED, name, None)
        for name in sorted(orphans, reverse=True):
            record = state.webhooks[name]
            self._by_route[route(record.applied)] = Blocker(BlockerKind.ORPHAN, name, record.id)

    def of(self, webhook: DesiredWebhook, gone: WebhookRecord | None) -> Blocker | None:
        """Return what a create of `webhook` would duplicate. `gone` is the record of the webhook that it replaces."""
        old = webhook.renamed_from
        if old is not None and old in self._unresolved:
            return Blocker(BlockerKind.UNRESOLVED, old, None)
        if gone is None and (blocker := self._by_route.get(route(webhook.settings))):
            return blocker
        return next((Blocker(BlockerKind.LIVE, live.name, live.id) for live in self._live.of(webhook)), None)
