"""Measures the tool against floors and prints a table of ratios; `make bench` runs it, in a `.venv` of its own.

Usage: run.py [ROUNDS [PART...]]
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path

import rows
from rows import Row

PARTS: dict[str, tuple[Callable[[Path], list[Row]], float]] = {
    "start-up": (rows.start_up, 3.0),
    "plans": (rows.large_plans, 1.0),
    "growth": (rows.growing_plans, 1.0),
    "network": (rows.network, 0.5),
    "creates": (rows.creates, 0.5),
}
"""Each part with its rows, and with how many times the rounds it is measured."""


HEAD = "| measured | baseline | ratio | limit | | wall-clock ratio | seconds |\n| --- | --- | --- | --- | --- | --- | --- |\n"


def main(words: list[str]) -> int:
    rounds = int(words[0]) if words else 10
    sys.stdout.write(
        f"{os.cpu_count()} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()}\n"
    )
    sys.stdout.write("\n" + HEAD)
    missed = 0
    began = time.monotonic()
    for part in words[1:] or PARTS:
        make, times = PARTS[part]
        with tempfile.TemporaryDirectory(prefix="sendkit-bench-") as home:
            found = make(Path(home))
            for series in {id(row.series): row.series for row in found}.values():
                series.measure(max(1, round(rounds * times)))
        missed += sum(not show(row) for row in found)
    sys.stdout.write(f"\n{missed} missed, {rounds} rounds, {time.monotonic() - began:.0f} s\n")
    return 1 if missed else 0


def show(row: Row) -> bool:
    """Print a row; return whether its limit holds."""
    ratio = row.series.middle(row.ratio, row.of)
    holds = ratio <= row.limit
    clock = "" if row.of == "peak_kib" else f"{row.series.middle(row.ratio, 'wall_s'):.2f}"
    seconds = ", ".join(f"{row.series.middle(itemgetter(name), 'wall_s'):.3f}" for name in row.shown)
    mark = "holds" if holds else "**MISSED**"
    sys.stdout.write(f"| {row.what} | {row.against} | {ratio:.2f} | {row.limit:g} | {mark} | {clock} | {seconds} |\n")
    sys.stdout.flush()
    return holds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
