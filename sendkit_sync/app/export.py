"""The use case `export`: the live webhooks as a config file."""

from __future__ import annotations

from ..config.export import config_text
from .context import Context
from .import_ import list_of
from .wiring import client


def export(context: Context, workspace_id: str | None = None) -> str:
    """Return the live webhooks as the YAML of a valid config, without secrets."""
    scope = workspace_id or context.environment.get("SENDKIT_WORKSPACE_ID") or None
    with client(context, scope) as api:
        text, warnings = config_text(
            list_of(api, "Create a config with `sendkit-sync init` and write the entries by hand."), scope
        )
    for warning in warnings:
        context.warn(warning)
    return text
