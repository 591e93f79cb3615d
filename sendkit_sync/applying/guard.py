"""Keeps a create from doubling a live webhook that nobody recorded."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RefusedError
from ..model import Live, Settings, Webhook


class LookAlikes:
    """The live webhooks that are not recorded, found by name, or by URL and events."""

    def __init__(self, live: Sequence[Live], recorded_ids: set[str]) -> None:
        self._by_name: dict[str, list[Live]] = {}
        self._by_delivery: dict[tuple[str, tuple[str, ...]], list[Live]] = {}
        for candidate in live:
            if candidate.id not in recorded_ids:
                self._by_name.setdefault(candidate.name, []).append(candidate)
                self._by_delivery.setdefault(_delivery(candidate.settings), []).append(candidate)

    def of(self, webhook: Webhook) -> list[Live]:
        """Return the look-alikes of a desired webhook, without doubles, those of the same name first."""
        found = self._by_name.get(webhook.name, []) + self._by_delivery.get(_delivery(webhook.settings), [])
        return list({candidate.id: candidate for candidate in found}.values())


def _delivery(settings: Settings) -> tuple[str, tuple[str, ...]]:
    return settings.url, settings.events


def check_workspace(live: Sequence[Live], workspace_id: str | None) -> None:
    """Raise `RefusedError` where the list is that of another workspace than the recorded one."""
    for webhook in live:
        if workspace_id is not None and webhook.workspace_id not in (None, workspace_id):
            raise RefusedError(
                f"the key belongs to workspace {webhook.workspace_id}, the state to {workspace_id}",
                hint="Nothing was changed. Use the key of that workspace, or another state for this one.",
            )
