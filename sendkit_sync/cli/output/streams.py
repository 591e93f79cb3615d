"""The only place that writes to stdout and stderr. A full or closed stream stops no run and changes no exit code.

Text is made inert first, whatever a name, a server or a state contains. Bytes are written as they are: secrets, and
commands that are meant for a CI runner.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, Any

import click


def open_missing() -> None:
    """Replace standard streams that were closed before the process started with /dev/null.

    Otherwise the first file that is opened takes the place of the stream and gets its output.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def show(text: str | bytes) -> None:
    """Write a result to stdout. Raises `SyncError` if it is lost, and `BrokenPipeError` if the reader is gone."""
    error = _write(text, sys.stdout)
    if isinstance(error, BrokenPipeError):
        raise error
    if error is not None:
        from ...core.errors import ErrorCode, SyncError

        raise SyncError(
            ErrorCode.OUTPUT_LOST,
            f"the output cannot be written: {reason(error)}",
            hint="Make sure that the target of stdout has free space.",
        )


def show_unless_lost(text: str) -> Exception | None:
    """Write to stdout what is already recorded. Return the error if it is lost; the run goes on."""
    return _write(text, sys.stdout)


def write_error(text: str) -> None:
    """Write to stderr. A failure cannot be reported anywhere."""
    _write(text, sys.stderr)


def _write(text: str | bytes, stream: IO[Any]) -> Exception | None:
    """Write and flush. On an error, point the stream to /dev/null, so that its buffer does not fail again at exit."""
    from ...core.diagnostics import inert  # --version and --help write nothing themselves

    try:
        forced = bool(os.environ.get("FORCE_COLOR")) or None  # otherwise colors are removed off a terminal
        click.echo(inert(text) if isinstance(text, str) else text, file=stream, nl=False, color=forced)
        stream.flush()
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        return error
    return None


def reason(error: Exception) -> str:
    """Return why a stream cannot be written."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
