"""`state`: inspects and repairs the state. Secrets stay masked."""

from __future__ import annotations

import click

from ...app.context import Context, Source
from ...app.forget import ForgetRequest, forget
from ...app.merge import MergeRequest, merge
from ...app.migrate import MigrateRequest, migrate
from ...app.records import record_document, recorded_state, state_text
from ...app.rekey import RekeyRequest, rekey
from ...app.resolve import ResolveRequest, resolve
from ...app.unlock import held_lease
from ...core.diagnostics import inert_json, printable
from ...core.errors import ErrorCode, RefusedError, UsageError
from ...core.model import SENSITIVE
from ...core.redaction import REDACTOR
from ..asking import ask
from ..completion import recorded_names
from ..flags import flag
from ..groups import Group
from ..options import as_command, config_flag, lock_flag, state_flag, use_case, yes_flag
from ..output.streams import show, tell
from .secret import rekeyed


@click.group("state", cls=Group)
def command() -> None:
    """Inspect and repair the state. Secrets stay masked."""


@as_command("list", command)
@config_flag
@state_flag
@use_case
def list_(context: Context, /, source: Source) -> None:
    """List the recorded webhooks and the unresolved creates. Secrets are masked."""
    state = recorded_state(context, source)
    lines = []
    for name, record in sorted(state.webhooks.items()):
        secret = SENSITIVE if record.secret else "(missing)"
        lines.append(f"{printable(record.id)}  {printable(name, 256)}  {printable(record.status or '-')}  secret {secret}\n")
    lines += [f"unresolved  {printable(name, 256)}\n" for name in state.unresolved()]
    show(REDACTOR.clean("".join(lines)))


@as_command("show", command)
@click.argument("name", shell_complete=recorded_names)
@config_flag
@state_flag
@use_case
def show_(context: Context, /, name: str, source: Source) -> None:
    """Show one recorded webhook as JSON. Its secret is masked."""
    from ...render.json import dump

    show(REDACTOR.clean(dump(record_document(context, source, name))))


@as_command("resolve", command)
@click.argument("name", shell_complete=recorded_names)
@flag("--id", "webhook_id", metavar="ID", help="The create made the webhook with this id.")
@flag("--not-created", is_flag=True, help="The create made nothing. The next apply creates the webhook.")
@lock_flag
@config_flag
@state_flag
@use_case
def resolve_(
    context: Context, /, name: str, webhook_id: str | None, not_created: bool, lock_timeout_s: float, source: Source
) -> None:
    """Resolve an unresolved create by hand.

    Look in SendKit first: use --id if the webhook exists there, --not-created if it does not.
    """
    if (webhook_id is None) is not not_created:
        raise UsageError(
            ErrorCode.RESOLVE_ARGUMENTS,
            "pass either --id ID or --not-created",
            hint="Look in SendKit whether the webhook exists, and copy its id.",
        )
    resolve(context, ResolveRequest(name, webhook_id, source, lock_timeout_s))
    if webhook_id is None:
        tell(f'"{printable(name)}" is recorded as not created. The next apply creates it.\n')
    else:
        tell(f'"{printable(name)}" is recorded as {webhook_id}. Run `plan --refresh` to check that it is live.\n')


@as_command("forget", command)
@click.argument("name", shell_complete=recorded_names)
@yes_flag
@lock_flag
@config_flag
@state_flag
@use_case
def forget_(context: Context, /, name: str, yes: bool, lock_timeout_s: float, source: Source) -> None:
    """Remove a webhook and its secrets from the state. The webhook in SendKit stays."""
    request = ForgetRequest(name, source, lock_timeout_s)
    forget(context, request, lambda question: yes or ask(question))
    tell(f'"{printable(name)}" was removed from the state. The webhook stays in SendKit.\n')


@as_command("encrypt", command)
@lock_flag
@config_flag
@state_flag
@use_case
def encrypt(context: Context, /, lock_timeout_s: float, source: Source) -> None:
    """Encrypt all secrets that are recorded in clear, for the recipients in the config."""
    tell(rekeyed(rekey(context, RekeyRequest(source, clear_only=True, lock_timeout_s=lock_timeout_s))))


@as_command("merge", command)
@click.argument("base", metavar="BASE")
@click.argument("ours", metavar="OURS")
@click.argument("theirs", metavar="THEIRS")
@flag("--path", metavar="FILE", help="Where the merged state stands in the work tree (git's %P): refuse if a journal is there.")
@use_case
def merge_(context: Context, /, base: str, ours: str, theirs: str, path: str | None) -> None:
    """Merge two states of one lineage by webhook, and write the result to OURS.

    Git's merge driver: set it up once in each clone with
    `git config merge.sendkit-sync.driver "sendkit-sync state merge %O %A %B --path %P"`. On a conflict nothing is written.
    """
    count = merge(context, MergeRequest(base, ours, theirs, path))
    tell(f"Merged: {count} webhook{'' if count == 1 else 's'} recorded.\n")


@as_command("pull", command)
@config_flag
@state_flag
@use_case
def pull(context: Context, /, source: Source) -> None:
    """Print the state as a state file, from whatever store it is in. It contains the recorded secrets."""
    show(inert_json(state_text(context, source)).encode())


@as_command("unlock", command)
@flag("--yes", is_flag=True, help="Unlock without asking. Required without a terminal.")
@config_flag
@state_flag
@use_case
def unlock(context: Context, /, yes: bool, source: Source) -> None:
    """Take the lease away from a run that is known to be dead.

    A dead run loses its lease by itself after a minute. A run that is still alive stops at its next write, and a call that
    it has already started may still be carried out.
    """
    lease = held_lease(context, source)
    if lease is None:
        tell("Nobody holds the lease.\n")
        return
    tell(f"The lease is held by {lease.holder}.\n")
    if not yes and not ask("Take it away?"):
        raise RefusedError(ErrorCode.DECLINED, "not unlocked", hint="Nothing was changed.")
    lease.unlock()
    tell("The lease is free.\n")


@as_command("migrate", command)
@flag("--to", required=True, metavar="ADDRESS", help="Where the state will be kept: a path, or a URL of a store.")
@flag("--abort", is_flag=True, help="Give up a move that was begun, and keep the state where it is.")
@lock_flag
@config_flag
@state_flag
@use_case
def migrate_(context: Context, /, to: str, abort: bool, lock_timeout_s: float, source: Source) -> None:
    """Move the state to another store.

    The old place refuses to be used from the first step on. If the command is interrupted, run it again.
    """
    left = migrate(context, MigrateRequest(to, source, abort, lock_timeout_s))
    if abort:
        tell(f"The state stays at {printable(left, 300)}.\n")
    else:
        tell(f"The state has moved. Set `state: {printable(to, 300)}` in the config.\n")
