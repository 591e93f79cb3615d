"""`plan`: the dry run."""

from __future__ import annotations

import click

from ..config import Config
from ..errors import ExitCode
from ..model import State
from ..planning.plan import Plan
from ..planning.planner import make_plan
from ..state import read_state
from .messages import say_warnings
from .options import config_flag, flag, state_flag
from .wiring import Context, check_api, read_config, workspace_of


@click.command("plan")
@config_flag
@state_flag
@flag("--detailed-exitcode", is_flag=True, help="Exit with 2 when changes are pending.")
@flag("--format", "form", type=click.Choice(["text", "json", "markdown", "html"]), default="text", help="Form of the output.")
@click.pass_obj
def command(context: Context, configs: tuple[str, ...], state_path: str | None, detailed_exitcode: bool, form: str) -> int:
    """Show what apply would do, and change nothing."""
    config = read_config(configs, state_path)
    path = state_path or config.state_path
    say_warnings(config)
    plan = plan_of(config, read_state(path), context, path)
    click.echo(shown(plan, form, context.colour), nl=False)
    return ExitCode.CHANGES_PENDING if detailed_exitcode and plan.pending else ExitCode.DONE


def plan_of(config: Config, state: State | None, context: Context, path: str) -> Plan:
    """Return the offline plan; raises `InvalidError` where config and state do not fit together."""
    check_api(state, context, path)
    return make_plan(
        config.webhooks,
        state,
        api=context.api_url,
        config_digest=config.digest(),
        workspace_id=workspace_of(config, state),
    )


def shown(plan: Plan, form: str, colour: bool) -> str:
    """Return the plan in one of the forms of `--format`."""
    if form == "json":
        from ..render.json import dump, plan_document

        return dump(plan_document(plan))
    if form == "markdown":
        from ..render.markdown import plan_markdown

        return plan_markdown(plan)
    if form == "html":
        from ..render.html import plan_html

        return plan_html(plan)
    from ..render.text import plan_text

    return plan_text(plan, colour=colour)
