"""`plan`: the dry run."""

from __future__ import annotations

import click

from ...app.context import Context, Source
from ...app.plan import PlanRequest, plan
from ...core.errors import ExitCode
from ...planning.scope import PlanScope
from ..flags import flag
from ..options import (
    as_command,
    colour,
    config_flag,
    prune_flag,
    refresh_flag,
    retry_flag,
    state_flag,
    target_flag,
    timeout_flag,
    use_case,
)
from ..output.plans import FORMS, shown
from ..output.streams import show


@as_command("plan")
@config_flag
@state_flag
@refresh_flag
@prune_flag
@target_flag
@flag("--out", metavar="FILE", help="Save the plan to FILE for `apply --plan FILE`. It contains no secrets.")
@flag("--detailed-exitcode", is_flag=True, help="Exit with code 2 if changes are pending.")
@flag("--format", "form", type=click.Choice(FORMS), default="text", help="Output format.")
@flag("--step-summary", is_flag=True, help="Append the plan as Markdown to the file named by GITHUB_STEP_SUMMARY.")
@timeout_flag
@retry_flag
@use_case
def command(
    context: Context,
    /,
    source: Source,
    refresh: bool,
    prune: bool,
    targets: tuple[str, ...],
    out: str | None,
    detailed_exitcode: bool,
    step_summary: bool,
    form: str,
) -> int:
    """Show what apply would do. Changes nothing.

    Works offline unless --refresh is given. Never writes the state, and never sends anything but GET.
    """
    made = plan(context, PlanRequest(source, PlanScope(prune, targets), refresh, out))
    if step_summary:
        from ..output.step_summary import append

        append(shown(made, "markdown"))
    show(shown(made, form, colour=colour()))
    return ExitCode.CHANGES_PENDING if detailed_exitcode and made.pending else ExitCode.DONE
