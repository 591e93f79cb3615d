"""Flags, and the environment variables that set them.

`SENDKIT_SYNC_<COMMAND>_<FLAG>` sets a flag of one command. `SENDKIT_SYNC_<FLAG>` sets it for all commands that have it and
accept the value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import click

PREFIX = "SENDKIT_SYNC"
OWN_ONLY = {"yes", "force", "prune", "allow-duplicate"}
"""Flags that, outside `apply` and `reconcile`, only the variable of their command sets."""

WITHOUT_SHARED = ("secret", "state")
"""Groups whose flags only the variable of their command sets, except for `EVERYWHERE`."""

EVERYWHERE = {"config", "state", "timeout", "retry-for", "lock-timeout"}
"""Flags that mean the same in every command."""


class Option(click.Option):
    """A flag with its variables. The variable of a repeatable flag has one value per line.

    `also`: further variables, of lower precedence.
    """

    def __init__(self, *args: Any, also: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.also = also

    @property
    def flag(self) -> str:
        """The name of the flag without leading dashes."""
        return next(name for name in self.opts if name.startswith("--")).removeprefix("--")

    def variables(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """Return the variables that set the flag for the command at `path`, in order of precedence."""
        own = _variable(*path, self.flag)
        shared = (_variable(self.flag),) if self.is_shared(path) and path else ()
        return (own, *shared, *self.also)

    def is_shared(self, path: tuple[str, ...]) -> bool:
        """Return whether `SENDKIT_SYNC_<FLAG>` sets the flag for the command at `path`."""
        if path[:1] in [(group,) for group in WITHOUT_SHARED]:
            return self.flag in EVERYWHERE
        return self.flag not in OWN_ONLY or path in [("apply",), ("reconcile",)]

    def accepts(self, value: str) -> bool:
        """Return whether the flag accepts `value`; for a repeatable flag, each line of it."""
        try:
            for one in value.splitlines() if self.multiple else [value]:
                self.type.convert(one, self, None)
        except click.BadParameter:
            return False
        return True

    def variable(self, ctx: click.Context) -> str | None:
        """Return the variable that sets the flag, or None."""
        path = path_of(ctx)
        for variable in self.variables(path):
            value = os.environ.get(variable)
            if value and not (variable == _variable(self.flag) and path and self._is_for_others(ctx, value)):
                return variable
        return None

    def _is_for_others(self, ctx: click.Context, value: str) -> bool:
        """Return whether the shared `value` is only accepted by this flag of another command."""
        if self.accepts(value):
            return False
        root = ctx.find_root()
        others = (
            option for path, option in flags_of(root.command, root) if option.flag == self.flag and option.is_shared(path)
        )
        return any(option.accepts(value) for option in others)

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable that applies, or None."""
        variable = self.variable(ctx)
        return None if variable is None else os.environ[variable]

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return the value, which is never split at spaces."""
        if not self.multiple:
            return super().value_from_envvar(ctx)
        value = self.resolve_envvar_value(ctx)
        return None if value is None else [line for line in value.splitlines() if line.strip()]


def _variable(*words: str) -> str:
    return "_".join((PREFIX, *words)).replace("-", "_").upper()


def path_of(ctx: click.Context) -> tuple[str, ...]:
    """Return the names of the command and its groups, without the name of the program."""
    return () if ctx.parent is None else (*path_of(ctx.parent), ctx.info_name or "")


def flags_of(
    command: click.Command, ctx: click.Context, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Option]]:
    """Yield the flags of `command` and all commands below it, each with the path of its command."""
    yield from ((path, option) for option in command.params if isinstance(option, Option) and not option.hidden)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            if inner is not None:
                yield from flags_of(inner, ctx, (*path, name))


def flag(*names: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a click option that environment variables can set."""
    return click.option(*names, cls=Option, show_default="default" in settings, **settings)
