"""`test`: has SendKit send a signed test delivery to a webhook."""

from __future__ import annotations

from ...app.context import Context, Source
from ...app.test import test
from ...core.diagnostics import printable
from ...core.errors import ExitCode
from ..options import CALLS, NAME, PLACE, as_command
from ..output.streams import show


@as_command("test", NAME, *PLACE, *CALLS)
def command(context: Context, /, name: str, source: Source) -> int:
    """Have SendKit send a signed test delivery to a webhook.

    Fails if the receiver does not accept it.
    """
    sent = test(context, source, name)
    answer = f"answered {sent.status}" if sent.status is not None else "gave no answer"
    word = "delivered" if sent.delivered else "not delivered"
    show(f'"{printable(name, 256)}" ({sent.webhook_id}): {word}; the receiver {answer}.\n')
    return ExitCode.DONE if sent.delivered else ExitCode.FAILED
