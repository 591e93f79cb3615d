"""The one place that writes to stdout and stderr. A stream that is full or closed stops no run, and changes no exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, Any

import click


def open_missing() -> None:
    """Let a standard stream that was closed before the process began be /dev/null.

    Else the first file that is opened takes its place, and what is meant for the stream is written into that file.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def show(text: str | bytes) -> None:
    """Write a result to stdout; raises `SyncError` where that is lost, `BrokenPipeError` where nobody reads any more."""
    error = _write(text, sys.stdout)
    if isinstance(error, BrokenPipeError):
        raise error
    if error is not None:
        from ...core.errors import ErrorCode, SyncError

        raise SyncError(
            ErrorCode.OUTPUT_LOST,
            f"the output cannot be written: {_reason(error)}",
            hint="See that there is space where stdout goes.",
        )


def tell(text: str) -> None:
    """Write to stdout what a run did. It is recorded already, so where stdout fails, a line on stderr says so."""
    error = _write(text, sys.stdout)
    if error is not None:
        from .messages import warn

        warn(f"the output was lost: {_reason(error)}")


def write_error(text: str) -> None:
    """Write to stderr; where that fails, nobody can be told."""
    _write(text, sys.stderr)


def _write(text: str | bytes, stream: IO[Any]) -> Exception | None:
    """Write and flush; return what went wrong. Then the stream goes to /dev/null, or what it holds fails again at exit."""
    try:
        click.echo(text, file=stream, nl=False)
        stream.flush()
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        return error
    return None


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
