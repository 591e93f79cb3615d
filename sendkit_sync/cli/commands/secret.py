"""`secret`: the only commands that show a secret or write one to a file."""

from __future__ import annotations

import sys

import click

from ...app.context import Context, Source
from ...app.rekey import Rekeyed, RekeyRequest, rekey
from ...app.rotate import RotateRequest, Rotation, rotate
from ...app.secrets import ALONE, SetRequest, get_secret, read_secrets, set_secret
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, UsageError
from ...core.model import Secret
from ...core.outcomes import Succeeded
from ...secrets.export import FORMS
from ..completion import recorded_names
from ..flags import flag
from ..groups import Group
from ..options import as_command, config_flag, lock_flag, retry_flag, state_flag, timeout_flag, use_case
from ..output.messages import error, note, warn
from ..output.secrets import deliver, show_secret
from ..output.streams import tell
from ..signals import interrupted_by, stopping

MAX_SECRET_BYTES = 64 * 1024


@click.group("secret", cls=Group)
def command() -> None:
    """Read, export, supply and rotate signing secrets."""


@as_command("get", command)
@click.argument("name", shell_complete=recorded_names)
@flag("--previous", count=True, help="Print the previous secret. Given twice, the one before that.")
@config_flag
@state_flag
@use_case
def get(context: Context, /, name: str, previous: int, source: Source) -> None:
    """Print the secret of one webhook to stdout."""
    show_secret(get_secret(context, source, name, previous).reveal() + "\n")


@as_command("export", command)
@flag("--format", "form", type=click.Choice(FORMS), required=True, help="Output format.")
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
@use_case
def export(context: Context, /, form: str, only: tuple[str, ...], output: str | None, secret_name: str, source: Source) -> None:
    """Print the recorded secrets as dotenv, JSON, a Kubernetes Secret, or GitHub Actions variables."""
    deliver(context, form, read_secrets(context, source, only), output, secret_name)


@as_command("set", command)
@click.argument("name", shell_complete=recorded_names)
@lock_flag
@config_flag
@state_flag
@use_case
def set_(context: Context, /, name: str, lock_timeout_s: float, source: Source) -> None:
    """Record the secret of a webhook that was imported without one.

    Reads the secret that SendKit has from standard input, or asks for it on a terminal. Sends nothing to SendKit.
    """
    text = click.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else _from_stdin()
    differs = set_secret(context, SetRequest(name, Secret(text), source, lock_timeout_s))
    tell(f'The secret of "{printable(name)}" is recorded as the one that SendKit has; nothing was sent.\n')
    if differs:
        warn("the config gives another secret: the next apply sends that one")


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


@as_command("rotate", command)
@click.argument("name", shell_complete=recorded_names)
@lock_flag
@config_flag
@state_flag
@timeout_flag
@retry_flag
@use_case
def rotate_(context: Context, /, name: str, lock_timeout_s: float, source: Source) -> int:
    """Generate a new signing secret and send it to SendKit. The old one stays available with --previous."""
    with stopping(context.stop), interrupted_by(context.stop):
        rotation = rotate(context, RotateRequest(name, source, lock_timeout_s))
    _print(rotation, printable(name))
    return rotation.exit_code


def _print(rotation: Rotation, name: str) -> None:
    outcome = rotation.outcome
    if isinstance(outcome, Succeeded):
        tell(f'The secret of "{name}" is rotated; the one before is kept as the previous one.\n')
    elif rotation.unknown:
        error(f'nobody knows yet which secret "{name}" has: {outcome.message}')
        note("  Both are kept. Rotate it again, or run apply: the new one is sent once more.")
    else:
        error(f'the secret of "{name}" stays as it is: {outcome.message}')


@as_command("rekey", command)
@lock_flag
@config_flag
@state_flag
@use_case
def rekey_(context: Context, /, lock_timeout_s: float, source: Source) -> None:
    """Encrypt all secrets again for the recipients now in the config. Needs an identity that can read them."""
    tell(rekeyed(rekey(context, RekeyRequest(source, lock_timeout_s=lock_timeout_s))))


def rekeyed(result: Rekeyed) -> str:
    """Return the line that says what was encrypted, and for how many."""
    return f"{result.secrets} secret{'' if result.secrets == 1 else 's'} sealed for {result.recipients} recipient(s).\n"
