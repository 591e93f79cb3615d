"""Finds the config files and reads them; what cannot be read is a problem of its file."""

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

    A path is a file, a folder (its *.yaml and *.yml), a glob, or `-` for standard input. What a folder or a glob holds
    is sorted; a name that begins with a dot is left out, for editors and other tools keep files of their own there.
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
    """A folder or a glob holds no config file."""


def _found(given: str) -> Iterator[Path]:
    path = Path(given)
    if path.is_dir():
        found = sorted(one for one in path.iterdir() if one.suffix in ENDS and not one.name.startswith("."))
        kind = "folder holds no *.yaml and no *.yml"
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
    """Open a file; a named pipe that nobody writes to is an empty one, in place of a wait for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    return descriptor


def _reason(error: Exception) -> str:
    reason = printable(getattr(error, "strerror", None) or "not a usable path")
    return f"{reason}; -c names another, `sendkit-sync init` starts one" if isinstance(error, FileNotFoundError) else reason
