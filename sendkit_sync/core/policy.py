"""How a config entry is to be handled: what the state keeps of it, and what only the config says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the state keeps of how a config entry is to be handled, so that it holds for an orphan too.

    `source` is the config file of the entry, relative to the state; None if there is none that can be named.
    """

    prevent_delete: bool = False
    sensitive_url: bool = False
    source: str | None = None

    @property
    def flags(self) -> dict[str, bool]:
        """The keys of the config that are `true` or `false`, with their values."""
        return {"preventDelete": self.prevent_delete, "sensitiveUrl": self.sensitive_url}


@dataclass(frozen=True, slots=True)
class Policy:
    """How a config entry is to be handled, apart from what the state keeps of it.

    `ignore_changes` are the keys of fields that are set when the webhook is created and then left alone, sorted.
    """

    ignore_changes: tuple[str, ...] = ()
    manage_secret: bool = True
    export_as: str | None = None


DEFAULT_LIFECYCLE, DEFAULT_POLICY = Lifecycle(), Policy()
