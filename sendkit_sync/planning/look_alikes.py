"""Keeps a create from doubling a live webhook that nobody recorded."""

from __future__ import annotations

from collections.abc import Iterable, Set

from ..model import Live, Settings, Webhook

Delivery = tuple[str, tuple[str, ...]]


def delivery(settings: Settings) -> Delivery:
    """Return what goes where: two webhooks that are equal in it deliver every event twice."""
    return settings.url, settings.events


class LookAlikes:
    """The live webhooks that are not recorded, found by name, or by URL and events."""

    def __init__(self, live: Iterable[Live] = (), recorded_ids: Set[str] = frozenset()) -> None:
        self._by_name: dict[str, list[Live]] = {}
        self._by_delivery: dict[Delivery, list[Live]] = {}
        for candidate in live:
            if candidate.id not in recorded_ids:
                self._by_name.setdefault(candidate.name, []).append(candidate)
                self._by_delivery.setdefault(delivery(candidate.settings), []).append(candidate)

    def of(self, webhook: Webhook) -> list[Live]:
        """Return the look-alikes of a desired webhook, without doubles, those of the same name first."""
        found = self._by_name.get(webhook.name, []) + self._by_delivery.get(delivery(webhook.settings), [])
        return list({candidate.id: candidate for candidate in found}.values())
