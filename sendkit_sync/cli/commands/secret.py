"""`secret`: the only commands that show a secret or write one to a file."""

from __future__ import annotations

import sys
from typing import Any

import click

from ...app.context import Context, Source
from ...app.import_secrets import FORMS as IMPORT_FORMS
from ...app.import_secrets import ImportSecretsRequest, import_secrets
from ...app.rekey import Rekeyed, RekeyRequest, rekey
from ...app.rotate import RotateRequest, Rotation, activate, rotate
from ...app.secrets import ALONE, ExportRequest, SetRequest, get_secret, read_secrets, set_secret
from ...app.stage import DropRequest, StageRequest, retire, stage, unstage
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, RefusedError, UsageError
from ...core.model import Secret
from ...core.outcomes import Succeeded
from ...secrets.export import FORMS
from ..asking import ask
from ..completion import config_names, recorded_names
from ..flags import flag
from ..groups import Group
from ..options import CALLS, LOCKED, NAME, NO_LIST, PLACE, YES, as_command, choice, repeatable, switch, value
from ..output.messages import error, note, show_done, warn
from ..output.secrets import deliver, show_secret
from ..reading import read_input
from ..signals import interrupted_by, stopping

MAX_SECRET_BYTES = 64 * 1024
OUTPUT_HELP = (
    "Write to FILE, mode 0600. In a dotenv file, only its own lines change. With github-actions, append to it (default: "
    "the file named by GITHUB_ENV)."
)
PREVIOUS = flag("--previous", count=True, help="Print the previous secret. Given twice, the one before that.")
NAMES = click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=config_names)


@click.group("secret", cls=Group)
def command() -> None:
    """Stage, export, activate, rotate and retire signing secrets."""


@as_command("get", NAME, PREVIOUS, *PLACE, group=command)
def get(context: Context, /, name: str, previous: int, source: Source) -> None:
    """Print the secret of one webhook to stdout."""
    show_secret(get_secret(context, source, name, previous).reveal() + "\n")


@as_command(
    "export",
    choice(*FORMS, required=True),
    repeatable("--only", "only", "NAME", "Only export this webhook. * matches any text.", shell_complete=recorded_names),
    switch("--staged", "Also export staged secrets: the variable ends in _NEXT."),
    flag("--previous", count=True, help="Also export the previous secrets: the variable ends in _PREVIOUS."),
    value("--output", "FILE", OUTPUT_HELP),
    switch("--overwrite", "Replace the whole file named by --output, whatever it holds."),
    value("--secret-name", "NAME", "Name of the Kubernetes Secret, with --format kubernetes.", default="sendkit-webhooks"),
    *PLACE,
    group=command,
)
def export(
    context: Context, /, form: str, previous: int, output: str | None, overwrite: bool, secret_name: str, **request: Any
) -> None:
    """Print the recorded secrets as dotenv, JSON, a Kubernetes Secret, or GitHub Actions variables."""
    secrets = read_secrets(context, ExportRequest(previous=previous > 0, **request))
    deliver(context, form, secrets, output, secret_name, overwrite=overwrite)


@as_command("set", NAME, *LOCKED, group=command)
def set_(context: Context, /, name: str, **request: Any) -> None:
    """Record the secret of a webhook that was imported without one.

    Reads the secret that SendKit has from standard input, or asks for it on a terminal. Sends nothing to SendKit.
    """
    text = click.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else _from_stdin()
    differs = set_secret(context, SetRequest(name, Secret(text), **request))
    show_done(f'The secret of "{printable(name)}" is recorded as the one that SendKit has; nothing was sent.\n')
    if differs:
        warn("the config gives another secret: the next apply sends that one")


def _from_stdin() -> str:
    """Return standard input without its final line break."""
    raw = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
    if len(raw) > MAX_SECRET_BYTES:
        raise UsageError(ErrorCode.SECRET_INVALID, f"the secret is longer than {MAX_SECRET_BYTES} bytes", hint=ALONE)
    return _decoded(raw).removesuffix("\n").removesuffix("\r")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the error contains the bytes.
        raise UsageError(ErrorCode.SECRET_INVALID, "the secret is not UTF-8", hint=ALONE) from None


FILE = click.argument("file", metavar="FILE")
FILE_FORMAT = flag("--format", "form", type=click.Choice(IMPORT_FORMS), required=True, help="Format of FILE.")
MAX_FILE_BYTES = 16 * 1024 * 1024


