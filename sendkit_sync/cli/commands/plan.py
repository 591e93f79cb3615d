"""`plan`: the dry run."""

from __future__ import annotations

from typing import Any

from ...app.context import Context
from ...app.plan import PlanRequest, plan
from ...core.errors import ErrorCode, ExitCode
from ...planning.limits import refusals
from ..flags import flag
from ..options import CALLS, MAX_CHANGES, NO_LIST, PLACE, PRUNE, TARGET, as_command, choice, colour, switch, verbose
from ..output.messages import warn
from ..output.plans import FORMS, shown
from ..output.streams import show

TOO_MANY = ErrorCode.TOO_MANY_CHANGES.value
REFRESH_HELP = "Also read the live webhooks from SendKit and report drift. Read-only: sends GET requests only."


@as_command(
    "plan",
    *PLACE,
    switch("--refresh", REFRESH_HELP),
    PRUNE,
    TARGET,
    flag("--out", metavar="FILE", help="Save the plan to FILE for `apply --plan FILE`. It contains no secrets."),
    switch("--detailed-exitcode", "Exit with code 2 if changes are pending, with 1 if apply would refuse some."),
    MAX_CHANGES,
    choice(*FORMS, default="text"),
    switch("--step-summary", "Append the plan as Markdown to the file named by GITHUB_STEP_SUMMARY."),
    *CALLS,
    NO_LIST,
)
def command(
    context: Context, /, detailed_exitcode: bool, step_summary: bool, form: str, max_changes: int | None, **request: Any
) -> int:
    """Show what apply would do. Changes nothing.

    Works offline unless --refresh is given. Never writes the state, and never sends anything but GET.
    """
    made = plan(context, PlanRequest(**request))
    if step_summary:
        from ..output.step_summary import append

        append(shown(made, "markdown"))
    show(shown(made, form, colour=colour(), whole=verbose(), max_changes=max_changes))
    refused = refusals(made, max_changes=max_changes)
    if form != "json":
        for one in (one for one in refused if one.code == TOO_MANY):
            warn(one.message, "`reconcile --max-changes` would refuse this plan.")
    if not detailed_exitcode:
        return ExitCode.DONE
    return ExitCode.FAILED if refused else ExitCode.CHANGES_PENDING if made.pending else ExitCode.DONE
