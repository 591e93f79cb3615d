"""Finds and reads the config files. A file that cannot be read becomes a problem of that file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ..core.diagnostics import printable
from .problems import File
from .schema import check_schema
from .yaml_events import Refused, read_yaml

MAX_BYTES = 64 * 1024 * 1024
STDIN = "-"
ENDS = (".yaml", ".yml")
_GLOB = frozenset("*?[")


def read_files(paths: Sequence[str]) -> list[File]:
    """Return the files at `paths`, each once and checked against the schema.

    A path is a file, a folder (its *.yaml and *.yml), a glob, or `-` for standard input. The files of a folder or a glob are
    sorted. Names that start with a dot are skipped, because editors and other tools use them.
    """
    files: list[File] = []
    seen: set[Path] = set()
    for given in paths:
        try:
            for path in _found(given):
                if (real := path.resolve()) not in seen:
                    seen.add(real)
                    files.append(File(path, "<stdin>" if str(path) == STDIN else printable(str(path), 1000)))
                    _read(files[-1])
        except _NothingError as error:
            files.append(_unusable(given, str(error)))
        except (OSError, RuntimeError, ValueError) as error:
            files.append(_unusable(given, f"cannot be read: {_reason(error)}"))
    return files


class _NothingError(Exception):
    """A folder or a glob matches no config file."""


def _found(given: str) -> Iterator[Path]:
    path = Path(given)
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix in ENDS and not one.name.startswith("."))
        kind = "folder contains no *.yaml or *.yml"
    elif _GLOB.isdisjoint(given) or path.exists():
        yield path
        return
    else:
        from glob import glob

        found = sorted(Path(one) for one in glob(given, recursive=True))  # noqa: PTH207 - Path.glob yields hidden names too
        kind = "pattern matches no file"
    files = [one for one in found if not one.is_dir()]
    if not files:
        raise _NothingError(f"the {kind}")
    yield from files


def _unusable(given: str, message: str) -> File:
    file = File(Path(given), printable(given, 1000))
    file.add((1, 1), message)
    return file


def _read(file: File) -> None:
    try:
        with _opened(file) as stream:
            file.regular = str(file.path) != STDIN and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
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


def _opened(file: File) -> BinaryIO:
    if str(file.path) == STDIN:
        return open(0, "rb", closefd=False)
    return open(file.path, "rb", opener=_without_waiting)


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without blocking. A named pipe without a writer reads as empty."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    return descriptor


def _reason(error: Exception) -> str:
    reason = printable(getattr(error, "strerror", None) or "not a usable path")
    return (
        f"{reason}; name another one with -c, or create it with `sendkit-sync init`"
        if isinstance(error, FileNotFoundError)
        else reason
    )
