"""Writes files for secrets: mode 0600, complete or not at all, and never through a link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..core.errors import ErrorCode, RefusedError, StateIOError
from ..core.files import NotRegularError, append_file, replace_file

HINT = "Nothing was written. Name another file with --output."


def replace_private(path: str, text: str) -> None:
    """Replace the file at `path` with `text`. Raises `RefusedError` if it is not a regular file."""
    with _errors(path):
        replace_file(path, text.encode("utf-8", "surrogatepass"))


def append_private(path: str, text: str) -> None:
    """Append `text` to the file at `path`, or create it. Raises `RefusedError` if it is not a regular file."""
    with _errors(path):
        append_file(path, text.encode("utf-8", "surrogatepass"), private=True)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except NotRegularError as error:
        raise RefusedError(
            ErrorCode.OUTPUT_NOT_A_FILE,
            "secrets can only be written to a regular file, not to a link, a folder or a device",
            where=path,
            hint=HINT,
        ) from error
    except OSError as error:
        raise StateIOError(
            ErrorCode.SECRETS_NOT_WRITTEN, f"the secrets cannot be written: {error.strerror}", where=path, hint=HINT
        ) from error
