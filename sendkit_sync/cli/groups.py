"""Command groups: their help page, and the error for an unknown command."""

from __future__ import annotations

import click


class Group(click.Group):
    """A group whose help page shows complete sentences, and that suggests the closest command for an unknown one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the called command. The error for an unknown one suggests the closest name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            from ..core.errors import ErrorCode, UsageError

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(
                ErrorCode.UNKNOWN_COMMAND, error.message, hint=f"{meant}To see all commands, run {ctx.command_path} --help."
            ) from error

    def helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return the commands with their short help texts, in order."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        return [(name, command.get_short_help_str(limit=1000)) for name, command in commands if command is not None]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their short help texts."""
        with formatter.section("Commands"):
            formatter.write_dl(self.helps(ctx))
