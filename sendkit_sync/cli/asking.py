"""Asks on the terminal before something is changed."""

from __future__ import annotations

import signal
import sys

import click

from ..core.errors import ErrorCode, UsageError
from .output.streams import write_error
from .signals import handled


def ask(question: str) -> bool:
    """Ask; raises `UsageError` without a terminal. A signal ends the command at once, for nothing is under way yet."""
    if not sys.stdin.isatty():
        raise UsageError(ErrorCode.NO_TERMINAL, "there is no terminal to ask on", hint="Use --yes to go on without asking.")
    try:
        with handled(signal.default_int_handler):
            return click.confirm(question, err=True)
    except click.Abort:
        write_error("\nNothing was changed.\n")
        raise
