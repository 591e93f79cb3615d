"""`status --watch`: the table on a terminal, read again and again; the one module that knows rich."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ...app.context import Context
from ...app.events import ignore
from ...app.status import StatusRequest, status
from ...core.errors import ErrorCode, ExitCode, MissingExtraError, SyncError, UsageError
from ...planning.status import Status
from ...render.status_text import LEAST, blocks
from ...render.status_words import instant
from ..options import colour
from ..signals import stopping
from .logs import is_json

if TYPE_CHECKING:
    from rich.text import Text


def watching(context: Context, request: StatusRequest, *, form: str, interval_s: float) -> int:
    """Show the status until a signal comes; return the exit code of an interrupted run.

    Raises `UsageError` where stdout is no terminal, `MissingExtraError` where rich is not installed.
    """
    if importlib.util.find_spec("rich") is None:
        raise MissingExtraError("--watch", "watch")
    if form != "text" or not sys.stdout.isatty() or is_json():
        raise UsageError(
            ErrorCode.NO_TERMINAL, "--watch needs a terminal on stdout", hint="Without --watch, status prints once and ends."
        )
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    coloured = colour()
    # What a use case reports would run into the screen; what matters of it is part of the status.
    quiet = replace(context, observer=ignore)
    with stopping(context.stop, ""):
        found, trouble = status(quiet, request), None
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not context.stop.is_set():
                live.update(_screen(found, trouble, console.height, interval_s, coloured), refresh=True)
                if not context.stop.wait(interval_s):
                    found, trouble = _again(quiet, request, found)
    return ExitCode.INTERRUPTED


def _again(context: Context, request: StatusRequest, former: Status) -> tuple[Status, str | None]:
    """Return the status as it is now; where the config or the state cannot be read just now, the former one and the reason."""
    try:
        return status(context, request), None
    except SyncError as error:
        return former, str(error)


def _screen(found: Status, trouble: str | None, height: int, interval_s: float, coloured: bool) -> Text:
    """Return as much of the status as fits on the screen: the summary, and what needs a look."""
    from rich.text import Text

    shown = blocks(found, colour=coloured)
    last = [f"Read at {instant(found.read_at)}, refreshed every {interval_s:g} s. Ctrl-C ends it."]
    last += [f"Not refreshed: {trouble}"] if trouble is not None else []
    room = height - len(last) - sum(len(block.lines(LEAST)) + 1 for block in shown)
    lines = [line for block in shown for line in [*block.lines(room // len(shown) + LEAST), ""]]
    return Text.from_ansi("\n".join([*lines[: height - len(last)], *last]), no_wrap=True, overflow="crop")
