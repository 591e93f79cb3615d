"""`state`: inspects and repairs the state. Secrets stay masked."""

from __future__ import annotations

from typing import Any

import click

from ...app.context import Context, Source
from ...app.forget import ForgetRequest, forget
from ...app.merge import MergeRequest, merge
from ...app.migrate import MigrateRequest, migrate
from ...app.records import record_document, recorded_list, state_text
from ...app.rekey import RekeyRequest, rekey
from ...app.resolve import ResolveRequest, resolve
from ...app.unlock import held_lease
from ...core.diagnostics import inert_json, printable
from ...core.errors import ErrorCode, RefusedError, UsageError
from ...core.redaction import REDACTOR
from ..asking import ask
from ..groups import Group
from ..options import LOCKED, NAME, PLACE, YES, as_command, choice, switch, value
from ..output.messages import show_done
from ..output.streams import show
from .secret import rekeyed


@click.group("state", cls=Group)
def command() -> None:
    """Inspect and repair the state. Secrets stay masked."""


@as_command("list", choice("text", "json", default="text"), *PLACE, group=command)
def list_(context: Context, /, source: Source, form: str) -> None:
    """List the recorded webhooks and the unresolved creates. Secrets are masked."""
    rows = recorded_list(context, source)
    if form == "json":
        from ...render.json import dump

        show(REDACTOR.clean(dump({"format_version": "1.0", "webhooks": rows})))
        return
    cells = [("ID", "STATUS", "SECRET", "NAME")]
    cells += [(row["id"] or "-", row["status"] or "-", str(row["secret"]), str(row["name"])) for row in rows]
    table = [[printable(cell, 256) for cell in row] for row in cells]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    lines = ("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in table)
    show(REDACTOR.clean("".join(f"{line}\n" for line in lines)))


@as_command("show", NAME, *PLACE, group=command)
def show_(context: Context, /, name: str, source: Source) -> None:
    """Show one recorded webhook as JSON. Its secret is masked."""
    from ...render.json import dump

    show(REDACTOR.clean(dump(record_document(context, source, name))))


@as_command(
    "resolve",
    NAME,
    value("--id", "ID", "The create made the webhook with this id.", dest="webhook_id"),
    switch("--not-created", "The create made nothing. The next apply creates the webhook."),
    *LOCKED,
    group=command,
)
def resolve_(context: Context, /, name: str, webhook_id: str | None, not_created: bool, **request: Any) -> None:
    """Resolve an unresolved create by hand.

    Look in SendKit first: use --id if the webhook exists there, --not-created if it does not.
    """
    if (webhook_id is None) is not not_created:
        raise UsageError(
            ErrorCode.RESOLVE_ARGUMENTS,
            "pass either --id ID or --not-created",
            hint="Look in SendKit whether the webhook exists, and copy its id.",
        )
    resolve(context, ResolveRequest(name, webhook_id, **request))
    if webhook_id is None:
        show_done(f'"{printable(name)}" is recorded as not created. The next apply creates it.\n')
    else:
        show_done(f'"{printable(name)}" is recorded as {webhook_id}. Run `plan --refresh` to check that it is live.\n')


@as_command("forget", NAME, YES, *LOCKED, group=command)
def forget_(context: Context, /, name: str, yes: bool, **request: Any) -> None:
    """Remove a webhook and its secrets from the state. The webhook in SendKit stays."""
    forget(context, ForgetRequest(name, **request), lambda question: yes or ask(question))
    show_done(f'"{printable(name)}" was removed from the state. The webhook stays in SendKit.\n')


@as_command("encrypt", *LOCKED, group=command)
def encrypt(context: Context, /, **request: Any) -> None:
    """Encrypt all secrets that are recorded in clear, for the recipients in the config."""
    show_done(rekeyed(rekey(context, RekeyRequest(clear_only=True, **request))))


@as_command(
    "merge",
    *(click.argument(side, metavar=side.upper()) for side in ("base", "ours", "theirs")),
    value("--path", "FILE", "Path of the state in the work tree (git's %P). Refused if a journal is next to it."),
    group=command,
)
def merge_(context: Context, /, **request: Any) -> None:
    """Merge two states of one lineage by webhook, and write the result to OURS.

    Git's merge driver: set it up once in each clone with
    `git config merge.sendkit-sync.driver "sendkit-sync state merge %O %A %B --path %P"`, and have the line
    `sendkit.state.json merge=sendkit-sync` in .gitattributes, as init writes it. On a conflict nothing is written.
    """
    count = merge(context, MergeRequest(**request))
    show_done(f"Merged: {count} webhook{'' if count == 1 else 's'} recorded.\n")


@as_command("pull", *PLACE, group=command)
def pull(context: Context, /, source: Source) -> None:
    """Print the state as a state file, from whatever store it is in. It contains the recorded secrets."""
    show(inert_json(state_text(context, source)).encode())


@as_command("unlock", YES, *PLACE, group=command)
def unlock(context: Context, /, yes: bool, source: Source) -> None:
    """Take the lease away from a run that is known to be dead.

    A dead run loses its lease by itself after a minute. A run that is still alive stops at its next write, and a call that
    it has already started may still be carried out.
    """
    lease = held_lease(context, source)
    if lease is None:
        show_done("Nobody holds the lease.\n")
        return
    show_done(f"The lease is held by {lease.holder}.\n")
    if not yes and not ask("Take it away?"):
        raise RefusedError(ErrorCode.DECLINED, "not unlocked", hint="Nothing was changed.")
    lease.unlock()
    show_done("The lease is free.\n")


@as_command(
    "migrate",
    value("--to", "ADDRESS", "Where the state will be kept: a path, or a URL of a store.", required=True),
    switch("--abort", "Give up a move that was begun, and keep the state where it is."),
    *LOCKED,
    group=command,
)
def migrate_(context: Context, /, to: str, abort: bool, **request: Any) -> None:
    """Move the state to another store.

    The old place refuses to be used from the first step on. If the command is interrupted, run it again.
    """
    left = migrate(context, MigrateRequest(to, abort=abort, **request))
    if abort:
        show_done(f"The state stays at {printable(left, 300)}.\n")
    else:
        show_done(f"The state has moved. Set `state: {printable(to, 300)}` in the config.\n")
