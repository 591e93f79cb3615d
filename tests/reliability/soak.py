"""Runs the long part of the suite, for thirty minutes at most, and prints what came of it.

Usage: python tests/reliability/soak.py [--write] [SEED]

With the SEED that a run printed, the same schedules are driven and the same moments are drawn again. With --write, the
figures go into docs/reliability.md too.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import page

HOME = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 30 * 60
FIGURES = (
    ("schedules", "schedules of faults, edits and crashes"),
    ("runs", "runs in them"),
    ("crashes", "crashes in them"),
    ("kills", "processes killed"),
    ("failed_calls", "system calls failed"),
    ("webhooks", "webhooks made"),
    ("duplicates", "duplicates"),
    ("losses", "losses"),
)


def total(place: Path) -> Counter[str]:
    """Return the sums over all lines of a file of figures."""
    sums: Counter[str] = Counter()
    for line in place.read_text(encoding="utf-8").splitlines():
        sums.update(json.loads(line))
    return sums


def main(words: Sequence[str]) -> int:
    seed = next((word for word in words if word.isdigit()), str(secrets.randbelow(10**9)))
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "figures"
        place.touch()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-m", "soak", "tests/reliability"]
        environment = {**os.environ, "SOAK_FIGURES": str(place), "SOAK_SEED": seed}
        try:
            code = subprocess.run(command, cwd=HOME, env=environment, timeout=LIMIT_S, check=False).returncode
        except subprocess.TimeoutExpired:
            print(f"not done after {LIMIT_S // 60} minutes")
            code = 1
        sums = total(place)
    minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} minutes")
    for name, text in FIGURES:
        print(f"{sums[name]:9,}  {text}")
    failed = code != 0 or sums["duplicates"] + sums["losses"] > 0
    if "--write" in words and not failed:
        rows = "".join(f"| {text} | {sums[name]:,} |\n" for name, text in FIGURES)
        page.write("figures", f"\n| in {minutes:.1f} minutes, seed {seed} | |\n| --- | ---: |\n{rows}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
