"""`apply`: plans, shows, asks, and carries out the plan."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ...applying.executor import RunSettings
from ...applying.results import Report, Result, Status
from ...config import Config
from ...core.errors import ErrorCode, InvalidError, RefusedError, UsageError
from ...core.model import ActionKind
from ...core.quoting import resolve_command
from ...planning.plan import Plan
from ...planning.scope import PlanScope
from ..options import (
    config_flag,
    flag,
    lock_flag,
    parallelism_flag,
    prune_flag,
    resend_flag,
    retry_flag,
    settle_flag,
    state_flag,
    target_flag,
    timeout_flag,
)
from ..outcome import counts, document, exit_code, say_failures, say_findings
from ..output.logs import is_json
from ..output.messages import say, say_warnings
from ..session import RunRequest, session
from ..signals import handled, interrupted_by, stopping
from ..wiring import Calls, Context, read_config, read_key
from .plan import check_targets, shown

if TYPE_CHECKING:
    from ...app.saved_plan import SavedPlan


@click.command("apply")
@config_flag
@state_flag
@flag(
    "--plan",
    "plan_file",
    metavar="FILE",
    help="Apply exactly this saved plan. Fails if the config or the state has changed since.",
)
@flag("--yes", is_flag=True, help="Apply without asking. Required without a terminal.")
@flag("--refresh", is_flag=True, help="Also read the live webhooks from SendKit before planning, and correct drift.")
@prune_flag
@target_flag
@flag("--force", is_flag=True, help="Allow deleting or re-creating more than 30% of the recorded webhooks in one run.")
@flag("--allow-duplicate", is_flag=True, help="Create the webhook even if a live one looks like a duplicate.")
@parallelism_flag
@lock_flag
@settle_flag
@resend_flag
@flag("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context,
    /,
    configs: tuple[str, ...],
    state_path: str | None,
    plan_file: str | None,
    yes: bool,
    refresh: bool,
    prune: bool,
    targets: tuple[str, ...],
    force: bool,
    form: str,
    lock_timeout: float,
    timeout: float,
    retry_for: float,
    **limits: float,
) -> int:
    """Make SendKit match the config.

    Shows the plan, asks, and carries it out. Each call is recorded before it is sent, and so is its outcome.
    """
    saved = _saved(plan_file, refresh=refresh, prune=prune, targets=targets)
    config = read_config(configs, state_path)
    if not yes and not sys.stdin.isatty():
        raise UsageError(ErrorCode.NO_TERMINAL, "there is no terminal to ask on", hint="Use --yes to apply without asking.")
    read_key(context)
    say_warnings(config)
    refuse_unset_secrets(config)
    wanted = RunRequest(
        config,
        state_path or config.state_path,
        "apply",
        Calls(timeout, retry_for),
        options=saved.options if saved else PlanScope(prune, targets),
        limits=RunSettings(**limits),  # type: ignore[arg-type]
        refresh=saved.refresh if saved else refresh,
        lock_timeout_s=lock_timeout,
    )
    with stopping() as stop, interrupted_by(stop):
        report = _run(context, wanted, saved, stop, yes=yes, force=force, form=form)
    _print(report, form)
    return exit_code(report)


def _saved(plan_file: str | None, **flags: object) -> SavedPlan | None:
    if plan_file is None:
        return None
    if any(flags.values()):
        raise UsageError(
            ErrorCode.PLAN_OPTIONS_CONFLICT,
            "--refresh, --prune and --target are part of a saved plan",
            hint="Leave them out beside --plan.",
        )
    from ...app.saved_plan import load

    return load(plan_file)


def _run(
    context: Context, wanted: RunRequest, saved: SavedPlan | None, stop: threading.Event, *, yes: bool, force: bool, form: str
) -> Report:
    with session(context, wanted, stop) as run:
        if saved is not None:
            saved.check_base(run.state_before)
            saved.check(run.plan)
        else:
            check_targets(run.plan)
        if form == "text" or not yes:
            click.echo(shown(run.plan, "text", context.colour and form == "text"), nl=False, err=form != "text")
        run.check_limits(force=force)
        doable = wanted.limits.allow_duplicate or len(run.plan.actions) > len(run.plan.blocked)
        if run.plan.actions and doable and not yes and not _ask():
            raise RefusedError(ErrorCode.DECLINED, "not applied", hint="Nothing was changed.")
        with Progress(run.plan, form if doable else "none") as run.executor.on_result:
            return run.executor.execute(run.plan)


def refuse_unset_secrets(config: Config) -> None:
    unset = [webhook for webhook in config.webhooks if webhook.secret is None and webhook.secret_origin.startswith("env:")]
    if unset:
        first = unset[0]
        variable = first.secret_origin.removeprefix("env:")
        more = f" (and {len(unset) - 1} more)" if len(unset) > 1 else ""
        raise InvalidError(
            ErrorCode.SECRET_MISSING,
            f"{variable} is not set{more}",
            where=str(first.span),
            hint="Set it, or leave `secret` out to have one drawn.",
        )


def _ask() -> bool:
    """Ask on the terminal; here a signal ends the run at once, for nothing is under way yet."""
    try:
        with handled(signal.default_int_handler):
            return click.confirm("Apply these changes?", err=True)
    except click.Abort:
        click.echo("\nNothing was changed.", err=True)
        raise


class Progress:
    """A progress bar over the plan's actions on a terminal, and nothing elsewhere."""

    def __init__(self, plan: Plan, form: str) -> None:
        self._bar = None
        if plan.actions and form == "text" and sys.stderr.isatty() and not is_json():
            self._bar = click.progressbar(length=len(plan.actions), label="Applying", file=sys.stderr)

    def __enter__(self) -> Callable[[Result], None]:
        if self._bar is not None:
            self._bar.__enter__()
        return self._step

    def _step(self, result: Result) -> None:
        if self._bar is not None and result.status is not Status.NOT_ATTEMPTED:
            self._bar.update(1)

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _print(report: Report, form: str) -> None:
    say_findings(report)
    if form == "json":
        from ...render.json import dump

        click.echo(dump(document(report)), nl=False)
        return
    say_failures(report.results)
    for result in report.results:
        if result.status is Status.UNRESOLVED and result.kind is ActionKind.CREATE:
            say(f"  Run apply again; if it stays: {resolve_command(result.name)}, or --not-created for --id ID")
    if report.results:
        click.echo(f"Applied: {counts(report)}.")
