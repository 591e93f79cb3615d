"""`export`: the live webhooks as a config file."""

from __future__ import annotations

from ...app.context import Context
from ...app.export import export
from ...core.redaction import REDACTOR
from ..options import CALLS, as_command, value
from ..output.streams import show

WORKSPACE = value("--workspace", "ID", "Workspace id, with a platform key. Default: SENDKIT_WORKSPACE_ID.")


@as_command("export", *CALLS, WORKSPACE)
def command(context: Context, /, workspace: str | None) -> None:
    """Write the live webhooks as a config file, without secrets.

    The output is a valid config file.
    """
    show(REDACTOR.clean(export(context, workspace)))