@as_command("import", FILE, FILE_FORMAT, *LOCKED, group=command)
def import_(context: Context, /, file: str, form: str, **request: Any) -> None:
    """Record the secrets of many webhooks that were imported without one.

    Reads what `secret export` writes: the secrets that SendKit has, by variable or by webhook name. FILE - is standard input.
    Sends nothing to SendKit, and records all of them or none.
    """
    done = import_secrets(context, ImportSecretsRequest(form, _decoded(read_input(file, MAX_FILE_BYTES)), **request))
    known = f", {len(done.unchanged)} already recorded" if done.unchanged else ""
    other = f"; {done.ignored} other keys ignored" if done.ignored else ""
    show_done(f"{len(done.recorded)} secret{'' if len(done.recorded) == 1 else 's'} recorded{known}{other}.\n")


NEW = switch("--new", "Stage a secret for every webhook that the next apply creates.")


@as_command("stage", NAMES, NEW, *LOCKED, group=command)
def stage_(context: Context, /, **request: Any) -> None:
    """Generate the next secret of a webhook and record it, without sending it.

    Deploy it to the receiver first (secret export --staged). Then apply creates a new webhook with it; for an existing one,
    run secret activate.
    """
    if bool(request["names"]) is request["new"]:
        raise UsageError(
            ErrorCode.STAGE_ARGUMENTS, "pass either NAME or --new", hint='For one: sendkit-sync secret stage "CRM Sync"'
        )
    staged = stage(context, StageRequest(**request))
    show_done("".join(f'A secret is staged for "{printable(name)}".\n' for name in staged) or "No webhook needs one.\n")


@as_command("unstage", NAME, YES, *LOCKED, group=command)
def unstage_(context: Context, /, name: str, yes: bool, **request: Any) -> None:
    """Discard a staged secret that was not sent."""
    unstage(context, DropRequest(name, **request), lambda question: yes or ask(question))
    show_done(f'The staged secret of "{printable(name)}" is discarded.\n')


@as_command("activate", NAME, *LOCKED, *CALLS, NO_LIST, group=command)
def activate_(context: Context, /, name: str, **request: Any) -> int:
    """Send the staged secret to SendKit, which signs with it from now on. The old one stays available with --previous."""
    with stopping(context.stop), interrupted_by(context.stop):
        rotation = activate(context, RotateRequest(name, **request))
    _print(rotation, printable(name), "activated", "Activate")
    return rotation.exit_code


@as_command("retire", NAME, YES, *LOCKED, group=command)
def retire_(context: Context, /, name: str, yes: bool, **request: Any) -> None:
    """Drop the previous secrets of a webhook for good. Refused while one of them may still be in force."""
    count = retire(context, DropRequest(name, **request), lambda question: yes or ask(question))
    show_done(f'{count} previous secret{"" if count == 1 else "s"} of "{printable(name)}" retired.\n')


@as_command("rotate", NAME, YES, *LOCKED, *CALLS, NO_LIST, group=command)
def rotate_(context: Context, /, name: str, yes: bool, **request: Any) -> int:
    """Generate a new signing secret and send it to SendKit at once. The old one stays available with --previous.

    Until the receiver has the new secret, it refuses deliveries. To avoid that window, use stage and activate.
    """
    question = f'Send a new secret for "{printable(name)}"? Its receiver refuses deliveries until it has that secret.'
    if not (yes or ask(question)):
        raise RefusedError(ErrorCode.DECLINED, "declined", hint="Nothing was changed.")
    with stopping(context.stop), interrupted_by(context.stop):
        rotation = rotate(context, RotateRequest(name, **request))
    _print(rotation, printable(name), "rotated", "Rotate")
    return rotation.exit_code


def _print(rotation: Rotation, name: str, done: str, again: str) -> None:
    outcome = rotation.outcome
    if isinstance(outcome, Succeeded):
        show_done(f'The secret of "{name}" is {done}. The old one is kept as the previous secret.\n')
    elif rotation.unknown:
        error(f'it is not known which secret "{name}" has now: {outcome.message}')
        note(f"  Both are kept. {again} it again, or run apply: the new one is sent once more.")
    else:
        error(f'the secret of "{name}" is unchanged: {outcome.message}')


@as_command("rekey", *LOCKED, group=command)
def rekey_(context: Context, /, **request: Any) -> None:
    """Encrypt all secrets again for the recipients now in the config. Needs an identity that can read them."""
    show_done(rekeyed(rekey(context, RekeyRequest(**request))))


def rekeyed(result: Rekeyed) -> str:
    """Return a line about what was encrypted."""
    secrets = f"{result.secrets} secret{'' if result.secrets == 1 else 's'}"
    return f"{secrets} encrypted for {result.recipients} recipient{'' if result.recipients == 1 else 's'}.\n"
