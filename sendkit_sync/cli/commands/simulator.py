"""`simulator`: the SendKit API on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...app.context import Context
from ...core.errors import ErrorCode, UsageError
from ...simulator import Fault, Simulator
from ..flags import flag
from ..options import as_command, duration, repeatable, switch, value
from ..output.messages import show_done
from ..signals import stopping

EXAMPLE = '"POST /v1/webhooks nth=2 when=after kind=drop"'


@as_command(
    "simulator",
    flag("--port", type=click.IntRange(0, 65535), default=8787, help="Port on 127.0.0.1. 0 picks a free one."),
    repeatable("--fault", "faults", "FAULT", f"Inject a fault, such as {EXAMPLE}."),
    duration("--latency", "0s", "Delay before each response."),
    switch("--mask-secrets", "Mask secrets in responses to reads, as SendKit may do."),
    switch("--no-list", "Simulate an API without the list endpoint."),
    value("--log-file", "FILE", "Append one JSON line per request to FILE."),
)
def command(context: Context, /, faults: tuple[str, ...], no_list: bool, log_file: str | None, **settings: Any) -> None:
    """Serve a simulated SendKit API on loopback, to try things out.

    Accepts any API key that starts with `sk_`.
    """
    try:
        parsed = [Fault.parse(text) for text in faults]
    except ValueError as error:
        raise UsageError(ErrorCode.FAULT_INVALID, str(error), hint=f"For example: --fault {EXAMPLE}") from error
    try:
        log = Path(log_file) if log_file else None
        ready = Simulator(faults=parsed, list_enabled=not no_list, log_path=log, **settings)
    except OSError as error:
        what = f"the simulator cannot start: {error.strerror or type(error).__name__}"
        raise UsageError(
            ErrorCode.SIMULATOR_FAILED, what, hint="Pass --port 0 to use a free port, or a --log-file in an existing folder."
        ) from error
    with stopping(context.stop, message=""), ready as simulator:
        show_done(f"SendKit simulator on {simulator.url} (stop it with Ctrl-C)\n")
        context.stop.wait()
