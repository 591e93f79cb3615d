"""The command `sendkit-sync`: its global flags and its commands."""

from __future__ import annotations

import gc
import importlib
import sys
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..version import __version__
from .groups import Group
from .output.streams import open_missing
from .process import set_up as set_up_process
from .settings import Settings, global_flags

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "validate": "Check the config files. Needs no API key and no network.",
    "plan": "Show what apply would do. Changes nothing.",
    "apply": "Make SendKit match the config.",
    "status": "Show the health of every webhook: in sync or not, active or not, and its deliveries as SendKit counts them.",
    "state": "Inspect and repair the state. Secrets stay masked.",
    "secret": "Stage, export, activate, rotate and retire signing secrets.",
    "import": "Start managing live webhooks. Changes nothing in SendKit.",
    "export": "Write the live webhooks as a config file, without secrets.",
    "test": "Have SendKit send a signed test delivery to a webhook.",
    "trigger": "Sign a delivery here and send it to a receiver, without SendKit.",
    "reconcile": "Run once, unattended: resolve, refresh, plan, apply. For schedulers.",
    "init": "Create a starter config and, on request, CI or scheduler files.",
    "simulator": "Serve a simulated SendKit API on loopback, to try things out.",
    "demo": "Run the whole workflow against the simulator.",
}


class LazyGroup(Group):
    """Imports the module of a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f".commands.{name}", __package__)
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that start with `incomplete`, without importing them; for a dash, the global flags."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return named + click.Command.shell_complete(self, ctx, incomplete)

    def helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return the commands with their short help texts, in the order of the help page."""
        return list(COMMANDS.items())


@click.group(cls=LazyGroup, params=global_flags(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sendkit-sync")
@click.pass_context
def cli(ctx: click.Context, /, **flags: Any) -> None:
    """Webhooks as code for SendKit: plan the difference, create each webhook once, keep every secret."""
    ctx.obj = Settings(**flags).log()


def main() -> NoReturn:
    """Run the command line and exit with its exit code."""
    open_missing()
    set_up_process()
    # A run creates many records and few cycles, so full collections would only go through all records repeatedly.
    gc.set_threshold(10_000, 50, 1000)
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt as error:  # a second one, while the first is reported
        from .output.failures import report_error

        code = report_error(error)
    gc.freeze()  # otherwise the interpreter searches for cycles once more at exit
    sys.exit(code)


def run(arguments: list[str], commands: click.Group = cli) -> int:
    """Run one of `commands`, print any error to stderr, and return the exit code."""
    try:
        result: Any = commands.main(arguments, prog_name="sendkit-sync", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - nothing may end in a traceback
        from .output.failures import report_error

        return report_error(error)
    return int(result or 0)
