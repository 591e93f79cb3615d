"""Runs whole processes, and says how long each took, what it cost the processor, and its most memory."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

BIN = Path(sys.executable).parent
PYTHON = str(BIN / "python")
TOOL = str(BIN / "sendkit-sync")


@dataclass(frozen=True, slots=True)
class Run:
    """One process from its start to its end: seconds by the clock, seconds of the processor, peak memory in KiB."""

    wall_s: float
    cpu_s: float
    peak_kib: int


def run(words: Sequence[str], folder: Path, variables: dict[str, str] | None = None, code: int = 0) -> Run:
    """Run a program to its end; an exit code other than `code` ends the benchmark."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SENDKIT", "PYTHON", "CI"))}
    with (folder / "stderr").open("wb") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=folder, env=kept | (variables or {}), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        sys.exit(f"{' '.join(words)} ended with {process.returncode}:\n{(folder / 'stderr').read_text(errors='replace')}")
    # A child counts the memory that its parent had when it was made as its own.
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 48 * 1024:
        sys.exit("the benchmark itself has grown too large to measure the memory of others")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


@contextmanager
def service(latency_s: float, state: Path | None = None) -> Iterator[str]:
    """Serve the simulator in a process of its own; give its address. A bare client waits `latency_s` for each answer."""
    late_s = 0.0
    if latency_s:
        with _serving(latency_s, None) as address:
            late_s = median(_round_trips_s(address)) - latency_s
    with _serving(latency_s - late_s, state) as address:
        yield address


@contextmanager
def _serving(latency_s: float, state: Path | None) -> Iterator[str]:
    words = [PYTHON, str(Path(__file__).with_name("service.py")), str(latency_s), *([str(state)] if state else [])]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait()


def _round_trips_s(address: str) -> Iterator[float]:
    """Yield how long some calls take that cost the client as good as nothing."""
    where = urlsplit(address)
    with socket.create_connection((where.hostname, where.port)) as connection:
        for _ in range(20):
            began = time.perf_counter()
            connection.sendall(b"GET /v1/webhooks HTTP/1.1\r\n\r\n")
            connection.recv(65536)
            yield time.perf_counter() - began


@dataclass(slots=True)
class Series:
    """Programs that are measured side by side: every round runs each of them once, in turn."""

    programs: dict[str, Callable[[], Run]]
    rounds: list[dict[str, Run]] = field(default_factory=list)

    def measure(self, count: int) -> None:
        """Run one round to warm up, and `count` that are kept; every other one in the opposite order."""
        for number in range(-1, count):
            names = list(self.programs)
            if number % 2:
                names.reverse()
            one = {name: self.programs[name]() for name in names}
            if number >= 0:
                self.rounds.append(one)

    def middle(self, ratio: Callable[[dict[str, float]], float], of: str) -> float:
        """Return the median of what `ratio` makes of each round; `of` is the field of `Run` that it is about."""
        return median(ratio({name: getattr(run, of) for name, run in one.items()}) for one in self.rounds)
