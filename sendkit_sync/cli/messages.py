"""Lines on stderr that several commands say."""

from __future__ import annotations

import os
import sys

import click

from ..config import Config
from .logs import REDACTOR, event


def say(text: str) -> None:
    """Print a line to stderr, as an event where the log is JSON, without secrets; a closed stderr must not stop a run."""
    text = REDACTOR.clean(text)
    if event(text):
        return
    try:
        click.echo(text, err=True)
    except OSError:
        return


def say_warnings(config: Config) -> None:
    """Print what the config files are warned of."""
    if config.warnings:
        from ..render.problems import problems_text

        on_terminal = sys.stderr.isatty()
        colour = on_terminal and not os.environ.get("NO_COLOR")
        click.echo(problems_text(config.warnings, colour=colour, excerpts=on_terminal), err=True, nl=False)
