"""Config files with their problems, and the conversion to diagnostics that show no secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..core.diagnostics import Diagnostic, Severity, Span, printable
from ..core.fields import KEYS
from ..core.model import Secret
from ..core.redaction import Redactor
from .checks import holds_credential
from .tree import Place
from .yaml_events import LINE_BREAK, Document, Problem, near_secret

MAX_DIAGNOSTICS = 1000

_KEY = re.compile(r"([\w-]+)[\"']?\s*:(?!//)")
_WIDTH = 160
_LONGEST = 2000
"""A longer line is not shown: nobody wrote it by hand, and searching it for secrets is slow."""
_SHOWN = [
    "version",
    "workspace",
    "state",
    "generateSecret",
    "defaults",
    "webhooks",
    "encryption",
    "age",
    "recipients",
    "name",
    "renamedFrom",
    "id",
    *KEYS,
]


@dataclass(slots=True)
class File:
    """A config file: its bytes, its parsed content, and the problems found so far.

    `shown` is the printable path. If it is not `regular`, such as a pipe, no other file can be stored next to it.
    """

    path: Path
    shown: str
    data: bytes = b""
    regular: bool = True
    document: Document = field(default_factory=Document)
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str, severity: Severity = Severity.ERROR) -> None:
        """Record a problem."""
        self.problems.append(Problem(place, message, severity))

    def span(self, place: Place) -> Span:
        """Return a place in this file."""
        return Span(self.shown, *place)


def diagnostics_of(files: Sequence[File], secrets: Collection[str]) -> list[Diagnostic]:
    """Return the problems of `files`, in order. After `MAX_DIAGNOSTICS`, only the number of the rest."""
    result: list[Diagnostic] = []
    total = 0
    last: Span | None = None
    redactor = Redactor(shortest=1)
    for secret in filter(None, secrets):
        redactor.add(Secret(secret))
    for file in files:
        # Aliases may report the same place many times.
        problems = sorted(dict.fromkeys(file.problems), key=lambda one: one.place)
        total += len(problems)
        room = MAX_DIAGNOSTICS - len(result)
        lines = LINE_BREAK.split(file.data.decode("utf-8", "replace").removeprefix("\ufeff")) if problems and room else []
        for problem in problems[:room]:
            last = file.span(problem.place)
            excerpt, caret = _excerpt(file, problem, lines, redactor)
            result.append(Diagnostic(problem.severity, last, problem.message + _hint(problem), excerpt, caret))
    if last is not None and total > len(result):
        left = [one for file in files for one in file.problems if one.severity is Severity.ERROR]
        severity = Severity.ERROR if left else Severity.WARNING
        result.append(Diagnostic(severity, last, f"{total - len(result)} more problems are not shown"))
    return result


def _hint(problem: Problem) -> str:
    """Return a hint with the closest known word, or an empty text."""
    from difflib import get_close_matches

    word, known = problem.misspelt or ("", ())
    near = get_close_matches(word[:100], known, 1, 0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


@lru_cache(maxsize=1024)
def _showable(key: str) -> bool:
    """Return whether a key is, or almost is, one whose value may be shown."""
    from difflib import get_close_matches

    return not near_secret(key) and bool(get_close_matches(key[:40], _SHOWN, 1, 0.6))


def _excerpt(file: File, problem: Problem, lines: list[str], redactor: Redactor) -> tuple[str | None, int]:
    line, column = problem.place
    if not 0 < line <= len(lines) or not lines[line - 1].strip() or line in file.document.secret_lines:
        return None, 0
    text = lines[line - 1]
    if len(text) > _LONGEST:
        return None, 0
    keys = _KEY.findall(text)
    # A URL with "@" may contain a password, and an unknown key may be a misspelled `secret`.
    if (
        holds_credential(text)
        or re.search("(?<!generate)sec|(?<!generateSe)cret", text, re.IGNORECASE)
        or not all(_showable(key) for key in keys)
    ):
        return None, 0
    # After a syntax error, a line without a key may continue a secret that started above it.
    if problem.syntax and not keys:
        return None, 0
    if redactor.holds(text):
        return None, 0
    start = 0 if column <= _WIDTH else column - _WIDTH // 2
    return printable(text[start:], _WIDTH), len(printable(text[start : column - 1], _WIDTH))
