"""The command `sendkit-sync`: its global flags, its commands by name, and the one place that turns errors into exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from ..diagnostics import printable
from ..errors import ConfigError, ExitCode, SyncError
from ..version import __version__
from .logs import REDACTOR, event, set_up
from .options import flag
from .process import set_up as set_up_process

COMMANDS = {
    "validate": "Check the config files; needs no key and no network.",
    "plan": "Show what apply would do, and change nothing.",
    "apply": "Bring SendKit to what the config says.",
    "state": "Look at the record and mend it; secrets stay masked.",
    "secret": "Read, supply, rotate and hand on signing secrets.",
    "import": "Start recording live webhooks, unchanged.",
    "export": "Write the live webhooks as a config file, without secrets.",
    "test": "Have SendKit send its test payload to a webhook.",
    "reconcile": "Make one unattended pass: settle, look at the live side, plan, apply.",
    "init": "Start a repository: a config, and the files for where it runs.",
    "simulator": "Serve the SendKit API on loopback, for trying out.",
    "demo": "Run the main job on the simulator, end to end.",
}


class LazyGroup(click.Group):
    """Imports a command's module when it is called; the list of commands needs none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name}_command", __package__)
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, without importing them; for a dash, the global flags."""
        named = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return named + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sendkit-sync")
@click.option("--api-url", envvar=["SENDKIT_SYNC_API_URL", "SENDKIT_API_URL"], help="Address of the API; https, off loopback.")
@flag("--api-key-file", metavar="FILE", help="File that holds the API key; default: the variable SENDKIT_API_KEY.")
@flag("--no-color", is_flag=True, help="No colours; NO_COLOR does the same.")
@flag("-v", "--verbose", count=True, help="Say more on stderr; -vv says most.")
@flag("--log-format", type=click.Choice(["text", "json"]), default="text", help="Form of the log on stderr.")
@click.pass_context
def cli(
    ctx: click.Context, api_url: str | None, api_key_file: str | None, no_color: bool, verbose: int, log_format: str
) -> None:
    """Webhooks as code for SendKit: plan the difference, create each webhook once, keep every secret."""
    from .wiring import DEFAULT_API_URL, Context

    set_up(verbose, log_format)
    colour = not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
    ctx.obj = Context((api_url or DEFAULT_API_URL).rstrip("/"), api_key_file, colour, verbose, log_format)


def main() -> NoReturn:
    """Run the command line and leave with the exit code of the contract."""
    set_up_process()
    code = run(sys.argv[1:])
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    if _stdout_is_broken():
        os._exit(code)
    sys.exit(code)


def _stdout_is_broken() -> bool:
    """Tell whether flushing stdout fails: then the interpreter must not try again while it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def run(arguments: list[str], commands: click.Group = cli) -> int:
    """Run one of `commands`, print any error to stderr, and return the exit code."""
    REDACTOR.add_environment(os.environ)
    try:
        result: Any = commands.main(arguments, prog_name="sendkit-sync", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        return _fail(_usage_text(error), ExitCode.USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", ExitCode.INTERRUPTED)
    except ConfigError as error:
        return _config_failure(error)
    except SyncError as error:
        return _fail(f"{error}\n  {error.hint}" if error.hint else str(error), error.exit_code)
    except BrokenPipeError:
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback could show what its values hold
        return _fail(f"unexpected {type(error).__name__}; nothing is lost: what was recorded stays recorded", ExitCode.FAILED)
    return int(result or 0)


def _usage_text(error: click.UsageError) -> str:
    """Return click's message, but for a bad environment value only the variable's name: the value may be a secret."""
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if isinstance(parameter, click.Option) and error.ctx is not None and parameter.name is not None:
        named = parameter.envvar or []
        variables: list[str] = [named] if isinstance(named, str) else list(named)
        given = [name for name in variables if name and os.environ.get(name)]
        if given and not any(word.split("=")[0] in parameter.opts for word in sys.argv):
            return f"the value of {given[0]} does not fit {parameter.opts[-1]}"
    return error.format_message()


def _config_failure(error: ConfigError) -> int:
    from ..render.problems import problems_text

    plain = problems_text(error.diagnostics, colour=False, excerpts=False)
    if event("error", message=REDACTOR.clean(plain), exit_code=int(error.exit_code)):
        return error.exit_code
    on_terminal = sys.stderr.isatty()
    colour = on_terminal and not os.environ.get("NO_COLOR")
    sys.stderr.write(REDACTOR.clean(problems_text(error.diagnostics, colour=colour, excerpts=on_terminal)))
    return error.exit_code


def _fail(text: str, code: ExitCode) -> int:
    if event("error", message=printable(REDACTOR.clean(text), 1000), exit_code=int(code)):
        return code
    with contextlib.suppress(OSError):
        lines = [printable(line, 1000) for line in REDACTOR.clean(text).splitlines()]
        sys.stderr.write("error: " + "\n".join(lines) + "\n")
    return code
