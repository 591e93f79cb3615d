"""`test`: has SendKit send a signed test delivery to a webhook."""

from __future__ import annotations

import click

from ...app.context import Context, Source
from ...app.test import test
from ...core.diagnostics import printable
from ...core.errors import ExitCode
from ..completion import recorded_names
from ..options import as_command, config_flag, retry_flag, state_flag, timeout_flag, use_case
from ..output.streams import show


@as_command("test")
@click.argument("name", shell_complete=recorded_names)
@config_flag
@state_flag
@timeout_flag
@retry_flag
@use_case
def command(context: Context, /, name: str, source: Source) -> int:
    """Have SendKit send a signed test delivery to a webhook.

    Fails if the receiver does not accept it.
    """
    sent = test(context, source, name)
    answer = f"answered {sent.status}" if sent.status is not None else "gave no answer"
    word = "delivered" if sent.delivered else "not delivered"
    show(f'"{printable(name, 256)}" ({sent.webhook_id}): {word}; the receiver {answer}.\n')
    return ExitCode.DONE if sent.delivered else ExitCode.FAILED
