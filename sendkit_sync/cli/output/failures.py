"""Turns an error into text on stderr and an exit code. Only imported if there is an error."""

from __future__ import annotations

import itertools
import logging
import os
import sys

import click
from click.core import ParameterSource

from ...core.diagnostics import printable
from ...core.errors import ConfigError, ExitCode, SyncError
from ...core.redaction import REDACTOR
from ..flags import Option
from .logs import event, is_json, is_set_up, set_up
from .messages import diagnostics_text
from .streams import write_error

LOG_FORMAT = "SENDKIT_SYNC_LOG_FORMAT"


def report_error(error: BaseException) -> int:
    """Print `error` and return its exit code."""
    REDACTOR.add_environment(os.environ)
    if not is_set_up() or (not is_json() and _requested_form() == "json"):
        set_up(0, _requested_form())
    match error:
        case click.UsageError() if type(error).__name__ == "NoArgsIsHelpError":  # in click since 8.2
            return _leave(error.format_message(), ExitCode.USAGE)
        case click.UsageError():
            return _fail(_usage_text(error), ExitCode.USAGE)
        case click.ClickException():
            return _fail(error.format_message(), ExitCode.USAGE)
        case click.Abort() | KeyboardInterrupt():
            return _fail("interrupted", ExitCode.INTERRUPTED)
        case ConfigError():
            return _config_failure(error)
        case SyncError():
            text = f"{error}\n  {error.hint}" if error.hint else str(error)
            return _fail(text, error.exit_code, code=error.code)
        case BrokenPipeError():
            return ExitCode.FAILED
        case FileNotFoundError() if _folder_is_gone():
            return _fail("the current folder was deleted\n  Change to an existing folder.", ExitCode.FAILED)
    # The last resort. A traceback could show values.
    return _fail(f"unexpected {type(error).__name__}; nothing that was recorded is lost", ExitCode.FAILED)


def _usage_text(error: click.UsageError) -> str:
    """Return click's message. For an invalid variable, only its name, because the value may be a secret."""
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if isinstance(parameter, Option) and error.ctx is not None:
        source = error.ctx.get_parameter_source(parameter.name or "")
        if source is ParameterSource.ENVIRONMENT:
            return f"the value of {parameter.variable(error.ctx)} is not valid for {parameter.opts[-1]}"
    takes = f"\n  For help, run {error.ctx.command_path} --help." if error.ctx is not None else ""
    return error.format_message() + takes


def _config_failure(error: ConfigError) -> int:
    from ...render.problems import problems_text

    plain = problems_text(error.diagnostics, colour=False, excerpts=False)
    message = REDACTOR.clean(plain).rstrip()
    if not event("error", severity=logging.ERROR, message=message, exit_code=int(error.exit_code), code=error.code):
        write_error(diagnostics_text(error.diagnostics))
    return error.exit_code


def _fail(text: str, exit_code: ExitCode, **fields: str) -> int:
    return _leave(text, exit_code, label="error: ", **fields)


def _leave(text: str, exit_code: ExitCode, label: str = "", **fields: str) -> int:
    if not event("error", severity=logging.ERROR, message=_clean(text), exit_code=int(exit_code), **fields):
        write_error(f"{label}{_clean(text)}\n")
    return exit_code


def _clean(text: str) -> str:
    return "\n".join(printable(line.expandtabs(4), 1000) for line in REDACTOR.clean(text).splitlines())


def _folder_is_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - Path.cwd() is the same call
    except FileNotFoundError:
        return True
    return False


def _requested_form() -> str:
    """Return the requested log format if the command line could not be parsed."""
    words = [word for given in sys.argv for word in given.split("=")]
    asked = any(pair == ("--log-format", "json") for pair in itertools.pairwise(words))
    return "json" if asked or os.environ.get(LOG_FORMAT) == "json" else "text"
