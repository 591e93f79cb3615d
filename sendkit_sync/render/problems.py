"""Renders the problems of a config as text, as JSON and as GitHub workflow commands."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..core.diagnostics import Diagnostic, Severity, inert_json, printable
from .text import painter


def problems_text(diagnostics: Iterable[Diagnostic], *, colour: bool, excerpts: bool) -> str:
    """Return `FILE:LINE:COLUMN: error: message` lines; with `excerpts`, the line and a caret under each."""
    paint = painter(colour)
    lines = []
    for item in diagnostics:
        tint = "red" if item.severity is Severity.ERROR else "yellow"
        place = f"{printable(item.span.file, 4096)}:{item.span.line}:{item.span.column}"
        lines.append(f"{place}: {paint(f'{item.severity}:', tint)} {item.message}")
        if excerpts and item.excerpt is not None:
            lines += [f"  {item.excerpt}", "  " + " " * item.caret + paint("^", tint)]
    return "".join(line + "\n" for line in lines)


def problems_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return a JSON document with all problems, without excerpts."""
    problems = [
        {
            "severity": str(item.severity),
            "file": item.span.file,
            "line": item.span.line,
            "column": item.span.column,
            "message": item.message,
        }
        for item in diagnostics
    ]
    return inert_json(json.dumps({"format_version": "1.0", "problems": problems}, indent=2)) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def problems_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Return a GitHub Actions workflow command for each problem."""
    return "".join(
        f"::{item.severity} file={_property(item.span.file)},line={item.span.line},col={item.span.column}"
        f"::{_data(item.message)}\n"
        for item in diagnostics
    )
