"""`import`: adopts live webhooks."""

from __future__ import annotations

import click

from ...app.context import Context, Source
from ...app.import_ import Adopted, ImportRequest, import_
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, UsageError
from ...core.quoting import shell_name
from ..completion import config_names
from ..flags import flag
from ..options import as_command, config_flag, lock_flag, retry_flag, state_flag, timeout_flag, use_case
from ..output.messages import note, warn
from ..output.streams import tell


@as_command("import")
@click.argument("name", required=False, shell_complete=config_names)
@click.argument("webhook_id", metavar="[ID]", required=False)
@flag("--matching", "all_matching", is_flag=True, help="Adopt every live webhook that has the name and URL of a config entry.")
@config_flag
@state_flag
@lock_flag
@timeout_flag
@retry_flag
@use_case
def command(
    context: Context, /, source: Source, name: str | None, webhook_id: str | None, all_matching: bool, lock_timeout_s: float
) -> None:
    """Start managing live webhooks. Changes nothing in SendKit.

    Adopts the live webhook ID under the NAME of a config entry, or with --matching all that match one.
    """
    if all_matching is (name is not None) or (name is None) is not (webhook_id is None):
        raise UsageError(
            ErrorCode.IMPORT_ARGUMENTS,
            "pass either NAME and ID, or --matching",
            hint='For example: sendkit-sync import "CRM Sync" 664a1b2c3d4e5f6a7b8c9d0e',
        )
    result = import_(context, ImportRequest(source, name, webhook_id, lock_timeout_s))
    for adopted in result.adopted:
        _print(adopted)
    if all_matching and result.unmatched:
        of = f"{result.unmatched} of {result.desired}"
        note(f"{of} entries do not match exactly one live webhook. Run `sendkit-sync plan --refresh` to see them.")
    tell(f"{len(result.adopted)} webhook{'' if len(result.adopted) == 1 else 's'} adopted.\n")


def _print(adopted: Adopted) -> None:
    name, live = adopted.name, adopted.live
    tell(f'> adopt "{printable(name, 256)}" ({live.id})\n')
    if live.name != name:
        warn(f'its name in SendKit is "{printable(live.name, 256)}"; the next apply renames it')
    if adopted.record.secret is None:
        warn(f"SendKit masks its secret. Supply it: sendkit-sync secret set {shell_name(name)} < FILE")
