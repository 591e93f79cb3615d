"""`apply`: plans, shows, asks, and carries out the plan."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from ...app.apply import ApplyRequest, apply
from ...app.context import Context
from ...app.events import Event, Performed, Planned
from ...app.outcome import document, exit_code
from ...applying.results import Report, Result, Status
from ...core.model import ActionKind
from ...core.quoting import resolve_command
from ...planning.plan import Plan
from ..asking import ask
from ..flags import flag
from ..options import PLACE, PRUNE, RUN, TARGET, as_command, choice, colour, switch, verbose
from ..output.console import console
from ..output.logs import is_json
from ..output.messages import note, show_done
from ..output.plans import shown
from ..output.report import counts, note_failures
from ..output.streams import write_error
from ..signals import interrupted_by, stopping

PLAN_HELP = "Apply exactly this saved plan. Fails if the config or the state has changed since."


@as_command(
    "apply",
    *PLACE,
    flag("--plan", "plan_file", metavar="FILE", help=PLAN_HELP),
    switch("--yes", "Apply without asking. Required without a terminal."),
    switch("--refresh", "Also read the live webhooks from SendKit before planning, and correct drift."),
    PRUNE,
    TARGET,
    switch("--verify", "Then have SendKit send a test delivery to each webhook that was created or changed."),
    choice("text", "json", default="text"),
    *RUN,
)
def command(context: Context, /, yes: bool, form: str, **request: Any) -> int:
    """Make SendKit match the config.

    Shows the plan, asks, and carries it out. Each call is recorded before it is sent, and so is its outcome.
    """
    view = _View(form, yes=yes)
    with stopping(context.stop), interrupted_by(context.stop):
        try:
            report = apply(replace(context, observer=view.observe), ApplyRequest(**request), view.approve)
        finally:
            view.finish()
    _print(report, form)
    return exit_code(report)


class _View:
    """Shows the plan, asks, and on a terminal shows a progress bar."""

    def __init__(self, form: str, *, yes: bool) -> None:
        self._form = form
        self._yes = yes
        self._bar: click.termui.ProgressBar[int] | None = None  # type: ignore[name-defined,unused-ignore]
        self._planned: set[tuple[ActionKind, str]] = set()

    def observe(self, event: Event) -> None:
        """Show the plan and the progress. Other events are handled as in every command."""
        match event:
            case Planned(plan):
                self._show(plan)
            case Performed(result):
                self._step(result)
            case _:
                console(event)

    def approve(self, plan: Plan) -> bool:
        """Ask whether to carry out `plan`, unless --yes was given."""
        if not self._yes and not ask("Apply these changes?"):
            return False
        if self._form == "text" and sys.stderr.isatty() and not is_json():
            self._planned = {(action.kind, action.name) for action in plan.actions}
            self._bar = click.progressbar(length=len(plan.actions), label="Applying", file=sys.stderr)
            self._bar.__enter__()
        return True

    def finish(self) -> None:
        """End the progress bar, if there is one."""
        if self._bar is not None:
            self._bar.render_finish()

    def _show(self, plan: Plan) -> None:
        if self._form == "text":
            show_done(shown(plan, "text", colour=colour(), whole=verbose()))
        elif not self._yes:
            write_error(shown(plan, "text"))

    def _step(self, result: Result) -> None:
        planned = (result.kind, result.name) in self._planned and result.status is not Status.NOT_ATTEMPTED
        if self._bar is not None and planned:
            self._bar.update(1)


def _print(report: Report, form: str) -> None:
    if form == "json":
        from ...render.json import dump

        show_done(dump(document(report)))
        return
    note_failures(report.results)
    for result in report.results:
        if result.status is Status.UNRESOLVED and result.kind is ActionKind.CREATE:
            note(f"  Run apply again. If it stays unresolved: {resolve_command(result.name)} (or --not-created for --id ID)")
    if report.results:
        show_done(f"Applied: {counts(report)}.\n")
    if report.deliveries:
        from ...render.deliveries import deliveries_text

        show_done(deliveries_text(report.deliveries))
