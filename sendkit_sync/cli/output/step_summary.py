"""The page that a GitHub job shows when it is done."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import ErrorCode, StateIOError, UsageError

VARIABLE = "GITHUB_STEP_SUMMARY"
HINT = "Use --step-summary in a job on GitHub only: the runner makes the file."


def append(markdown: str) -> None:
    """Append `markdown` to the file that the variable names.

    Raises `UsageError` where the variable is not set, `StateIOError` where the file cannot be written.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        raise UsageError(ErrorCode.VARIABLE_MISSING, f"{VARIABLE} is not set", hint=HINT)
    try:
        with Path(named).open("a", encoding="utf-8") as file:
            # Without an empty line between, Markdown that follows HTML is a part of it.
            file.write(f"\n{markdown}" if file.tell() else markdown)
    except OSError as error:
        raise StateIOError(
            ErrorCode.SUMMARY_NOT_WRITTEN, f"the step summary cannot be written: {error.strerror}", where=named, hint=HINT
        ) from error
