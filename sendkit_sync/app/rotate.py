"""The use cases `secret rotate` and `secret activate`: send a new or the staged secret, and keep the old one as previous."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.diagnostics import printable
from ..core.errors import ErrorCode, ExitCode, RefusedError
from ..core.model import State, WebhookRecord
from ..core.outcomes import Failed, Outcome, Succeeded, Unknown
from ..core.quoting import shell_name
from .checks import not_recorded, refuse_config_secret, refuse_unmanaged
from .context import Context, Source
from .run import Run, RunRequest
from .wiring import bind_recipients, pinned, read_config


@dataclass(frozen=True, slots=True)
class RotateRequest:
    """Which webhook gets a new secret."""

    name: str
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """The outcome of the call. `unknown`: either secret may be in force, and both are kept."""

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
    """Generate a new secret and send it.

    Raises `RefusedError` if the secret comes from the config, or if one is staged, which must be activated instead.
    """
    return _send(context, request, staged=False)


def activate(context: Context, request: RotateRequest) -> Rotation:
    """Send the staged secret of a recorded webhook.

    Raises `RefusedError` if none is staged or the webhook is not recorded, and `SecretUnreadableError` if it cannot be
    decrypted. No other secret is sent instead.
    """
    return _send(context, request, staged=True)


def _send(context: Context, request: RotateRequest, *, staged: bool) -> Rotation:
    config, name = read_config(context, request.source), request.name
    context = pinned(context, config)
    refuse_unmanaged(config, name)
    refuse_config_secret(config, name)
    purpose = "secret activate" if staged else "secret rotate"
    run_request = RunRequest(config, purpose, lock_timeout_s=request.lock_timeout_s)
    with Run.open(context, run_request) as run:
        ledger = run.executor.ledger
        record = ledger.record_of(name)
        if record is None:
            raise not_recorded(name, config.state_path)
        _check_staged(ledger.state, name, record, staged=staged)
        updater = run.executor.runner.updater
        outcome, warnings = updater.activate(name, record) if staged else updater.rotate(name, record)
        bind_recipients(ledger, config)
        unknown = isinstance(outcome, Unknown) or name in ledger.state.pending
    for warning in warnings:
        context.warn(warning)
    return Rotation(outcome, unknown, context.stop.is_set())


def _check_staged(state: State, name: str, record: WebhookRecord, *, staged: bool) -> None:
    """Raise `RefusedError` where a staged secret is to be sent and there is none, or another one would overtake it."""
    waiting = state.staged.get(name)
    if staged and waiting is None:
        raise RefusedError(
            ErrorCode.SECRET_NOT_STAGED,
            f'no secret is staged for "{printable(name)}"',
            hint=f"Run: sendkit-sync secret stage {shell_name(name)}",
        )
    sent = any(waiting.same_as(intent.secret) for intent in state.updates_of(record.id)) if waiting is not None else False
    if not staged and waiting is not None and not sent:
        raise RefusedError(
            ErrorCode.SECRET_STAGED,
            f'a secret is already staged for "{printable(name)}"',
            hint=f"Send that one: sendkit-sync secret activate {shell_name(name)}",
        )
