"""Flags that several commands share, the type of durations, and how commands call use cases."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import click

from .flags import flag
from .settings import Command, Settings

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_CALLS = ("timeout_s", "retry_for_s")


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


def as_command(name: str, group: click.Group | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command, of `group` if given."""
    make = click.command if group is None else group.command
    return make(name, cls=Command)


def use_case(function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass a `Context` to `function` and, if it has --config, a `Source`, instead of the flags they are made from."""

    @click.pass_obj
    @functools.wraps(function)
    def run(settings: Settings, /, **flags: Any) -> Any:
        from ..app.context import DEFAULT_API_URL, Context, Source
        from .output.console import console

        if "configs" in flags:
            flags["source"] = Source(flags.pop("configs"), flags.pop("state_path", None))
        calls = {name: flags.pop(name) for name in _CALLS if name in flags}
        url = (settings.api_url or DEFAULT_API_URL).rstrip("/")
        return function(Context(url, api_key_file=settings.api_key_file, observer=console, **calls), **flags)

    return run


def colour() -> bool:
    """Return whether text on stdout is colored."""
    settings = click.get_current_context().obj
    return isinstance(settings, Settings) and settings.colour


config_flag = flag(
    "-c",
    "--config",
    "configs",
    multiple=True,
    metavar="PATH",
    everywhere=True,
    help="Config file, or folder with *.yaml and *.yml files. Can be repeated. Default: webhooks.yaml.",
)
state_flag = flag(
    "--state",
    "state_path",
    metavar="ADDRESS",
    help="State: a path, or a URL (postgresql://, s3://, gs://, az://). Default: `state` in the config, else "
    "sendkit.state.json next to the first config file.",
    everywhere=True,
)
timeout_flag = flag(
    "--timeout",
    "timeout_s",
    type=Duration(),
    default="30s",
    everywhere=True,
    help="Time limit for one API call, including reading the response.",
)


def _retry_flag(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return flag(
        "--retry-for",
        "retry_for_s",
        type=Duration(),
        default=default,
        everywhere=True,
        help="How long to retry a call that is known not to have reached the API.",
    )


retry_flag = _retry_flag("2m")
brief_retry_flag = _retry_flag("10s")
"""For a command that a person waits for, and that has something to show without the API too."""

refresh_flag = flag(
    "--refresh",
    is_flag=True,
    help="Also read the live webhooks from SendKit and report drift. Read-only: sends GET requests only.",
)
prune_flag = flag("--prune", is_flag=True, help="Delete orphans: recorded webhooks that are no longer in the config.")
target_flag = flag(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Only plan webhooks with this name. * matches any text. Can be repeated.",
)
force_flag = flag(
    "--force", is_flag=True, help="Allow deleting or re-creating more than 30% of the recorded webhooks in one run."
)
duplicate_flag = flag("--allow-duplicate", is_flag=True, help="Create the webhook even if a live one looks like a duplicate.")
parallelism_flag = flag("--parallelism", type=click.IntRange(1, 64), default=4, help="Maximum number of concurrent API calls.")
yes_flag = flag("--yes", is_flag=True, help="Do not ask. Required without a terminal.")
lock_flag = flag(
    "--lock-timeout",
    "lock_timeout_s",
    type=Duration(),
    default="0s",
    everywhere=True,
    help="How long to wait if another run holds the lock.",
)
settle_flag = flag(
    "--settle",
    "settle_s",
    type=Duration(),
    default="10s",
    help="How long to look in the live list for a create whose outcome is unknown.",
)
resend_flag = flag(
    "--resend-after",
    "resend_after_s",
    type=Duration(),
    default="5m",
    help="How long to wait before an unresolved create may be sent again.",
)
