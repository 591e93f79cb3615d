"""`state`: inspects and repairs the state. Secrets stay masked."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ...api.wire import ID
from ...applying.resolving import doubt_text, other_secrets, record_of
from ...core.clock import SystemClock, SystemRng
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, RefusedError, UsageError
from ...core.model import SENSITIVE, ActionKind, Intent, LiveWebhook, State, WebhookRecord
from ...core.ports import Ledger
from ...planning.diff import view
from ...secrets.clear import ClearCipher
from ...state import open_ledger, read_state
from ..completion import recorded_names
from ..groups import Group
from ..opened import not_recorded, nothing_recorded
from ..options import config_flag, flag, lock_flag, state_flag
from ..output.messages import say
from ..wiring import Context, check_api, read_config


@click.group("state", cls=Group)
def command() -> None:
    """Inspect and repair the state. Secrets stay masked."""


def _path(configs: tuple[str, ...], state_path: str | None) -> str:
    return state_path or read_config(configs, None, entries=False).state_path


def _state(path: str) -> State:
    state = read_state(path)
    if state is None:
        raise nothing_recorded(path)
    return state


@command.command("list")
@config_flag
@state_flag
def list_(configs: tuple[str, ...], state_path: str | None) -> None:
    """List the recorded webhooks and the unresolved creates. Secrets are masked."""
    state = _state(_path(configs, state_path))
    for name, recorded in sorted(state.webhooks.items()):
        secret = SENSITIVE if recorded.secret else "(missing)"
        click.echo(f"{recorded.id}  {printable(name, 256)}  {recorded.status or '-'}  secret {secret}")
    for name in state.unresolved():
        click.echo(f"unresolved  {printable(name, 256)}")


@command.command("show")
@click.argument("name", shell_complete=recorded_names)
@config_flag
@state_flag
def show(name: str, configs: tuple[str, ...], state_path: str | None) -> None:
    """Show one recorded webhook as JSON. Its secret is masked."""
    from ...render.json import dump

    path = _path(configs, state_path)
    recorded = _state(path).webhooks.get(name)
    if recorded is None:
        raise not_recorded(name, path)
    click.echo(dump(_document(name, recorded)), nl=False)


def _document(name: str, recorded: WebhookRecord) -> dict[str, object]:
    secret = SENSITIVE if recorded.secret else None
    return {
        "id": recorded.id,
        "status": recorded.status,
        "createdAt": recorded.created_at,
        "applied": dict(view(recorded.applied_name or name, recorded.applied, secret)),
        "confirmed": dict(view(recorded.confirmed_name, recorded.confirmed, secret)),
    }


@command.command("resolve")
@click.argument("name", shell_complete=recorded_names)
@flag("--id", "webhook_id", metavar="ID", help="The create made the webhook with this id.")
@flag("--not-created", is_flag=True, help="The create made nothing. The next apply creates the webhook.")
@lock_flag
@config_flag
@state_flag
@click.pass_obj
def resolve(
    context: Context,
    name: str,
    webhook_id: str | None,
    not_created: bool,
    lock_timeout: float,
    configs: tuple[str, ...],
    state_path: str | None,
) -> None:
    """Settle an unresolved create by hand.

    Look in SendKit first: use --id if the webhook exists there, --not-created if it does not.
    """
    if (webhook_id is None) is not not_created:
        raise UsageError(
            ErrorCode.RESOLVE_ARGUMENTS,
            "say either --id ID or --not-created",
            hint="Look in SendKit whether the webhook is there, and its id.",
        )
    if webhook_id is not None and not ID.fullmatch(webhook_id):
        raise UsageError(ErrorCode.ID_INVALID, "that is no id of a webhook", hint="SendKit shows it: 24 hex digits, as a rule.")
    path = _path(configs, state_path)
    check_api(_state(path), context, path)
    with open_ledger(
        path, api=context.api_url, clock=SystemClock(), rng=SystemRng(), purpose="state resolve", lock_timeout_s=lock_timeout
    ) as ledger:
        intents = [intent for intent in ledger.state.pending.get(name, ()) if intent.action is ActionKind.CREATE]
        if not intents:
            raise RefusedError(
                ErrorCode.NOT_UNRESOLVED, f'"{printable(name)}" is not unresolved', hint="What is: sendkit-sync state list"
            )
        if webhook_id is None:
            for intent in intents:
                ledger.drop(intent)
            click.echo(f'"{printable(name)}" was not created; the next apply creates it.')
            return
        if ledger.has_id(webhook_id):
            raise RefusedError(
                ErrorCode.ID_RECORDED,
                f"{printable(webhook_id)} is recorded already",
                hint="Under which name: sendkit-sync state list",
            )
        doubted = _resolve(ledger, intents, webhook_id)
        click.echo(f'"{printable(name)}" is recorded as {webhook_id}; whether it is live, `plan --refresh` tells.')
        if doubted:
            say(f"warning: {doubt_text(name)}")


def _resolve(ledger: Ledger, intents: Sequence[Intent], webhook_id: str) -> bool:
    """Record what the last of `intents` made, with the secrets of all; tell whether one of the others may be in force."""
    last = intents[-1]
    assert last.settings is not None
    others = other_secrets(intents, last)
    former = ledger.state.webhooks.get(last.replaces or last.name)
    live = LiveWebhook(webhook_id, last.name, last.settings)
    ledger.record(last.name, record_of(last, live, ClearCipher(), former, others), replaces=last.replaces)
    return bool(others)


@command.command("forget")
@click.argument("name", shell_complete=recorded_names)
@lock_flag
@config_flag
@state_flag
@click.pass_obj
def forget(context: Context, name: str, lock_timeout: float, configs: tuple[str, ...], state_path: str | None) -> None:
    """Remove a webhook and its secret from the state. The webhook in SendKit stays."""
    path = _path(configs, state_path)
    check_api(_state(path), context, path)
    with open_ledger(
        path, api=context.api_url, clock=SystemClock(), rng=SystemRng(), purpose="state forget", lock_timeout_s=lock_timeout
    ) as ledger:
        if name not in ledger.state.webhooks:
            raise not_recorded(name, path)
        if name in ledger.state.unresolved():
            raise RefusedError(
                ErrorCode.CREATE_UNRESOLVED,
                f'"{printable(name)}" has a create without an outcome',
                hint="First: sendkit-sync state resolve NAME",
            )
        ledger.forget(name)
    click.echo(f'"{printable(name)}" is forgotten; the webhook stays in SendKit.')


@command.command("encrypt")
@lock_flag
@config_flag
@state_flag
@click.pass_obj
def encrypt(context: Context, lock_timeout: float, configs: tuple[str, ...], state_path: str | None) -> None:
    """Encrypt all secrets that are recorded in clear, for the recipients in the config."""
    from ..rekeying import rekey_all

    config = read_config(configs, state_path, entries=False)
    if not config.recipients:
        raise RefusedError(ErrorCode.NO_ENCRYPTION, "the config has no `encryption`", hint="Add it, with the recipients.")
    path = state_path or config.state_path
    count = rekey_all(context, config, path, lock_timeout, "state encrypt", clear_only=True)
    click.echo(f"{count} secret{'' if count == 1 else 's'} sealed for {len(config.recipients)} recipient(s).")
