"""Flags that several commands share, the type of durations, and how commands call use cases."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from .completion import recorded_names
from .flags import flag
from .settings import Command, Settings

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_OF_CALLS = ("timeout_s", "retry_for_s", "without_list")
_OF_RUNS = ("parallelism", "settle_s", "resend_after_s", "allow_duplicate")

Parameter = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A flag or an argument, as click puts it onto a function."""


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A duration such as `500ms`, `10s`, `2m` or `1h`. Its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds. The error message does not repeat an invalid value."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(value))
        if found is None:
            self.fail("write a duration such as 500ms, 10s or 2m", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


def as_command(
    name: str, *parameters: Parameter, group: click.Group | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command with these flags and arguments, of `group` if given.

    The function gets a `Context`, then the flags by name; in place of those that they are made from a `Source`, a
    `PlanScope` and `RunSettings`, under the names that requests have for them.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        made: Callable[..., Any] = _with_context(function)
        for parameter in reversed(parameters):
            made = parameter(made)
        return (click.command if group is None else group.command)(name, cls=Command)(made)

    return decorate


def _with_context(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.pass_obj
    @functools.wraps(function)
    def run(settings: Settings, /, **flags: Any) -> Any:
        from ..app.context import Context, Source
        from .output.console import console

        if "configs" in flags:
            flags["source"] = Source(flags.pop("configs"), flags.pop("state_path", None))
        if "targets" in flags:
            from ..planning.scope import PlanScope

            flags["scope"] = PlanScope(flags.pop("prune"), flags.pop("targets"))
        if "parallelism" in flags:
            from ..applying.settings import RunSettings

            flags["settings"] = RunSettings(**{each: flags.pop(each) for each in _OF_RUNS})
        calls = {each: flags.pop(each) for each in _OF_CALLS if each in flags}
        url = settings.api_url.rstrip("/") if settings.api_url else None
        strict_ca = not settings.no_strict_ca
        context = Context(url, api_key_file=settings.api_key_file, strict_ca=strict_ca, observer=console, **calls)
        return function(context, **flags)

    return run


def colour() -> bool:
    """Return whether text on stdout is colored."""
    settings = click.get_current_context().obj
    return isinstance(settings, Settings) and settings.colour


def verbose() -> bool:
    """Return whether -v was given: then text leaves nothing out."""
    settings = click.get_current_context().obj
    return isinstance(settings, Settings) and settings.verbose > 0


def switch(name: str, text: str) -> Parameter:
    """Return a flag without a value."""
    return flag(name, is_flag=True, help=text)


def value(name: str, metavar: str, text: str, **settings: Any) -> Parameter:
    """Return a flag with a value; `dest` is the name of that value where it is not the flag's."""
    names = (name, settings.pop("dest")) if "dest" in settings else (name,)
    return flag(*names, metavar=metavar, help=text, **settings)


def repeatable(name: str, field: str, metavar: str, text: str, **settings: Any) -> Parameter:
    """Return a flag that may be given several times; `field` is the name of its values."""
    return flag(name, field, multiple=True, metavar=metavar, help=f"{text} Can be repeated.", **settings)


def duration(name: str, default: str, text: str) -> Parameter:
    """Return a flag whose value is a duration, in seconds under its name with `_s`."""
    return flag(name, f"{name.strip('-').replace('-', '_')}_s", type=Duration(), default=default, help=text)


def choice(*forms: str, **settings: Any) -> Parameter:
    """Return the flag --format; its value is named `form`."""
    return flag("--format", "form", type=click.Choice(forms), help="Output format.", **settings)


NAME = click.argument("name", shell_complete=recorded_names)
"""The name of a recorded webhook."""

_CONFIG_HELP = "Config file, or folder with *.yaml and *.yml files. Can be repeated. Default: webhooks.yaml."
_STATE_HELP = (
    "State: a path, or a URL (postgresql://, s3://, gs://, az://). Default: `state` in the config, else "
    "sendkit.state.json next to the first config file."
)
CONFIG = flag("-c", "--config", "configs", multiple=True, metavar="PATH", help=_CONFIG_HELP)
STATE = flag("--state", "state_path", metavar="ADDRESS", help=_STATE_HELP)
PLACE = (CONFIG, STATE)
"""Where config and state are."""

LOCK = duration("--lock-timeout", "0s", "How long to wait if another run holds the lock.")
LOCKED = (*PLACE, LOCK)
"""The flags of a command that changes the state."""

TIMEOUT = duration("--timeout", "30s", "Time limit for one API call, including reading the response.")
_RETRY_HELP = "How long to retry a call that is known not to have reached the API."
_NO_LIST_HELP = "The server cannot list webhooks. Without this flag, a 404 for the list means a wrong --api-url."
NO_LIST = flag("--no-list", "without_list", is_flag=True, help=_NO_LIST_HELP)
CALLS = (TIMEOUT, duration("--retry-for", "2m", _RETRY_HELP))
"""How the API is called."""

BRIEF_CALLS = (TIMEOUT, duration("--retry-for", "10s", _RETRY_HELP))
"""The same for a command that a person waits for, and that has something to show without the API too."""

YES = switch("--yes", "Do not ask. Required without a terminal.")
PRUNE = switch("--prune", "Delete orphans: recorded webhooks that are no longer in the config.")
TARGET = repeatable("--target", "targets", "NAME", "Only plan webhooks with this name. * matches any text.")
MAX_CHANGES = flag("--max-changes", type=click.IntRange(0), metavar="N", help="Refuse a plan with more than N changes.")
RUN = (
    switch("--force", "Allow deleting or re-creating more than 30% of the recorded webhooks in one run."),
    switch("--allow-duplicate", "Create the webhook even if a live one looks like a duplicate."),
    flag("--parallelism", type=click.IntRange(1, 64), default=4, help="Maximum number of concurrent API calls."),
    LOCK,
    duration("--settle", "10s", "How long to look in the live list for a create whose outcome is unknown."),
    duration("--resend-after", "5m", "How long to wait before an unresolved create may be sent again."),
    *CALLS,
    NO_LIST,
)
"""How a run carries out its plan."""
