"""The result of a run in words: how many actions were done, and why the others were not."""

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
"""How many changes that were not attempted get a line each."""


def note_failure(result: Result) -> None:
    """Print why an action is not done; nothing for one that is."""
    if result.failure is not None:
        note(f'{_word(result)}: {result.kind} "{result.name}": {result.failure.message}')


def note_failures(results: Sequence[Result]) -> None:
    """Print why actions are not done; many that were not attempted for one reason are one line."""
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
    """Return how many actions came to what, as "2 created, 0 updated, 0 deleted, 1 failed".

    What is rare stands there only where there is any.
    """
    always = {word: report.count(Status.DONE, kind) for word, kind in ALWAYS.items()}
    rare = {word: report.count(Status.DONE, kind) for word, kind in WHERE_ANY.items()}
    rare |= Counter(_word(one) for one in report.results if one.status is not Status.DONE)
    shown = always | {word: count for word, count in rare.items() if count}
    return ", ".join(f"{count} {word}" for word, count in shown.items())


def _word(result: Result) -> str:
    """Return what a result that is not done came to, in the words of the plan."""
    if result.failure is not None and result.failure.code is FailureCode.POSSIBLE_DUPLICATE:
        return "blocked"
    return result.status.replace("_", " ")
