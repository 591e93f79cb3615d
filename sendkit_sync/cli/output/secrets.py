"""Writes secrets to stdout, to a private file, or to a GitHub job."""

from __future__ import annotations

import os
import stat
import sys
from typing import TextIO

from ...app.context import Context
from ...app.private_file import append_private
from ...app.secrets import write_dotenv, write_secrets
from ...core.errors import ErrorCode, UsageError
from ...secrets import export as formats
from .streams import show


def show_secret(text: str) -> None:
    """Write `text` to stdout, in UTF-8 regardless of the locale, because the exact bytes sign deliveries."""
    show(text.encode("utf-8", "surrogatepass"))


def deliver(
    context: Context, form: str, secrets: formats.Exported, output: str | None, secret_name: str, *, overwrite: bool = False
) -> None:
    """Write `secrets` in one of `formats.FORMS` to the file `output`, or to stdout."""
    if form == "github-actions":
        _deliver_to_github(secrets, output)
        return
    if form == "dotenv" and output is not None:
        write_dotenv(context, output, secrets, overwrite=overwrite)
        return
    if form == "dotenv":
        text = formats.dotenv(secrets)
    elif form == "json":
        text = formats.as_json(secrets)
    elif form == "env-json":
        text = formats.env_json(secrets)
    else:
        text = formats.kubernetes(secrets, secret_name)
    if output is None:
        show_secret(text)
    else:
        write_secrets(context, output, text, overwrite=overwrite)


def _deliver_to_github(secrets: formats.Exported, output: str | None) -> None:
    """Tell the runner on stdout what to mask, and only then append the secrets to the file that it reads."""
    output = output or os.environ.get("GITHUB_ENV")
    if not output:
        raise UsageError(
            ErrorCode.STDOUT_NOT_MASKED, "GITHUB_ENV is not set", hint="Outside a GitHub job, name a file with --output."
        )
    if _is_file(sys.stdout):
        hint = "Do not redirect stdout. The secrets are written to the file named by GITHUB_ENV or --output."
        raise UsageError(
            ErrorCode.STDOUT_NOT_MASKED, "stdout is a file, so the runner would not see which values to mask", hint=hint
        )
    show_secret(formats.github_masks(secrets))
    append_private(output, formats.github_environment(secrets))


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
