"""The global flags, which work before and after the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from .flags import Option

ROWS: tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...] = (
    (("--api-url",), {"also": ("SENDKIT_API_URL",), "help": "API base URL. Must use https, except on loopback."}),
    (
        ("--api-key-file",),
        {"metavar": "FILE", "help": "File with the API key. Default: the environment variable SENDKIT_API_KEY."},
    ),
    (
        ("--no-strict-ca",),
        {
            "is_flag": True,
            "help": "Accept CA certificates that only Python 3.13's strict checks reject. Certificates are still verified.",
        },
    ),
    (("--no-color",), {"is_flag": True, "help": "Turn off colors. The environment variable NO_COLOR does the same."}),
    (("-v", "--verbose"), {"count": True, "help": "Log each step to stderr. -vv also logs each API call."}),
    (
        ("--log-format",),
        {
            "type": click.Choice(["text", "json"]),
            "default": "text",
            "show_default": True,
            "help": "Log format on stderr. `json` writes one object per line.",
        },
    ),
)


class Settings(NamedTuple):
    """The values of the global flags. Not a dataclass, because `--help` should not import that module."""

    api_url: str | None = None
    api_key_file: str | None = None
    no_color: bool = False
    verbose: int = 0
    log_format: str = "text"
    no_strict_ca: bool = False

    @property
    def colour(self) -> bool:
        """Whether text on stdout is colored."""
        if self.no_color or os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()

    def log(self) -> Settings:
        """Set up the log according to the flags."""
        from .output.logs import set_up

        set_up(self.verbose, self.log_format)
        return self


def global_flags() -> list[click.Parameter]:
    """Return the global flags."""
    return [Option(names, **row) for names, row in ROWS]


def _take(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    name = parameter.name
    if name is not None and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and isinstance(ctx.obj, Settings):
        given = value + ctx.obj.verbose if name == "verbose" else value
        ctx.obj = ctx.obj._replace(**{name: given}).log()


class _AfterTheCommand(Option):
    """A global flag after the command. Variables have already set it before the command."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return None


_AFTER: list[click.Parameter] = [
    _AfterTheCommand(names, **{**row, "hidden": True, "expose_value": False, "is_eager": True, "callback": _take})
    for names, row in ROWS
]


class Command(click.Command):
    """A command that also accepts the global flags, without repeating them in its help."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the flags of the command and the global ones."""
        return [*super().get_params(ctx), *_AFTER]
