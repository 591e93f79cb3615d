"""Problems with their place in a file. `render` prints them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file. `line` and `column` start at 1; `file` is the path as the user wrote it."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """The severity of a problem."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem at one place.

    `message` is one line of printable text; text from a file is escaped with `printable`. `excerpt` is the line of the file,
    printable and shortened; None if there is none or it contains a secret. `caret` is the offset of the place in it, from 0.
    """

    severity: Severity
    span: Span
    message: str
    excerpt: str | None = None
    caret: int = 0

    def __str__(self) -> str:
        return f"{self.span}: {self.severity}: {self.message}"


def printable(text: str, limit: int = 120) -> str:
    """Return `text` with unprintable characters (control, bidirectional, ...) escaped, cut after `limit` characters."""
    head = text[:limit]
    if not head.isprintable():
        head = "".join(
            char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii") for char in head
        )
    return head + "..." if len(text) > limit else head
