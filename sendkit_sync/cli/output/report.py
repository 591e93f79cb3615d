"""The result of a run in words: the number of actions done, and why others were not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...applying.results import Report, Result, Status
from ...core.model import ActionKind
from ...core.outcomes import FailureCode
from .messages import note

ALWAYS = {"created": ActionKind.CREATE, "updated": ActionKind.UPDATE, "deleted": ActionKind.DELETE}
WHERE_ANY = {"adopted": ActionKind.ADOPT, "forgotten": ActionKind.FORGET}
FEW = 5
"""Up to this number, each change that was not attempted gets its own line."""


def note_failure(result: Result) -> None:
    """Print why an action was not done, if it was not."""
    if result.failure is not None:
        note(f'{_word(result)}: {result.kind} "{result.name}": {result.failure.message}')


def note_failures(results: Sequence[Result]) -> None:
    """Print why actions were not done. Many that were not attempted for the same reason share a line."""
    reasons = Counter(one.failure.message for one in results if one.status is Status.NOT_ATTEMPTED and one.failure is not None)
    for result in results:
        failure = result.failure
        many = result.status is Status.NOT_ATTEMPTED and failure is not None and reasons[failure.message] > FEW
        if not many:
            note_failure(result)
    for message, count in reasons.items():
        if count > FEW:
            note(f"not attempted: {count} changes: {message}")


def counts(report: Report) -> str:
    """Return the number of actions by result, such as "2 created, 0 updated, 0 deleted, 1 failed".

    Rare results are only listed if there are any.
    """
    always = {word: report.count(Status.DONE, kind) for word, kind in ALWAYS.items()}
    rare = {word: report.count(Status.DONE, kind) for word, kind in WHERE_ANY.items()}
    rare |= Counter(_word(one) for one in report.results if one.status is not Status.DONE)
    shown = always | {word: count for word, count in rare.items() if count}
    return ", ".join(f"{count} {word}" for word, count in shown.items())


def _word(result: Result) -> str:
    """Return the word for a result that is not done."""
    if result.failure is not None and result.failure.code is FailureCode.POSSIBLE_DUPLICATE:
        return "blocked"
    return result.status.replace("_", " ")
