"""`plan`: the dry run."""

from __future__ import annotations

from typing import Any

from ...app.context import Context
from ...app.plan import PlanRequest, plan
from ...core.errors import ExitCode
from ..flags import flag
from ..options import CALLS, NO_LIST, PLACE, PRUNE, TARGET, as_command, choice, colour, switch
from ..output.plans import FORMS, shown
from ..output.streams import show

REFRESH_HELP = "Also read the live webhooks from SendKit and report drift. Read-only: sends GET requests only."


@as_command(
    "plan",
    *PLACE,
    switch("--refresh", REFRESH_HELP),
    PRUNE,
    TARGET,
    flag("--out", metavar="FILE", help="Save the plan to FILE for `apply --plan FILE`. It contains no secrets."),
    switch("--detailed-exitcode", "Exit with code 2 if changes are pending."),
    choice(*FORMS, default="text"),
    switch("--step-summary", "Append the plan as Markdown to the file named by GITHUB_STEP_SUMMARY."),
    *CALLS,
    NO_LIST,
)
def command(context: Context, /, detailed_exitcode: bool, step_summary: bool, form: str, **request: Any) -> int:
    """Show what apply would do. Changes nothing.

    Works offline unless --refresh is given. Never writes the state, and never sends anything but GET.
    """
    made = plan(context, PlanRequest(**request))
    if step_summary:
        from ..output.step_summary import append

        append(shown(made, "markdown"))
    show(shown(made, form, colour=colour()))
    return ExitCode.CHANGES_PENDING if detailed_exitcode and made.pending else ExitCode.DONE
