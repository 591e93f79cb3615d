"""The use case `secret rotate`: gives a webhook a new secret and keeps the old one as the previous one."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, ExitCode, RefusedError
from ..core.outcomes import Failed, Outcome, Succeeded, Unknown
from .checks import not_recorded
from .context import Context, Source
from .run import Run, RunRequest
from .wiring import read_config


@dataclass(frozen=True, slots=True)
class RotateRequest:
    """Which webhook gets a new secret."""

    name: str
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """The outcome of the call; `unknown` tells that either secret may be in force, and both are kept."""

    outcome: Outcome
    unknown: bool
    interrupted: bool

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command."""
        if isinstance(self.outcome, Succeeded):
            return ExitCode.DONE
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.outcome.status in (401, 403):
            return ExitCode.KEY_REFUSED
        unreachable = isinstance(self.outcome, Failed) and self.outcome.unreachable
        return ExitCode.UNREACHABLE if unreachable else ExitCode.FAILED


def rotate(context: Context, request: RotateRequest) -> Rotation:
    """Generate a new secret and send it; raises `RefusedError` where the secret comes from the config."""
    config, name = read_config(context, request.source), request.name
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    if entry is not None and entry.secret_origin not in ("generated", "server"):
        raise RefusedError(
            ErrorCode.SECRET_FROM_CONFIG,
            f'the secret of "{printable(name)}" comes from the config',
            hint="Change it there, then apply.",
        )
    run_request = RunRequest(config, "secret rotate", lock_timeout_s=request.lock_timeout_s)
    with Run.open(context, run_request) as run:
        ledger = run.executor.ledger
        record = ledger.state.webhooks.get(name)
        if record is None:
            raise not_recorded(name, config.state_path)
        outcome, warnings = run.executor.updater.rotate(name, record)
        unknown = isinstance(outcome, Unknown) or name in ledger.state.pending
    for warning in warnings:
        context.warn(warning)
    return Rotation(outcome, unknown, context.stop.is_set())
