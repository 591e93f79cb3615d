"""Shell completion of webhook names, from the state or from the config."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from ..core.errors import SyncError

if TYPE_CHECKING:
    from ..app.context import Context, Source

ASKED = "_SENDKIT_SYNC_COMPLETE"
"""The variable in which a shell identifies itself."""


def recorded_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in the state that start with `incomplete`; none if the state cannot be read."""
    from ..app import records

    return _offered(records.recorded_names, ctx, incomplete)


def config_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names in the config that start with `incomplete`; none if the config cannot be read."""
    from ..app import records

    return _offered(records.config_names, ctx, incomplete)


def _offered(names: Callable[[Context, Source], Iterable[str]], ctx: click.Context, incomplete: str) -> list[str]:
    from ..app.context import Context, Source

    try:
        known = names(Context(), Source(ctx.params.get("configs") or (), ctx.params.get("state_path")))
    except (SyncError, OSError):
        return []
    found = sorted(name for name in known if name.startswith(incomplete) and name.isprintable())
    if os.environ.get(ASKED, "").startswith("bash"):
        # Other shells quote completions themselves.
        return [re.sub(r"([^\w@%+=:,./-])", r"\\\1", name) for name in found]
    return found
