"""Finds the config files and reads them; what cannot be read is a problem of its file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..core.diagnostics import printable
from .problems import File
from .schema import check_schema
from .yaml_events import Refused, read_yaml

MAX_BYTES = 64 * 1024 * 1024


def read_files(paths: Sequence[str]) -> list[File]:
    """Return the files at `paths`, each once, checked against the schema; a folder means its *.yaml and *.yml, sorted."""
    files: list[File] = []
    seen: set[Path] = set()
    for given in paths:
        path = Path(given)
        try:
            found = [path]
            if path.is_dir():
                found = sorted(one for one in path.iterdir() if one.suffix in {".yaml", ".yml"} and not one.is_dir())
                if not found:
                    files.append(_unusable(given, "the folder holds no *.yaml and no *.yml"))
            for one in found:
                if (real := one.resolve()) not in seen:
                    seen.add(real)
                    files.append(File(one, printable(str(one), 1000)))
                    _read(files[-1])
        except (OSError, RuntimeError, ValueError) as error:
            files.append(_unusable(given, f"cannot be read: {_reason(error)}"))
    return files


def _unusable(given: str, message: str) -> File:
    file = File(Path(given), printable(given, 1000))
    file.add((1, 1), message)
    return file


def _read(file: File) -> None:
    try:
        with open(file.path, "rb", opener=_without_waiting) as stream:
            file.data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        file.add((1, 1), f"cannot be read: {_reason(error)}")
        return
    if len(file.data) > MAX_BYTES:
        file.data = b""
        file.add((1, 1), "larger than 64 MiB")
        return
    try:
        file.document = read_yaml(file.data)
    except Refused as refused:
        file.problems.append(refused.problem)
        return
    file.problems += file.document.problems
    file.problems += check_schema(file.document.root)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe that nobody writes to is an empty one, in place of a wait for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    return descriptor


def _reason(error: Exception) -> str:
    reason = printable(getattr(error, "strerror", None) or "not a usable path")
    return f"{reason}; -c names another, `sendkit-sync init` starts one" if isinstance(error, FileNotFoundError) else reason
