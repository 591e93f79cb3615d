"""`test`: has SendKit send signed test deliveries to webhooks."""

from __future__ import annotations

from typing import Any

import click

from ...app.context import Context
from ...app.test import TestRequest, test
from ...core.errors import ErrorCode, ExitCode, UsageError
from ..completion import recorded_names
from ..options import CALLS, PLACE, as_command, choice, switch
from ..output.streams import show

NAMES = click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=recorded_names)


ALL = switch("--all", "Test every recorded webhook.")


@as_command("test", NAMES, ALL, choice("text", "json", default="text"), *PLACE, *CALLS)
def command(context: Context, /, names: tuple[str, ...], form: str, **request: Any) -> int:
    """Have SendKit send a signed test delivery to a webhook.

    Fails if a receiver does not answer with a 2xx status.
    """
    from ...render.deliveries import deliveries_json, deliveries_text

    if bool(names) is request.pop("all"):
        hint = 'For example: sendkit-sync test "CRM Sync"'
        raise UsageError(ErrorCode.TEST_ARGUMENTS, "pass either NAME or --all", hint=hint)
    sent = test(context, TestRequest(names, **request))
    show(deliveries_json(sent) if form == "json" else deliveries_text(sent))
    return ExitCode.DONE if all(one.delivered for one in sent) else ExitCode.FAILED
