"""Reads a file that a command is given, or standard input."""

from __future__ import annotations

import sys

from ..core.errors import ErrorCode, UsageError
from ..core.files import io_errors, read_regular


def read_input(path: str, max_bytes: int) -> bytes:
    """Return the content of a file, or of standard input for `-`.

    Raises `UsageError` if it is larger than `max_bytes`, and `StateIOError` if it cannot be read or is no regular file.
    """
    if path != "-":
        with io_errors(path, "cannot read"):
            return read_regular(path, max_bytes, follow=True)
    raw = sys.stdin.buffer.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise UsageError(ErrorCode.INPUT_TOO_LARGE, f"standard input has more than {max_bytes} bytes", hint="Pass less.")
    return raw
