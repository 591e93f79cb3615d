"""The page that a GitHub job shows when it is done."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import ErrorCode, StateIOError, UsageError
from ...core.files import append_file

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
        # Without an empty line between, Markdown that follows HTML is a part of it.
        empty = not Path(named).exists() or Path(named).stat().st_size == 0
        append_file(named, (markdown if empty else f"\n{markdown}").encode(), private=False)
    except OSError as error:
        raise StateIOError(
            ErrorCode.SUMMARY_NOT_WRITTEN, f"the step summary cannot be written: {error.strerror}", where=named, hint=HINT
        ) from error
