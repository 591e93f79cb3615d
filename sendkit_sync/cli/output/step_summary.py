"""The step summary of a GitHub job."""

from __future__ import annotations

import os
from pathlib import Path

from ...core.errors import ErrorCode, StateIOError, UsageError
from ...core.files import append_file

VARIABLE = "GITHUB_STEP_SUMMARY"
HINT = "Use --step-summary only in a GitHub job, where the runner provides the file."


def append(markdown: str) -> None:
    """Append `markdown` to the file named by the variable.

    Raises `UsageError` if the variable is not set, and `StateIOError` if the file cannot be written.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        raise UsageError(ErrorCode.VARIABLE_MISSING, f"{VARIABLE} is not set", hint=HINT)
    try:
        # Without an empty line in between, Markdown after HTML becomes part of the HTML.
        empty = not Path(named).exists() or Path(named).stat().st_size == 0
        append_file(named, (markdown if empty else f"\n{markdown}").encode(), private=False)
    except OSError as error:
        raise StateIOError(
            ErrorCode.SUMMARY_NOT_WRITTEN, f"the step summary cannot be written: {error.strerror}", where=named, hint=HINT
        ) from error
