"""System calls on files with their errors turned into the project's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ErrorCode, StateIOError

HINT = "What was recorded is safe. See that file and folder can be read and written, then run it again."


@contextmanager
def io_errors(where: str, what: str) -> Iterator[None]:
    """Turn an `OSError` into a `StateIOError`."""
    try:
        yield
    except OSError as error:
        raise StateIOError(
            ErrorCode.FILE_IO, f"{what}: {error.strerror or type(error).__name__}", where=where, hint=HINT
        ) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however short the single writes are."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if count <= 0:
            raise OSError(5, "nothing was written")
        view = view[count:]
