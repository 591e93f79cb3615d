"""The result of a run as a JSON document and as an exit code."""

from __future__ import annotations

from ..applying.results import Report, Status
from ..core.errors import ExitCode
from ..core.model import ActionKind
from ..core.redaction import REDACTOR
from ..render.deliveries import deliveries_document


def document(report: Report) -> dict[str, object]:
    """Return a document of `schemas/apply.schema.json`."""
    deliveries = {} if report.deliveries is None else {"deliveries": deliveries_document(report.deliveries)}
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
        **deliveries,
    }


def exit_code(report: Report) -> ExitCode:
    """Return the exit code of a run: the first that fits."""
    if report.interrupted:
        return ExitCode.INTERRUPTED
    if report.key_refused:
        return ExitCode.KEY_REFUSED
    touched = report.changed + report.count(Status.UNRESOLVED) + sum(bool(result.id) for result in report.results)
    if report.unreachable and not touched:
        return ExitCode.UNREACHABLE
    bad = report.count(Status.FAILED) + report.count(Status.UNRESOLVED) + report.count(Status.NOT_ATTEMPTED)
    bad += sum(not one.delivered for one in report.deliveries or ())
    return ExitCode.FAILED if bad or report.duplicates else ExitCode.DONE
