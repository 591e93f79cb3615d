"""`simulator`: the SendKit API on loopback."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from ...core.errors import ErrorCode, UsageError
from ...simulator import Fault, Simulator
from ..flags import flag
from ..options import Duration, as_command
from ..output.streams import tell
from ..signals import stopping


@as_command("simulator")
@flag("--port", type=click.IntRange(0, 65535), default=8787, help="Port on 127.0.0.1. 0 picks a free one.")
@flag(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help='Inject a fault, such as "POST /v1/webhooks nth=2 when=after kind=drop". Can be repeated.',
)
@flag("--latency", type=Duration(), default="0s", help="Delay before each response.")
@flag("--mask-secrets", is_flag=True, help="Mask secrets in responses to reads, as SendKit may do.")
@flag("--no-list", is_flag=True, help="Simulate an API without the list endpoint.")
@flag("--log-file", metavar="FILE", help="Append one JSON line per request to FILE.")
def command(
    port: int, faults: tuple[str, ...], latency: float, mask_secrets: bool, no_list: bool, log_file: str | None
) -> None:
    """Serve a simulated SendKit API on loopback, to try things out.

    Accepts any API key that starts with `sk_`.
    """
    try:
        parsed = [Fault.parse(text) for text in faults]
    except ValueError as error:
        raise UsageError(
            ErrorCode.FAULT_INVALID, str(error), hint='For example: --fault "POST /v1/webhooks nth=2 when=after kind=drop"'
        ) from error
    try:
        ready = Simulator(
            port=port,
            faults=parsed,
            latency_s=latency,
            mask_secrets=mask_secrets,
            list_enabled=not no_list,
            log_path=Path(log_file) if log_file else None,
        )
    except OSError as error:
        what = f"the simulator cannot start: {error.strerror or type(error).__name__}"
        raise UsageError(
            ErrorCode.SIMULATOR_FAILED, what, hint="Pass --port 0 to use a free port, or a --log-file in an existing folder."
        ) from error
    stop = threading.Event()
    with stopping(stop, told=""), ready as simulator:
        tell(f"SendKit simulator on {simulator.url} (stop it with Ctrl-C)\n")
        stop.wait()
