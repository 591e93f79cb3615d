"""What a shell offers for the name of a webhook: what is recorded, or what the config lists."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import click

from ..core.errors import SyncError

ASKED = "_SENDKIT_SYNC_COMPLETE"
"""The variable by which a shell says what it is."""


def recorded_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in the state that begin so, those without an outcome too; none where it cannot be read."""
    from ..state import read_state
    from .wiring import read_config

    path = ctx.params.get("state_path")
    try:
        state = read_state(path or read_config(ctx.params.get("configs") or (), None, entries=False).state_path)
    except (SyncError, OSError):
        return []
    return _offered({*state.webhooks, *state.pending} if state is not None else (), incomplete)


def config_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the config's entries that begin so; none where it cannot be read."""
    from .wiring import read_config

    try:
        config = read_config(ctx.params.get("configs") or (), ctx.params.get("state_path"))
    except (SyncError, OSError):
        return []
    return _offered((webhook.name for webhook in config.webhooks), incomplete)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    found = sorted(name for name in names if name.startswith(incomplete) and name.isprintable())
    if os.environ.get(ASKED, "").startswith("bash"):
        # The other shells quote what they are offered themselves.
        return [re.sub(r"([^\w@%+=:,./-])", r"\\\1", name) for name in found]
    return found
