"""Problems with their place in a file. `render` prints them."""

from __future__ import annotations

import json
import re
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


_SHAPELESS = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that nobody sees although `str.isprintable` says so."""

_UNSAFE = re.compile(
    rf"{_SHAPELESS.pattern}|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    r"|\x1b(?!\[[0-9;]*m)"
)
"""Control, bidirectional and invisible characters; line breaks, tabs and colours are the output's own."""

_COMMAND = re.compile(r"#(?=#\w*\[)|^[^\S\n]*:(?=:)", re.MULTILINE)
"""The first character of what a CI runner obeys: `##[...]` anywhere in a line, `::...::` at its start."""


def is_visible(char: str) -> bool:
    """Return whether a reader sees that there is this character."""
    return char.isprintable() and not _SHAPELESS.match(char)


def printable(text: str, limit: int = 120) -> str:
    """Return `text` on one line and inert, cut after `limit` characters.

    Control, bidirectional and invisible characters are escaped, and so is what a CI runner would obey.
    """
    head = text[:limit]
    if not head.isprintable() or _SHAPELESS.search(head):
        head = "".join(char if is_visible(char) else _escaped(char) for char in head)
    return _without_commands(head) + ("..." if len(text) > limit else "")


def inert(text: str) -> str:
    """Return an output of several lines in which nothing hides, and nothing commands a CI runner."""
    return _without_commands(_UNSAFE.sub(lambda found: _escaped(found[0]), text))


def inert_json(text: str) -> str:
    """Return JSON of the same value in which nothing hides, and nothing commands a CI runner; `##` stands in texts only."""
    if not text.isascii():
        text = _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text.replace("##", "#\\u0023")


def _without_commands(text: str) -> str:
    if "##" not in text and "::" not in text:
        return text
    return _COMMAND.sub(lambda found: f"{found[0][:-1]}\\x{ord(found[0][-1]):02x}", text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
