"""Waits for what a test is about, not for a time."""

from __future__ import annotations

import signal
import textwrap
import time
from collections.abc import Callable

SIGNALLED = """\
import gc, os
from sendkit_sync.applying.throttle import StopReason
os.kill(os.getpid(), {number})
for one in gc.get_objects():
    if type(one) is StopReason:
        assert one.stop.wait(30)
"""
"""Sends the process a signal, and waits until its run has heard of it."""


def terminated(killer: str) -> str:
    """Return the program `killer` with SIGTERM, and the wait until its run has heard of it, in the place of SIGKILL."""
    deed = textwrap.indent(SIGNALLED.format(number=int(signal.SIGTERM)), " " * 8)
    program = killer.replace("        os.kill(os.getpid(), signal.SIGKILL)\n", deed)
    assert program != killer
    return program


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds, for 30 seconds at most."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.01)
