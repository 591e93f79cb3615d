"""`export`: the live webhooks as a config file."""

from __future__ import annotations

from ...app.context import Context
from ...app.export import export
from ...core.redaction import REDACTOR
from ..flags import flag
from ..options import as_command, retry_flag, timeout_flag, use_case
from ..output.streams import show


@as_command("export")
@timeout_flag
@retry_flag
@flag("--workspace", metavar="ID", help="Workspace id, with a platform key. Default: SENDKIT_WORKSPACE_ID.")
@use_case
def command(context: Context, /, workspace: str | None) -> None:
    """Write the live webhooks as a config file, without secrets.

    The output is a valid config file.
    """
    show(REDACTOR.clean(export(context, workspace)))
