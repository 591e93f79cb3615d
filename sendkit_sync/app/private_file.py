"""Files for secrets: mode 0600, whole or not there, and never through a link to somewhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..core.errors import ErrorCode, RefusedError, StateIOError

MODE = 0o600
HINT = "Nothing was written there. Name another file with --output."
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def replace_private(path: str, text: str) -> None:
    """Put a file with `text` in the place of what is at `path`. Raises `RefusedError` where that is no plain file."""
    temporary = Path(f"{path}.tmp{os.getpid()}")
    try:
        _check_plain(path)
        with os.fdopen(os.open(temporary, _WRITE | os.O_EXCL, MODE), "wb") as file:
            try:
                file.write(_bytes(text))
                file.flush()
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise _failed(path, error) from error


def append_private(path: str, text: str) -> None:
    """Add `text` to the file at `path`, made if need be. Raises `RefusedError` where that is no plain file."""
    try:
        _check_plain(path)
        with os.fdopen(os.open(path, _WRITE | os.O_APPEND, MODE), "wb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise _not_plain(path)
            if found.st_uid == os.geteuid():
                os.fchmod(file.fileno(), MODE)
            file.write(_bytes(text))
    except OSError as error:
        raise _failed(path, error) from error


def _check_plain(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise _not_plain(path)


def _not_plain(path: str) -> RefusedError:
    return RefusedError(
        ErrorCode.OUTPUT_NOT_A_FILE,
        "secrets are written to a plain file only, no link, folder or device",
        where=path,
        hint=HINT,
    )


def _failed(path: str, error: OSError) -> StateIOError:
    return StateIOError(
        ErrorCode.SECRETS_NOT_WRITTEN, f"the secrets cannot be written: {error.strerror}", where=path, hint=HINT
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
