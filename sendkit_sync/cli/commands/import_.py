"""`import`: adopts live webhooks."""

from __future__ import annotations

from typing import Any

import click

from ...app.context import Context
from ...app.import_ import Adopted, ImportRequest, import_
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, UsageError
from ...core.quoting import shell_name
from ..completion import config_names
from ..options import CALLS, LOCKED, as_command, switch
from ..output.messages import note, show_done, warn


@as_command(
    "import",
    click.argument("name", required=False, shell_complete=config_names),
    click.argument("webhook_id", metavar="[ID]", required=False),
    switch("--matching", "Adopt every live webhook that has the name and URL of a config entry."),
    *LOCKED,
    *CALLS,
)
def command(context: Context, /, matching: bool, **request: Any) -> None:
    """Start managing live webhooks. Changes nothing in SendKit.

    Adopts the live webhook ID under the NAME of a config entry, or with --matching all that match one.
    """
    given = [request[part] is not None for part in ("name", "webhook_id")]
    if any(given) is matching or len(set(given)) > 1:
        raise UsageError(
            ErrorCode.IMPORT_ARGUMENTS,
            "pass either NAME and ID, or --matching",
            hint='For example: sendkit-sync import "CRM Sync" 664a1b2c3d4e5f6a7b8c9d0e',
        )
    result = import_(context, ImportRequest(**request))
    for adopted in result.adopted:
        _print(adopted)
    masked = [adopted.name for adopted in result.adopted if adopted.masked]
    if masked:
        of = "its secret" if len(masked) == 1 else f"the secrets of {len(masked)} webhooks"
        warn(f"SendKit masks {of}. Supply each: sendkit-sync secret set {shell_name(masked[0])} < FILE")
    if matching and result.unmatched:
        of = f"{result.unmatched} of {result.desired}"
        note(f"{of} entries do not match exactly one live webhook. Run `sendkit-sync plan --refresh` to see them.")
    show_done(f"{len(result.adopted)} webhook{'' if len(result.adopted) == 1 else 's'} adopted.\n")


def _print(adopted: Adopted) -> None:
    name, live = adopted.name, adopted.live
    show_done(f'> adopt "{printable(name, 256)}" ({live.id})\n')
    if live.name != name:
        warn(f'its name in SendKit is "{printable(live.name, 256)}"; the next apply renames it')
