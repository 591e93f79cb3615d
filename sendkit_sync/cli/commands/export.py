"""`export`: the live webhooks as a config file."""

from __future__ import annotations

import os
import threading

import click

from ...config.export import config_text
from ..options import flag, retry_flag, timeout_flag
from ..output.messages import say
from ..wiring import Calls, Context, client, list_of


@click.command("export")
@timeout_flag
@retry_flag
@flag("--workspace", metavar="ID", help="Workspace id, with a platform key. Default: SENDKIT_WORKSPACE_ID.")
@click.pass_obj
def command(context: Context, /, timeout: float, retry_for: float, workspace: str | None) -> None:
    """Write the live webhooks as a config file, without secrets.

    The output is a valid config file.
    """
    scope = workspace or os.environ.get("SENDKIT_WORKSPACE_ID") or None
    with client(context, scope, Calls(timeout, retry_for), stop=threading.Event(), on_wait=say) as api:
        text, warnings = config_text(list_of(api, "Write the entries by hand: `sendkit-sync init` begins the file."), scope)
    for warning in warnings:
        say(f"warning: {warning}")
    click.echo(text, nl=False)
