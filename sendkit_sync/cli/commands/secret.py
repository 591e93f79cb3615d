"""`secret`: the only commands that show a secret or write one to a file."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from ...config import Config
from ...config.checks import MIN_SECRET
from ...core.decryption import decrypt
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, ExitCode, RefusedError, UsageError
from ...core.model import Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from ...core.outcomes import Failed, Succeeded, Unknown
from ...core.ports import Ledger, SecretCipher
from ...secrets import export as delivery
from ...state import read_state
from ..completion import recorded_names
from ..delivering import deliver, show
from ..groups import Group
from ..opened import not_recorded, opened
from ..options import config_flag, flag, lock_flag, retry_flag, state_flag, timeout_flag
from ..output.messages import say
from ..rekeying import rekey_all
from ..wiring import Calls, Context, check_api, cipher_for, read_config

MAX_SECRET_BYTES = 64 * 1024
ALONE = "Give the secret alone, as SendKit shows it."
SUPPLY = "Supply it: sendkit-sync secret set NAME < FILE"


@click.group("secret", cls=Group)
def command() -> None:
    """Read, export, supply and rotate signing secrets."""


@command.command("get")
@click.argument("name", shell_complete=recorded_names)
@flag("--previous", count=True, help="Print the previous secret. Given twice, the one before that.")
@config_flag
@state_flag
@click.pass_obj
def get(context: Context, /, name: str, previous: int, configs: tuple[str, ...], state_path: str | None) -> None:
    """Print the secret of one webhook to stdout."""
    config, path = _place(configs, state_path, entries=False)
    state = read_state(path)
    check_api(state, context, path)
    if state is None or name not in state.webhooks:
        raise not_recorded(name, path)
    recorded = state.webhooks[name]
    _warn_of_doubt(state, name)
    stored = dict(enumerate((recorded.secret, *recorded.previous_secrets))).get(previous)
    if stored is None:
        what = f'no {"previous " if previous else ""}secret of "{printable(name)}" is recorded'
        raise RefusedError(
            ErrorCode.SECRET_NOT_RECORDED, what, where=path, hint="There is one after a change of it." if previous else SUPPLY
        )
    show(_open(cipher_for(config, context), name, recorded, stored).reveal() + "\n")


@command.command("export")
@flag("--format", "form", type=click.Choice(delivery.FORMS), required=True, help="Output format.")
@flag(
    "--only",
    "only",
    multiple=True,
    metavar="NAME",
    shell_complete=recorded_names,
    help="Only export this webhook. Can be repeated.",
)
@flag(
    "--output",
    metavar="FILE",
    help="Write to FILE, mode 0600. With github-actions, append to it (default: the file named by GITHUB_ENV).",
)
@flag(
    "--secret-name", default="sendkit-webhooks", metavar="NAME", help="Name of the Kubernetes Secret, with --format kubernetes."
)
@config_flag
@state_flag
@click.pass_obj
def export(
    context: Context,
    /,
    form: str,
    only: tuple[str, ...],
    output: str | None,
    secret_name: str,
    configs: tuple[str, ...],
    state_path: str | None,
) -> None:
    """Print the recorded secrets as dotenv, JSON, a Kubernetes Secret, or GitHub Actions variables."""
    config, path = _place(configs, state_path, entries=False)
    state = read_state(path)
    recorded = dict(state.webhooks) if state is not None else {}
    if not recorded:
        say(f"warning: {printable(path)}: nothing is recorded, so nothing is handed on")
    if missing := [name for name in only if name not in recorded]:
        raise not_recorded(missing[0], path)
    check_api(state, context, path)
    cipher = cipher_for(config, context)
    secrets = {}
    for name, record in sorted(recorded.items()):
        if only and name not in only:
            continue
        if record.secret is None:
            say(f'warning: the secret of "{printable(name)}" is missing, and left out')
            continue
        if state is not None:
            _warn_of_doubt(state, name)
        secrets[name] = _open(cipher, name, record, record.secret)
    deliver(form, secrets, output, secret_name)


@command.command("set")
@click.argument("name", shell_complete=recorded_names)
@lock_flag
@config_flag
@state_flag
@click.pass_obj
def set_(context: Context, /, name: str, lock_timeout: float, configs: tuple[str, ...], state_path: str | None) -> None:
    """Record the secret of a webhook that was imported without one.

    Reads the secret that SendKit has from standard input, or asks for it on a terminal. Sends nothing to SendKit.
    """
    config, path = _place(configs, state_path)
    text = click.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else _from_stdin()
    if not text.strip():
        raise UsageError(ErrorCode.SECRET_INVALID, "standard input holds no secret", hint=SUPPLY)
    if "\0" in text:
        raise UsageError(ErrorCode.SECRET_INVALID, "the secret holds a zero byte, which no variable can hold", hint=ALONE)
    if len(text) < MIN_SECRET:
        say(f"warning: the secret is shorter than {MIN_SECRET} characters")
    with opened(context, config, path, "secret set", lock_timeout, adds_secret=True) as ledger:
        recorded = _of(ledger, name, path)
        if recorded.secret is not None:
            raise RefusedError(
                ErrorCode.SECRET_RECORDED,
                f'a secret of "{printable(name)}" is recorded',
                hint="To change it: sendkit-sync secret rotate NAME",
            )
        stored = cipher_for(config, context).encrypt(name, Secret(text), SecretOrigin.CONFIG)
        ledger.record(name, replace(recorded, secret=stored))
    click.echo(f'The secret of "{printable(name)}" is recorded as the one that SendKit has; nothing was sent.')
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    if entry is not None and entry.secret is not None and not stored.matches(entry.secret):
        say("warning: the config gives another secret: the next apply sends that one")


def _from_stdin() -> str:
    """Return what stands on standard input, without the line break at its end."""
    raw = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
    if len(raw) > MAX_SECRET_BYTES:
        raise UsageError(ErrorCode.SECRET_INVALID, f"the secret is longer than {MAX_SECRET_BYTES} bytes", hint=ALONE)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the error holds the bytes.
        raise UsageError(ErrorCode.SECRET_INVALID, "the secret is not UTF-8", hint=ALONE) from None
    return text.removesuffix("\n").removesuffix("\r")


@command.command("rotate")
@click.argument("name", shell_complete=recorded_names)
@lock_flag
@config_flag
@state_flag
@timeout_flag
@retry_flag
@click.pass_obj
def rotate(
    context: Context,
    /,
    name: str,
    lock_timeout: float,
    configs: tuple[str, ...],
    state_path: str | None,
    timeout: float,
    retry_for: float,
) -> int:
    """Generate a new signing secret and send it to SendKit. The old one stays available with --previous."""
    from ..session import RunRequest, session
    from ..signals import interrupted_by, stopping

    config, path = _place(configs, state_path)
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    if entry is not None and entry.secret_origin not in ("generated", "server"):
        raise RefusedError(
            ErrorCode.SECRET_FROM_CONFIG,
            f'the secret of "{printable(name)}" comes from the config',
            hint="Change it there, then apply.",
        )
    wanted = RunRequest(config, path, "secret rotate", Calls(timeout, retry_for), lock_timeout_s=lock_timeout)
    with stopping() as stop, interrupted_by(stop), session(context, wanted, stop) as run:
        ledger = run.executor.ledger
        answer, warnings = run.executor.updater.rotate(name, _of(ledger, name, path))
        unknown = isinstance(answer, Unknown) or name in ledger.state.pending
    for warning in warnings:
        say(f"warning: {warning}")
    if isinstance(answer, Succeeded):
        click.echo(f'The secret of "{printable(name)}" is rotated; the one before is kept as the previous one.')
        return ExitCode.DONE
    if unknown:
        say(f'error: nobody knows yet which secret "{printable(name)}" has: {answer.message}')
        say("  Both are kept. Rotate it again, or run apply: the new one is sent once more.")
    else:
        say(f'error: the secret of "{printable(name)}" stays as it is: {answer.message}')
    if stop.is_set():
        return ExitCode.INTERRUPTED
    if answer.status in (401, 403):
        return ExitCode.KEY_REFUSED
    return ExitCode.UNREACHABLE if isinstance(answer, Failed) and answer.unreachable else ExitCode.FAILED


@command.command("rekey")
@lock_flag
@config_flag
@state_flag
@click.pass_obj
def rekey(context: Context, /, lock_timeout: float, configs: tuple[str, ...], state_path: str | None) -> None:
    """Encrypt all secrets again for the recipients now in the config. Needs an identity that can read them."""
    config, path = _place(configs, state_path, entries=False)
    if not config.recipients:
        raise RefusedError(ErrorCode.NO_ENCRYPTION, "the config has no `encryption`", hint="Add it, with the recipients.")
    count = rekey_all(context, config, path, lock_timeout, "secret rekey", clear_only=False)
    click.echo(f"{count} secret{'' if count == 1 else 's'} sealed for {len(config.recipients)} recipient(s).")


def _place(configs: tuple[str, ...], state_path: str | None, *, entries: bool = True) -> tuple[Config, str]:
    config = read_config(configs, state_path, entries=entries)
    return config, state_path or config.state_path


def _warn_of_doubt(state: State, name: str) -> None:
    """Say that another secret than the recorded one may be in force: a new one was sent, and nobody knows what came of it."""
    webhook_id = state.webhooks[name].id
    if any(one.id == webhook_id and one.secret is not None for intents in state.pending.values() for one in intents):
        say(f'warning: a new secret of "{printable(name)}" was sent and may be in force: run apply, or secret rotate again')


def _of(ledger: Ledger, name: str, path: str) -> WebhookRecord:
    if name not in ledger.state.webhooks:
        raise not_recorded(name, path)
    return ledger.state.webhooks[name]


def _open(cipher: SecretCipher, name: str, recorded: WebhookRecord, stored: StoredSecret) -> Secret:
    return decrypt(cipher, (name, *recorded.former_names), stored)
