"""`status`: the health of every webhook."""

from __future__ import annotations

import click

from ...app.context import Context, Source
from ...app.status import StatusRequest, exit_code, status
from ...planning.status import Problem, Status
from ..options import BRIEF_CALLS, NO_LIST, PLACE, as_command, choice, colour, duration, switch, value
from ..output.streams import show

FORMS = ("text", "json", "html")


class Problems(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """One or several values of `Problem`, with commas between them."""

    name = "problems"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Problem, ...]:
        """Return the problems; the message of a bad value names those that there are."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        if not words or not set(words) <= set(Problem):
            raise click.BadParameter(f"write one or several of {', '.join(Problem)}, with commas", ctx, param)
        return tuple(Problem(word) for word in words)


FAIL_HELP = (
    "Exit with code 1 if a webhook has one of these problems: inactive, drift, unresolved, missing. Separate several "
    "with commas. `drift` is a change or a deletion outside; `missing`, a webhook that is not in SendKit, or one whose "
    "secret is not recorded."
)


@as_command(
    "status",
    *PLACE,
    choice(*FORMS, default="text"),
    value("--fail-on", "PROBLEMS", FAIL_HELP, type=Problems()),
    switch("--watch", "Refresh the table on the terminal until you press Ctrl-C. Needs the extra `watch`."),
    duration("--interval", "30s", "How often --watch refreshes."),
    *BRIEF_CALLS,
    NO_LIST,
)
def command(
    context: Context, /, source: Source, form: str, fail_on: tuple[Problem, ...] | None, watch: bool, interval_s: float
) -> int:
    """Show the health of every webhook: in sync or not, active or not, and its deliveries as SendKit counts them.

    Sends GET requests only. Without an API key, it shows what the state records.
    """
    request = StatusRequest(source, fail_on or ())
    if watch:
        from ..output.watching import watching

        return watching(context, request, form=form, interval_s=interval_s)
    found = status(context, request)
    show(shown(found, form, colour=colour()))
    if form != "text":
        _warn_of_unread(context, found)
    return exit_code(found, request)


def shown(found: Status, form: str, *, colour: bool = False) -> str:
    """Return the status in one of `FORMS`; `colour` is for text on a terminal."""
    match form:
        case "json":
            from ...render.json import dump
            from ...render.status_json import status_document

            return dump(status_document(found))
        case "html":
            from ...render.status_html import status_html

            return status_html(found)
    from ...render.status_text import status_text

    return status_text(found, colour=colour)


def _warn_of_unread(context: Context, found: Status) -> None:
    """Say on stderr, too, what nobody sees there who wrote the status to a file."""
    from ...render.status_words import unread_text

    for workspace in found.workspaces:
        if workspace.unread is not None:
            context.warn(unread_text(workspace.unread), workspace.unread.hint)
