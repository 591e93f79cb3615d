"""The log on stderr: its level, its format, and redaction."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from ...core.diagnostics import inert_json, printable
from ...core.redaction import REDACTOR
from .streams import write_error

LONGEST = 2000
"""Maximum length of a message in characters."""

KINDS = {logging.INFO: "step", logging.DEBUG: "request"}
"""The events that `-v` and `-vv` add."""

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _WithoutSecrets(logging.Filter):
    """Formats and redacts the message. Only the type of an exception is kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            message = f"{message} ({record.exc_info[0].__name__})"
        record.msg, record.args = printable(REDACTOR.clean(message), LONGEST), ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class _Json(logging.Formatter):
    """Formats records as JSON, one object per line. `run_id` is the same for all lines of a run."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "ts": at.removesuffix("+00:00") + "Z",
            "level": record.levelname,
            "logger": record.name,
            "event": getattr(record, "event", None) or KINDS.get(record.levelno, "warning"),
            "run_id": self._run_id,
        }
        message = {} if hasattr(record, "event") else {"message": record.getMessage()}
        return inert_json(REDACTOR.clean(json.dumps(line | message | getattr(record, "fields", {}))))


class _Stderr(logging.Handler):
    """Writes to the current `sys.stderr`."""

    def emit(self, record: logging.LogRecord) -> None:
        write_error(self.format(record) + "\n")


def event(name: str, /, *, severity: int = logging.INFO, **fields: str | float | None) -> bool:
    """Write an event if the log format is JSON, at any log level. Return whether it is JSON."""
    handler = _json_handler()
    if handler is None:
        return False
    record = logging.LogRecord(__name__, severity, "", 0, name, None, None)
    record.event, record.fields = name, fields
    handler.handle(record)
    return True


def is_json() -> bool:
    """Return whether stderr gets JSON lines, and therefore nothing else."""
    return _json_handler() is not None


def _json_handler() -> _Stderr | None:
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, _Stderr)]
    return next((one for one in handlers if isinstance(one.formatter, _Json)), None)


def is_set_up() -> bool:
    """Return whether `set_up` was called."""
    return any(isinstance(one, _Stderr) for one in logging.getLogger().handlers)


def set_up(verbose: int, form: str) -> None:
    """Send the log to stderr: warnings; with `verbose` 1 also steps, with 2 also requests.

    Libraries only log warnings, because their other messages may contain full addresses and headers. Registers the secrets of
    the environment with `REDACTOR`.
    """
    REDACTOR.add_environment(os.environ)
    handler = _Stderr()
    handler.addFilter(_WithoutSecrets())
    handler.setFormatter(
        _Json(os.urandom(8).hex()) if form == "json" else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Stderr)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger(__name__.partition(".")[0]).setLevel(_LEVELS[min(verbose, len(_LEVELS) - 1)])
