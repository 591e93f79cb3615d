"""File operations whose errors become the project's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ErrorCode, StateIOError

HINT = "Nothing that was recorded is lost. Make the file and its folder readable and writable, then run the command again."


@contextmanager
def io_errors(where: str, what: str) -> Iterator[None]:
    """Convert an `OSError` to a `StateIOError`."""
    try:
        yield
    except OSError as error:
        raise StateIOError(
            ErrorCode.FILE_IO, f"{what}: {error.strerror or type(error).__name__}", where=where, hint=HINT
        ) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many writes as it takes."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if count <= 0:
            raise OSError(5, "nothing was written")
        view = view[count:]
