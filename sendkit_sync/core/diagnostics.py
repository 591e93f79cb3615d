"""Places in files and what is wrong there; how they are printed is the business of `render`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file: `line` and `column` count from 1; `file` is the path as the user wrote it."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How bad a diagnostic is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem at one place.

    `message` is a single line of printable text: whatever comes from a file is escaped by `printable`. `excerpt`
    is the line of the file, printable and shortened, and None where there is none or where it holds a secret;
    `caret` is the offset of the place in it, from 0.
    """

    severity: Severity
    span: Span
    message: str
    excerpt: str | None = None
    caret: int = 0

    def __str__(self) -> str:
        return f"{self.span}: {self.severity}: {self.message}"


def printable(text: str, limit: int = 120) -> str:
    """Return `text` with control, bidirectional and other unprintable characters escaped, cut after `limit` characters."""
    head = text[:limit]
    if not head.isprintable():
        head = "".join(
            char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii") for char in head
        )
    return head + "..." if len(text) > limit else head
