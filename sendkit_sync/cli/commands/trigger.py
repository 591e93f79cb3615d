"""`trigger`: signs a delivery here, so that a receiver can be tested without SendKit."""

from __future__ import annotations

from typing import Any

from ...app.context import Context
from ...app.trigger import EVENT, MAX_BODY, Answer, Triggered, TriggerRequest, trigger
from ...core.diagnostics import printable
from ...core.errors import ExitCode
from ..asking import ask
from ..options import NAME, PLACE, TIMEOUT, YES, as_command, choice, switch, value
from ..output.messages import note
from ..output.streams import show
from ..reading import read_input


@as_command(
    "trigger",
    NAME,
    value("--to", "URL", "The receiver.", dest="url", required=True),
    value("--event", "EVENT", "The event that the delivery names.", default=EVENT),
    value("--data", "FILE", "Send FILE as the body; - reads standard input. Default: an invented sample.", dest="data"),
    switch("--staged", "Sign with the staged secret, to check it before it is activated."),
    YES,
    choice("text", "json", default="text"),
    *PLACE,
    TIMEOUT,
)
def command(context: Context, /, data: str | None, yes: bool, form: str, **request: Any) -> int:
    """Sign a delivery here and send it to a receiver, without SendKit.

    Sends it twice, the second time with a wrong signature. Fails unless the receiver accepts the first (2xx) and refuses the
    second. Asks before it sends anything to another machine.
    """
    body = None if data is None else read_input(data, MAX_BODY)
    if body is None:
        note("The body is a sample that sendkit-sync invented. SendKit's own may look different.")
    result = trigger(context, TriggerRequest(body=body, **request), lambda question: yes or ask(question))
    show(_json(result) if form == "json" else _text(result))
    return ExitCode.DONE if result.verifies else ExitCode.FAILED


def _text(result: Triggered) -> str:
    if not result.right.accepted:
        advice = "The receiver does not accept a delivery that is signed with this secret."
    elif result.wrong.accepted:
        advice = "The receiver accepts a wrong signature: it does not verify deliveries."
    else:
        advice = "The receiver verifies deliveries." if result.verifies else "The receiver did not answer both."
    return f"right signature  {_answer(result.right)}\nwrong signature  {_answer(result.wrong)}\n{advice}\n"


def _answer(answer: Answer) -> str:
    if answer.status is None:
        return f"no answer: {printable(answer.error or '')}"
    return f"{'accepted' if answer.accepted else 'refused':8}  status {answer.status}, {answer.duration_s * 1000:.0f} ms"


def _json(result: Triggered) -> str:
    from ...render.json import dump

    answers = {
        name: {
            "accepted": one.accepted,
            "status": one.status,
            "duration_ms": round(one.duration_s * 1000),
            "error": one.error,
        }
        for name, one in (("right_signature", result.right), ("wrong_signature", result.wrong))
    }
    return dump({"format_version": "1.0", "verifies": result.verifies, **answers})
