"""Writes secrets to where they were asked for: stdout, a private file, or a GitHub job."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import TextIO

import click

from ..core.errors import ErrorCode, UsageError
from ..core.model import Secret
from ..secrets import export as delivery
from .git_guard import warn_of_exported
from .private_file import append_private, replace_private


def show(text: str) -> None:
    """Write `text` to stdout, in UTF-8 whatever the locale is: a receiver needs the very bytes that sign."""
    click.echo(text.encode("utf-8", "surrogatepass"), nl=False)


def deliver(form: str, secrets: Mapping[str, Secret], output: str | None, secret_name: str) -> None:
    """Write `secrets` in one of `delivery.FORMS` to the file `output`, or to stdout."""
    if form == "github-actions":
        _hand_to_github(secrets, output)
        return
    if form == "dotenv":
        text = delivery.dotenv(secrets)
    elif form == "json":
        text = delivery.as_json(secrets)
    elif form == "env-json":
        text = delivery.env_json(secrets)
    else:
        text = delivery.kubernetes(secrets, secret_name)
    if output is None:
        show(text)
    else:
        replace_private(output, text)
        warn_of_exported(output)


def _hand_to_github(secrets: Mapping[str, Secret], output: str | None) -> None:
    """Tell the runner on stdout what to mask, and only then append the secrets to the file that it reads."""
    output = output or os.environ.get("GITHUB_ENV")
    if not output:
        raise UsageError(
            ErrorCode.STDOUT_NOT_MASKED, "GITHUB_ENV is not set", hint="Outside a job on GitHub, name a file with --output."
        )
    if _is_file(sys.stdout):
        hint = "Leave the redirection away: the secrets go to the file that GITHUB_ENV names, or --output."
        raise UsageError(
            ErrorCode.STDOUT_NOT_MASKED, "stdout is a file, and the runner would not see there what to mask", hint=hint
        )
    show(delivery.github_masks(secrets))
    append_private(output, delivery.github_environment(secrets))


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
