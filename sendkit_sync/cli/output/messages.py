"""Lines on stderr that several commands say."""

from __future__ import annotations

import logging
import os
import sys

import click

from ...config import Config
from ...core.redaction import REDACTOR
from .logs import event, is_json


def say(text: str) -> None:
    """Print a line to stderr, as an event where the log is JSON, without secrets; a closed stderr must not stop a run."""
    text = REDACTOR.clean(text)
    if is_json():
        _say_as_event(text)
        return
    try:
        click.echo(text, err=True)
    except OSError:
        return


def _say_as_event(text: str) -> None:
    for name, severity in (("warning", logging.WARNING), ("error", logging.ERROR)):
        if text.startswith(f"{name}: "):
            event(name, severity=severity, message=text.removeprefix(f"{name}: "))
            return
    event("note", message=text.strip())


def say_warnings(config: Config) -> None:
    """Print what the config files are warned of."""
    if is_json():
        for warning in config.warnings:
            say(f"warning: {warning.span}: {warning.message}")
    elif config.warnings:
        from ...render.problems import problems_text

        on_terminal = sys.stderr.isatty()
        colour = on_terminal and not os.environ.get("NO_COLOR")
        click.echo(problems_text(config.warnings, colour=colour, excerpts=on_terminal), err=True, nl=False)
