"""Takes out each safeguard in a copy of the package, and shows that its case fails then.

Usage: python tests/reliability/mutants.py [--write | WORD...]

With --write, it only writes their table into docs/reliability.md. With words, only the safeguards that have one of
them in their name are taken out. Exit code 0: every case failed without its
safeguard; 1: a safeguard can be taken out and nobody notices; 2: a case does not even pass with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import page
from safeguards import SAFEGUARDS, Safeguard, table

HOME = Path(__file__).resolve().parent.parent.parent
PARTS = ("sendkit_sync", "schemas", "sample-config", "tests", "docs", "README.md", "Dockerfile", "pyproject.toml")
PASSED, FAILED = 0, 1
TIMEOUT_S = 120


def copied(folder: Path) -> Path:
    """Copy all that the tests need into `folder`, and return it."""
    for part in PARTS:
        source = HOME / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    return folder


def mutate(folder: Path, safeguard: Safeguard) -> None:
    """Take a safeguard out of the package in `folder`."""
    for file, there, instead in safeguard.edits:
        path = folder / "sendkit_sync" / file
        text = path.read_text(encoding="utf-8")
        if text.count(there) != 1:
            raise SystemExit(f"{safeguard}: its text is {text.count(there)} times in {file}")
        path.write_text(text.replace(there, instead), encoding="utf-8")


def run(folder: Path, cases: Sequence[str]) -> tuple[int, str]:
    """Run the tests `cases` of the copy in `folder`; return pytest's exit code and what it said."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *cases]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"it did not end in {TIMEOUT_S} s"
    return done.returncode, done.stdout + done.stderr


def without(safeguard: Safeguard) -> tuple[Safeguard, int, str]:
    """Run the case of a safeguard without it."""
    with tempfile.TemporaryDirectory() as place:
        folder = copied(Path(place))
        mutate(folder, safeguard)
        return safeguard, *run(folder, ["-x", safeguard.case])


def all_pass(chosen: Sequence[Safeguard]) -> bool:
    """Tell whether the cases pass, and none is skipped, with all safeguards in their place."""
    with tempfile.TemporaryDirectory() as place:
        code, said = run(copied(Path(place)), sorted({safeguard.case for safeguard in chosen}))
    if code != PASSED or "skipped" in said.splitlines()[-1]:
        print(said)
        return False
    return True


def main(words: Sequence[str]) -> int:
    if words == ["--write"]:
        page.write("safeguards", table())
        return 0
    began = time.monotonic()
    chosen = [one for one in SAFEGUARDS if not words or any(word in one.name for word in words)]
    if not all_pass(chosen):
        print("a case does not pass, or is skipped, although its safeguard is there")
        return 2
    survivors = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for safeguard, code, said in pool.map(without, chosen):
            noticed = code == FAILED
            survivors += not noticed
            print(f"{'noticed ' if noticed else 'SURVIVED'}  {safeguard}", flush=True)
            if not noticed:
                print(said)
    print(f"{len(chosen)} safeguards taken out, {len(chosen) - survivors} noticed, in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
