"""Test deliveries as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.diagnostics import printable
from ..core.outcomes import TestDelivery
from .json import dump


def deliveries_text(sent: Sequence[TestDelivery]) -> str:
    """Return a line for each test delivery: name, result, the receiver's status and the time."""
    width = max((len(printable(one.name, 64)) for one in sent), default=0)
    return "".join(f"{printable(one.name, 64):{width}}  {_result(one)}\n" for one in sent)


def _result(one: TestDelivery) -> str:
    if one.error is not None:
        return f"not tested     {printable(one.error)}"
    status = "no answer" if one.status is None else f"status {one.status}"
    return f"{'delivered' if one.delivered else 'not delivered':13}  {status}, {one.duration_s * 1000:.0f} ms"


def deliveries_document(sent: Sequence[TestDelivery]) -> list[dict[str, object]]:
    """Return the test deliveries as JSON data, as in `schemas/test.schema.json`."""
    return [
        {
            "name": one.name,
            "id": one.webhook_id or None,
            "delivered": one.delivered,
            "status": one.status,
            "duration_ms": round(one.duration_s * 1000),
            "error": one.error,
        }
        for one in sent
    ]


def deliveries_json(sent: Sequence[TestDelivery]) -> str:
    """Return a document of `schemas/test.schema.json`."""
    delivered = sum(one.delivered for one in sent)
    summary = {"delivered": delivered, "failed": len(sent) - delivered}
    return dump({"format_version": "1.0", "summary": summary, "deliveries": deliveries_document(sent)})
