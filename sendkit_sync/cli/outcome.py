"""What a run came to, as every command that applies tells it: lines for people, a JSON document, an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..applying.preflight import POSSIBLE_DUPLICATE
from ..applying.results import Report, Result, Status
from ..core.errors import ExitCode
from ..core.model import ActionKind
from ..core.redaction import REDACTOR
from .output.messages import say

ALWAYS = {"created": ActionKind.CREATE, "updated": ActionKind.UPDATE, "deleted": ActionKind.DELETE}
WHERE_ANY = {"adopted": ActionKind.ADOPT, "forgotten": ActionKind.FORGET}
FEW = 5
"""How many changes that were not attempted get a line each."""


def say_findings(report: Report) -> None:
    """Print what the run warns of."""
    for warning in report.warnings:
        say(f"warning: {warning}")
    for twin in report.duplicates:
        say(f"warning: live webhook {twin} doubles one that this run made, and is not recorded; delete it in SendKit")


def say_failure(result: Result) -> None:
    """Print why an action is not done; nothing for one that is."""
    if result.failure is not None:
        say(f'{_word(result)}: {result.kind} "{result.name}": {result.failure.message}')


def say_failures(results: Sequence[Result]) -> None:
    """Print why actions are not done; many that were not attempted for one reason are one line."""
    why = Counter(one.failure.message for one in results if one.status is Status.NOT_ATTEMPTED and one.failure is not None)
    for result in results:
        many = result.status is Status.NOT_ATTEMPTED and result.failure is not None and why[result.failure.message] > FEW
        if not many:
            say_failure(result)
    for message, count in why.items():
        if count > FEW:
            say(f"not attempted: {count} changes: {message}")


def _word(result: Result) -> str:
    """Return what a result that is not done came to, in the words of the plan."""
    if result.failure is not None and result.failure.code == POSSIBLE_DUPLICATE:
        return "blocked"
    return result.status.replace("_", " ")


def counts(report: Report) -> str:
    """Return how many actions came to what, as "2 created, 0 updated, 0 deleted, 1 failed".

    What is rare stands there only where there is any.
    """
    always = {word: report.count(Status.DONE, kind) for word, kind in ALWAYS.items()}
    rare = {word: report.count(Status.DONE, kind) for word, kind in WHERE_ANY.items()}
    rare |= Counter(_word(one) for one in report.results if one.status is not Status.DONE)
    told = always | {word: count for word, count in rare.items() if count}
    return ", ".join(f"{count} {word}" for word, count in told.items())


def document(report: Report) -> dict[str, object]:
    """Return the JSON document of an apply."""
    done = {kind: report.count(Status.DONE, kind) for kind in ActionKind}
    return {
        "format_version": "1.0",
        "summary": {
            "created": done[ActionKind.CREATE],
            "updated": done[ActionKind.UPDATE],
            "adopted": done[ActionKind.ADOPT],
            "deleted": done[ActionKind.DELETE],
            "forgotten": done[ActionKind.FORGET],
            "failed": report.count(Status.FAILED),
            "unresolved": report.count(Status.UNRESOLVED),
            "not_attempted": report.count(Status.NOT_ATTEMPTED),
        },
        "results": [
            {
                "action": str(result.kind),
                "name": result.name,
                "id": result.id,
                "status": str(result.status),
                "error": result.failure and {"code": result.failure.code, "message": REDACTOR.clean(result.failure.message)},
            }
            for result in report.results
        ],
    }


def exit_code(report: Report) -> ExitCode:
    """Return the exit code of a run, the first that fits."""
    if report.interrupted:
        return ExitCode.INTERRUPTED
    if report.key_refused:
        return ExitCode.KEY_REFUSED
    touched = report.changed + report.count(Status.UNRESOLVED) + sum(bool(result.id) for result in report.results)
    if report.unreachable and not touched:
        return ExitCode.UNREACHABLE
    bad = report.count(Status.FAILED) + report.count(Status.UNRESOLVED) + report.count(Status.NOT_ATTEMPTED)
    return ExitCode.FAILED if bad or report.duplicates else ExitCode.DONE
