"""Flags that several commands share, and the type of durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A duration written `500ms`, `10s`, `2m` or `1h`; its value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds; the message of a bad value does not repeat it."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(value))
        if found is None:
            self.fail("a duration is written 500ms, 10s or 2m", param, ctx)
        return float(found[1]) * _UNITS_S[found[2]]


def flag(*names: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a click option that `SENDKIT_SYNC_<FLAG>` sets too."""
    long = next(name for name in names if name.startswith("--"))
    variable = "SENDKIT_SYNC_" + long.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_default="default" in settings, **settings)


config_flag = flag(
    "-c",
    "--config",
    "configs",
    multiple=True,
    metavar="PATH",
    help="Config file, or folder with *.yaml and *.yml files. Can be repeated. Default: webhooks.yaml.",
)
state_flag = flag(
    "--state",
    "state_path",
    metavar="ADDRESS",
    help="State: a path, or a URL (postgresql://, s3://, gs://, az://). Default: `state` in the config, else "
    "sendkit.state.json next to the first config file.",
)
timeout_flag = flag(
    "--timeout", type=Duration(), default="30s", help="Time limit for one API call, including reading the response."
)
retry_flag = flag(
    "--retry-for", type=Duration(), default="2m", help="How long to retry a call that is known not to have reached the API."
)
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
parallelism_flag = flag("--parallelism", type=click.IntRange(1, 64), default=4, help="Maximum number of concurrent API calls.")
lock_flag = flag("--lock-timeout", type=Duration(), default="0s", help="How long to wait if another run holds the lock.")
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
