"""`plan`: the dry run."""

from __future__ import annotations

import threading

import click

from ...core.diagnostics import printable
from ...core.errors import ErrorCode, ExitCode, InvalidError, UsageError
from ...planning.plan import Plan
from ...planning.scope import PlanScope
from ...state import read_state
from ..git_guard import warn_of_git
from ..options import config_flag, flag, prune_flag, refresh_flag, retry_flag, state_flag, target_flag, timeout_flag
from ..output.messages import say, say_warnings
from ..wiring import Calls, Context, plan_of, read_config, refuse_clear_writes


@click.command("plan")
@config_flag
@state_flag
@refresh_flag
@prune_flag
@target_flag
@flag("--out", metavar="FILE", help="Save the plan to FILE for `apply --plan FILE`. It contains no secrets.")
@flag("--detailed-exitcode", is_flag=True, help="Exit with code 2 if changes are pending.")
@flag("--format", "form", type=click.Choice(["text", "json", "markdown", "html"]), default="text", help="Output format.")
@flag("--step-summary", is_flag=True, help="Append the plan as Markdown to the file named by GITHUB_STEP_SUMMARY.")
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context,
    /,
    configs: tuple[str, ...],
    state_path: str | None,
    refresh: bool,
    prune: bool,
    targets: tuple[str, ...],
    out: str | None,
    detailed_exitcode: bool,
    step_summary: bool,
    form: str,
    timeout: float,
    retry_for: float,
) -> int:
    """Show what apply would do. Changes nothing.

    Works offline unless --refresh is given. Never writes the state, and never sends anything but GET.
    """
    config = read_config(configs, state_path)
    path = state_path or config.state_path
    say_warnings(config)
    options = PlanScope(prune, targets)
    state = read_state(path)
    warn_of_git(config, state, path)
    try:
        refuse_clear_writes(config, state, path)
    except InvalidError as error:
        say(f"warning: {error}\n  {error.hint}")
    plan = plan_of(config, state, context, path, options)
    check_targets(plan)
    if refresh:
        from ..session import look

        live = look(context, config, state, Calls(timeout, retry_for), threading.Event())
        plan = plan_of(config, state, context, path, options, live)
    if out is not None:
        from ...app.saved_plan import save

        save(out, plan, refresh=refresh, prune=prune)
    if step_summary:
        from ..output.step_summary import append

        append(shown(plan, "markdown", colour=False))
    click.echo(shown(plan, form, context.colour), nl=False)
    return ExitCode.CHANGES_PENDING if detailed_exitcode and plan.pending else ExitCode.DONE


def check_targets(plan: Plan) -> None:
    """Raise `UsageError` where a --target matches nothing, so that a slip does not pass for "no changes"."""
    if plan.idle_targets:
        first = printable(plan.idle_targets[0])
        raise UsageError(
            ErrorCode.TARGET_MATCHES_NOTHING,
            f'--target "{first}" matches no webhook',
            hint="Use a name of the config or the state; * stands for any text.",
        )


def shown(plan: Plan, form: str, colour: bool) -> str:
    """Return the plan in one of the forms of `--format`."""
    if form == "json":
        from ...render.json import dump, plan_document

        return dump(plan_document(plan))
    if form == "markdown":
        from ...render.markdown import plan_markdown

        return plan_markdown(plan)
    if form == "html":
        from ...render.html import plan_html

        return plan_html(plan)
    from ...render.text import plan_text

    return plan_text(plan, colour=colour)
