"""Files: regular ones only, never through a link in the way, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ErrorCode, StateIOError

PRIVATE = 0o600
"""The mode of a file that may hold secrets."""

HINT = "Nothing that was recorded is lost. Make the file and its folder readable and writable, then run the command again."
REGULAR_HINT = "Remove it, or name another file. Nothing was read from it or written to it."

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not wait for its other end
_IN_THE_WAY = (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR)


class NotRegularError(OSError):
    """There is a link, a folder, a FIFO or a device where only a regular file may be."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EINVAL, "not a regular file", path)


@contextmanager
def io_errors(where: str, what: str) -> Iterator[None]:
    """Convert an `OSError` to a `StateIOError`."""
    try:
        yield
    except OSError as error:
        hint = REGULAR_HINT if isinstance(error, NotRegularError) else HINT
        text = f"{what}: {error.strerror or type(error).__name__}"
        raise StateIOError(ErrorCode.FILE_IO, text, where=where, hint=hint) from error


def check_regular(path: str) -> None:
    """Raise `NotRegularError` where there is anything but a regular file at `path`; nothing there is fine."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularError(path)


def open_regular(path: str, flags: int, *, follow: bool = False) -> int:
    """Open a regular file, a new one with mode 0600, and return its descriptor; `follow` allows a link to one.

    Raises `NotRegularError` where there is anything else.
    """
    try:
        descriptor = os.open(path, flags | _ALWAYS | (0 if follow else _NO_FOLLOW), PRIVATE)
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise NotRegularError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(path)
    return descriptor


def read_regular(path: str, limit_bytes: int, *, follow: bool = False) -> bytes:
    """Return the content of a regular file; raises `NotRegularError`, or `OSError` where it is larger than the limit."""
    with os.fdopen(open_regular(path, os.O_RDONLY, follow=follow), "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size > limit_bytes:
            raise OSError(errno.EFBIG, f"larger than {limit_bytes >> 20} MiB", path)
        return file.readall()


def write_new(path: str, data: bytes, mode: int = PRIVATE) -> None:
    """Write `data`, durable, to a new file in the place of whatever is at `path`, which is not followed."""
    Path(path).unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ALWAYS | _NO_FOLLOW, mode)
    try:
        if mode != PRIVATE:
            # Whatever the umask is. Some shares have no modes: then the file has the share's.
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, mode)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: str, data: bytes, mode: int = PRIVATE) -> None:
    """Put a durable file with `data` in the place of a regular file at `path`, as a whole or not at all.

    Raises `NotRegularError` where there is anything else.
    """
    check_regular(path)
    temporary = f"{path}.tmp{os.getpid()}"
    try:
        write_new(temporary, data, mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(str(Path(path).parent))


def create_file(path: str, data: bytes) -> None:
    """Write `data` to a file that is not there yet, with the mode that the umask leaves; raises `FileExistsError`."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ALWAYS | _NO_FOLLOW, 0o666), "wb") as file:
        file.write(data)


def append_file(path: str, data: bytes, *, private: bool) -> None:
    """Add `data` to a regular file, which is made if need be; a `private` one has mode 0600 before anything is written.

    Raises `NotRegularError` where there is anything else.
    """
    descriptor = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        if private and os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, PRIVATE)
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


def sync_folder(path: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many writes as it takes."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view)
        if count <= 0:
            raise OSError(5, "nothing was written")
        view = view[count:]
