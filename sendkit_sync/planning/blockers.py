"""Keeps a create from doubling what is there already, or may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from ..core.fields import Settings
from ..core.model import DesiredWebhook, LiveWebhook, State, WebhookRecord
from .plan import Blocker, BlockerKind

Route = tuple[str, tuple[str, ...]]


def route(settings: Settings) -> Route:
    """Return what goes where: two webhooks that are equal in it deliver every event twice."""
    return settings.url, settings.events


class PossibleDuplicates:
    """The live webhooks that are not recorded, found by name, or by URL and events."""

    def __init__(self, live: Iterable[LiveWebhook] = (), recorded_ids: Set[str] = frozenset()) -> None:
        self._by_name: dict[str, list[LiveWebhook]] = {}
        self._by_delivery: dict[Route, list[LiveWebhook]] = {}
        for candidate in live:
            if candidate.id not in recorded_ids:
                self._by_name.setdefault(candidate.name, []).append(candidate)
                self._by_delivery.setdefault(route(candidate.settings), []).append(candidate)

    def of(self, webhook: DesiredWebhook) -> list[LiveWebhook]:
        """Return the look-alikes of a desired webhook, without doubles, those of the same name first."""
        found = self._by_name.get(webhook.name, []) + self._by_delivery.get(route(webhook.settings), [])
        return list({candidate.id: candidate for candidate in found}.values())


class Blockers:
    """What a create may double, made from `lost` (recorded, and no longer desired), open creates and the live side.

    `wanted` are the desired names, `open_names` those of creates without an outcome.
    """

    def __init__(
        self, state: State, wanted: Collection[str], lost: Iterable[str], open_names: Set[str], live: Iterable[LiveWebhook]
    ) -> None:
        self._unclear = {name for name in open_names if name not in wanted}
        self._strangers = PossibleDuplicates(live, state.recorded_ids())
        self._heirless: dict[Route, Blocker] = {}
        for name in sorted(self._unclear, reverse=True):
            for intent in state.pending[name]:
                if intent.settings is not None:
                    self._heirless[route(intent.settings)] = Blocker(BlockerKind.UNRESOLVED, name, None)
        for name in sorted(lost, reverse=True):
            record = state.webhooks[name]
            self._heirless[route(record.applied)] = Blocker(BlockerKind.ORPHAN, name, record.id)

    def of(self, webhook: DesiredWebhook, gone: WebhookRecord | None) -> Blocker | None:
        """Return what a create of `webhook` would double; `gone` is the record of the webhook that it is to replace."""
        old = webhook.renamed_from
        if old is not None and old in self._unclear:
            return Blocker(BlockerKind.UNRESOLVED, old, None)
        if gone is None and (heirless := self._heirless.get(route(webhook.settings))):
            return heirless
        return next((Blocker(BlockerKind.LIVE, live.name, live.id) for live in self._strangers.of(webhook)), None)
