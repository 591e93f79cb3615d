"""Sets up the process so that unexpected errors show no values.

Python's own handlers print a traceback with the text of the error, which may contain a secret.
"""

from __future__ import annotations

import resource
import sys
import threading
import warnings
from types import TracebackType

from .output.streams import write_error


def set_up() -> None:
    """Send uncaught warnings and errors to the log, and turn off core dumps, which would contain the API key."""
    warnings.showwarning = _warning
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = "interrupted" if issubclass(kind, KeyboardInterrupt) else f"unexpected {kind.__name__}"
    # A JSON log is already loaded. Loading it here could hide from the interpreter that a signal ended the process.
    logs = sys.modules.get(f"{__package__}.output.logs")
    if logs is None or not logs.event("error", severity=40, message=text):
        write_error(f"error: {text}\n")


def _uncaught_in_thread(details: threading.ExceptHookArgs) -> None:
    _log("unexpected %s in a thread", details.exc_type.__name__)


def _unraisable(details: sys.UnraisableHookArgs) -> None:
    _log("unexpected %s while cleaning up", details.exc_type.__name__)


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: object = None, line: str | None = None
) -> None:
    import logging

    logging.getLogger("py.warnings").warning("%s", warnings.formatwarning(message, category, filename, lineno, line))


def _log(text: str, detail: str) -> None:
    # Imported here because most runs never log from here, and the fastest commands do not log at all.
    import logging

    logging.getLogger(__name__).error(text, detail)
