"""Warnings, errors and notes on stderr; as events if the log format is JSON."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from ...core.diagnostics import Diagnostic, printable
from ...core.redaction import REDACTOR
from .logs import LONGEST, event, is_json
from .streams import reason, show_unless_lost, write_error


def warn(message: str, hint: str | None = None) -> None:
    """Print a warning and, on the next line, what to do about it."""
    _line("warning", logging.WARNING, message, hint)


def error(message: str, hint: str | None = None) -> None:
    """Print an error that does not end the command."""
    _line("error", logging.ERROR, message, hint)


def show_done(text: str) -> None:
    """Write to stdout what a run did. It is already recorded, so a failure is only a warning on stderr."""
    lost = show_unless_lost(text)
    if lost is not None:
        warn(f"the output was lost: {reason(lost)}")


def note(message: str) -> None:
    """Print a line that is neither a warning nor an error."""
    message = one_line(message)
    if not event("note", message=message.strip()):
        write_error(f"{message}\n")


def _line(kind: str, severity: int, message: str, hint: str | None) -> None:
    text = one_line(message) + (f"\n  {one_line(hint)}" if hint else "")
    if not event(kind, severity=severity, message=text):
        write_error(f"{kind}: {text}\n")


def one_line(message: str) -> str:
    """Return a message without secrets, and on one line, whatever it quotes."""
    return printable(REDACTOR.clean(message.expandtabs(4)), LONGEST)


def warn_of_config(diagnostics: Sequence[Diagnostic]) -> None:
    """Print the warnings of the config files; on a terminal with the lines they are about."""
    if is_json():
        for found in diagnostics:
            warn(f"{found.span}: {found.message}")
        return
    write_error(diagnostics_text(diagnostics))


def diagnostics_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return problems of config files as text for stderr."""
    from ...render.problems import problems_text

    on_terminal = sys.stderr.isatty()
    colour = on_terminal and not os.environ.get("NO_COLOR")
    return REDACTOR.clean(problems_text(diagnostics, colour=colour, excerpts=on_terminal))
