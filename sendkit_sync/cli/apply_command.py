"""`apply`: plans, shows, asks, and creates what is new."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ..applying.create import Creator
from ..applying.executor import Executor, Limits
from ..applying.results import Report, Result, Status
from ..clock import SystemClock, SystemDice
from ..config import Config
from ..errors import ApiError, ExitCode, InvalidError, RefusedError, UsageError
from ..model import ActionKind
from ..planning.plan import Plan
from ..secrets.vault import ClearVault
from ..state import open_ledger, read_state
from .messages import say, say_warnings
from .options import Duration, config_flag, flag, retry_flag, state_flag, timeout_flag
from .plan_command import plan_of, shown
from .wiring import Context, check_api, client, read_config, read_key, workspace_of


@click.command("apply")
@config_flag
@state_flag
@flag("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@flag("--allow-duplicate", is_flag=True, help="Create in spite of a look-alike.")
@flag("--parallelism", type=click.IntRange(1, 64), default=4, help="Calls at once.")
@flag("--lock-timeout", type=Duration(), default="0s", help="How long to wait for a busy lock.")
@flag("--settle", "settle_s", type=Duration(), default="10s", help="How long to look for the outcome of an unclear call.")
@flag("--resend-after", "resend_after_s", type=Duration(), default="5m", help="When an attempt without a trace has expired.")
@flag("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the output.")
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context,
    /,
    configs: tuple[str, ...],
    state_path: str | None,
    yes: bool,
    form: str,
    lock_timeout: float,
    timeout: float,
    retry_for: float,
    **limits: float,
) -> int:
    """Bring SendKit to what the config says: create what is new, and record its secret."""
    config = read_config(configs, state_path)
    path = state_path or config.state_path
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="Use --yes to apply without asking.")
    read_key(context)
    say_warnings(config)
    _refuse_unset_secrets(config)
    before = read_state(path)
    check_api(before, context, path)
    workspace_id = workspace_of(config, before)
    clock, dice, vault = SystemClock(), SystemDice(), ClearVault()
    with (
        stopping() as stop,
        client(context, workspace_id, timeout_s=timeout, retry_for_s=retry_for, stop=stop, on_wait=say) as api,
        open_ledger(path, api=context.api_url, clock=clock, dice=dice, purpose="apply", lock_timeout_s=lock_timeout) as ledger,
    ):
        if workspace_id is not None and ledger.state.workspace_id is None:
            ledger.set_workspace(workspace_id)
        creator = Creator(api, ledger, vault, clock, dice, config.generate_secret == "server")
        executor = Executor(api, ledger, vault, clock, creator, Limits(**limits), stop)  # type: ignore[arg-type]
        try:
            executor.settle()
            plan = plan_of(config, ledger.state, context, path)
            if form == "text":
                click.echo(shown(plan, "text", context.colour), nl=False)
            if plan.actions and not yes and not _ask():
                raise RefusedError("not applied", hint="Nothing was changed.")
            with Progress(plan, form) as executor.on_result:
                report = executor.execute(plan)
        except ApiError:
            if stop.is_set():
                return ExitCode.INTERRUPTED
            raise
    _print(report, form)
    return exit_code(report)


def _refuse_unset_secrets(config: Config) -> None:
    unset = [webhook for webhook in config.webhooks if webhook.secret is None and webhook.secret_origin.startswith("env:")]
    if unset:
        first = unset[0]
        variable = first.secret_origin.removeprefix("env:")
        more = f" (and {len(unset) - 1} more)" if len(unset) > 1 else ""
        raise InvalidError(
            f"{variable} is not set{more}", where=str(first.span), hint="Set it, or leave `secret` out to have one drawn."
        )


def _ask() -> bool:
    """Ask on the terminal; here a signal ends the run at once, for nothing is under way yet."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        return click.confirm("Apply these changes?", err=True)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that SIGINT, SIGTERM and SIGHUP set; a signal stops new calls and lets those under way end."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Progress:
    """A progress bar over the plan's actions on a terminal, and nothing elsewhere."""

    def __init__(self, plan: Plan, form: str) -> None:
        self._bar = None
        if plan.actions and form == "text" and sys.stderr.isatty():
            self._bar = click.progressbar(length=len(plan.actions), label="Applying", file=sys.stderr)

    def __enter__(self) -> Callable[[Result], None]:
        if self._bar is not None:
            self._bar.__enter__()
        return self._step

    def _step(self, result: Result) -> None:
        if self._bar is not None:
            self._bar.update(1)

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _print(report: Report, form: str) -> None:
    for warning in report.warnings:
        say(f"warning: {warning}")
    for twin in report.twins:
        say(f"warning: live webhook {twin} doubles one that this run made, and is not recorded; delete it in SendKit")
    if form == "json":
        from ..render.json import dump

        click.echo(dump(document(report)), nl=False)
        return
    for result in report.results:
        if result.failure is not None:
            say(f'{result.status.replace("_", " ")}: {result.kind} "{result.name}": {result.failure.message}')
        if result.status is Status.UNRESOLVED:
            say(f'  Run apply again; if it stays: sendkit-sync state resolve "{result.name}" --id ID | --not-created')
    created, failed = report.count(Status.DONE, ActionKind.CREATE), report.count(Status.FAILED)
    adopted, left = report.count(Status.DONE, ActionKind.ADOPT), report.count(Status.NOT_ATTEMPTED)
    if report.results:
        open_ = report.count(Status.UNRESOLVED)
        click.echo(f"Applied: {created} created, {adopted} adopted, {failed} failed, {open_} unresolved, {left} not attempted.")


def document(report: Report) -> dict[str, object]:
    """Return the JSON document of an apply."""
    done = {kind: report.count(Status.DONE, kind) for kind in ActionKind}
    return {
        "format_version": "1.0",
        "summary": {
            "created": done[ActionKind.CREATE],
            "updated": done[ActionKind.UPDATE],
            "adopted": done[ActionKind.ADOPT],
            "deleted": done[ActionKind.DELETE],
            "forgotten": done[ActionKind.FORGET],
            "failed": report.count(Status.FAILED),
            "unresolved": report.count(Status.UNRESOLVED),
            "not_attempted": report.count(Status.NOT_ATTEMPTED),
        },
        "results": [
            {
                "action": str(result.kind),
                "name": result.name,
                "id": result.id,
                "status": str(result.status),
                "error": result.failure and {"code": result.failure.code, "message": result.failure.message},
            }
            for result in report.results
        ],
    }


def exit_code(report: Report) -> ExitCode:
    """Return the exit code of a run, the first that fits."""
    if report.interrupted:
        return ExitCode.INTERRUPTED
    if report.key_refused:
        return ExitCode.KEY_REFUSED
    if report.unreachable and report.changed == 0:
        return ExitCode.UNREACHABLE
    bad = report.count(Status.FAILED) + report.count(Status.UNRESOLVED) + report.count(Status.NOT_ATTEMPTED)
    return ExitCode.FAILED if bad or report.twins else ExitCode.DONE
