"""An apply under strace, so that each of its system calls on the state can be killed or failed."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support.runs import INLINE, Runs

FEW = ["Anna", "Berta"]
WAYS = ("", ".tmp", ".backup", ".backup.tmp", ".journal", ".journal.tmp", ".lock")
with_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def strace(runs: Runs, *words: str) -> list[str]:
    """Return a command line that runs the command under strace, with the calls on the state's files traced."""
    state = runs.folder / "sendkit.state.json"
    paths = [word for way in WAYS for word in ("-P", f"{state}{way}")]
    log = ("-o", str(runs.folder / "trace"))
    return ["strace", "-f", "-qq", *log, *paths, "-P", str(runs.folder), *words, sys.executable, "-P", "-c", INLINE]


def calls_on_the_state(folder: Path, simulator: Simulator) -> list[tuple[str, int]]:
    """Apply once, and return the system calls that touch the state's files: the name of each, and the how-many-eth it is."""
    folder.mkdir()
    runs = Runs(folder, simulator, FEW)
    assert runs.end(runs.start(program=strace(runs))) == 0, runs.outputs
    counts: Counter[str] = Counter()
    calls = []
    for line in (folder / "trace").read_text().splitlines():
        found = re.match(r"\d+ +(\w+)\(", line)
        if found is not None:
            counts[found[1]] += 1
            calls.append((found[1], counts[found[1]]))
    assert {"openat", "write", "fsync", "fdatasync", "rename", "unlink", "flock", "ftruncate"} <= set(counts)
    return calls
