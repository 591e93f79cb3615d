"""Runs the test suite on each Python from 3.11 to 3.14 that is installed; `make test-all` calls it.

Looks for `python3.X` on PATH, then among pyenv's versions, and sets up an environment for each in build/. Exits with 1 if
the suite fails on any of them, or if none is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
HOME = Path(__file__).resolve().parent.parent


def candidates(version: str) -> Iterator[Path]:
    """Yield the places where Python `version` may be, the preferred one first."""
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def python(version: str) -> Path | None:
    """Return an interpreter of that version that runs, or None. A pyenv shim may exist without its version."""
    code = f"import sys; raise SystemExit('%d.%d' % sys.version_info[:2] != '{version}')"
    for path in candidates(version):
        if subprocess.run([path, "-c", code], capture_output=True, check=False).returncode == 0:
            return path
    return None


def passes(version: str, interpreter: Path) -> bool:
    """Run the suite in an environment of its own, and tell whether it passes."""
    print(f"== Python {version} ({interpreter})", flush=True)
    folder = HOME / "build" / f"python{version}"
    own = folder / "bin" / "python"
    steps = (
        [interpreter, "-m", "venv", folder],
        [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", ".[dev]"],
        [own, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *sys.argv[1:]],
    )
    return all(subprocess.run(step, cwd=HOME, check=False).returncode == 0 for step in steps)


def main() -> int:
    found = {version: python(version) for version in VERSIONS}
    results = {
        version: "not found" if path is None else "passed" if passes(version, path) else "FAILED"
        for version, path in found.items()
    }
    print("\n".join(f"Python {version}: {result}" for version, result in results.items()))
    return 0 if "FAILED" not in results.values() and "passed" in results.values() else 1


if __name__ == "__main__":
    sys.exit(main())
