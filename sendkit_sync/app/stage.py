"""The use cases `secret stage`, `secret unstage` and `secret retire`: the life of a secret before and after it is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..config import Config
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError
from ..core.model import ActionKind, Secret, SecretOrigin, State
from ..core.quoting import shell_name
from .checks import check_api, check_encryption, not_recorded, refuse_config_secret, refuse_unmanaged
from .context import Context, Source
from .git_guard import refuse_for_git
from .record import open_record
from .wiring import bind_recipients, cipher_for, ledger_of, load, pinned, read_config, system_rng

Approve = Callable[[str], bool]
"""Is asked a question before a secret is dropped."""


@dataclass(frozen=True, slots=True)
class StageRequest:
    """Whom to draw the next secret for: the webhooks `names`, or with `new` all that the next apply creates."""

    names: tuple[str, ...] = ()
    new: bool = False
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DropRequest:
    """Whose secrets to drop."""

    name: str
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


def stage(context: Context, request: StageRequest) -> tuple[str, ...]:
    """Draw and record the next secret of each webhook, send nothing, and return the names.

    Raises `RefusedError` where a name has a staged secret already, has its secret from the config, is neither in the config nor
    recorded, or has a create without an outcome.
    """
    config = load(context, request.source)
    context = pinned(context, config)
    path, rng = config.state_path, system_rng()

    def check(state: State | None) -> None:
        check_api(context, state, path)
        check_encryption(config, state)
        refuse_for_git(context, config, state)

    with ledger_of(context, path, "secret stage", request.lock_timeout_s, check) as ledger:
        state = ledger.state
        names = tuple(_new(config, state)) if request.new else request.names
        for name in names:
            _check_stageable(config, state, name)
        cipher = cipher_for(config, context, state)
        for name in names:
            ledger.stage(name, cipher.encrypt(name, Secret(rng.secret()), SecretOrigin.GENERATED))
        bind_recipients(ledger, config)
    return names


def _new(config: Config, state: State) -> Iterable[str]:
    """Yield the entries that the next apply creates and nobody staged a secret for."""
    for webhook in config.webhooks:
        former = webhook.renamed_from in state.webhooks if webhook.renamed_from is not None else False
        known = former or any(webhook.name in names for names in (state.webhooks, state.staged, state.pending))
        if not known and webhook.generates_secret:
            yield webhook.name


def _check_stageable(config: Config, state: State, name: str) -> None:
    shown = printable(name)
    if name not in state.webhooks and all(webhook.name != name for webhook in config.webhooks):
        raise not_recorded(name, config.state_path)
    refuse_unmanaged(config, name)
    refuse_config_secret(config, name)
    if name in state.staged:
        raise RefusedError(
            ErrorCode.SECRET_STAGED,
            f'a secret is already staged for "{shown}"',
            hint=f"Export it with --staged, or drop it: sendkit-sync secret unstage {shell_name(name)}",
        )
    if any(intent.action is ActionKind.CREATE for intent in state.pending.get(name, ())):
        raise RefusedError(
            ErrorCode.CREATE_UNRESOLVED,
            f'the create of "{shown}" is unresolved and has a secret',
            hint="Run apply first.",
        )


def unstage(context: Context, request: DropRequest, approve: Approve = lambda _: True) -> None:
    """Drop a staged secret; raises `RefusedError` where there is none, or a call that sent it has no outcome yet."""
    config, name = read_config(context, request.source, entries=False), request.name
    context = pinned(context, config)
    with open_record(context, config.state_path, "secret unstage", request.lock_timeout_s) as ledger:
        state, shown = ledger.state, printable(name)
        staged = state.staged.get(name)
        if staged is None:
            raise RefusedError(
                ErrorCode.SECRET_NOT_STAGED, f'no secret is staged for "{shown}"', hint="Run: sendkit-sync secret stage NAME"
            )
        if any(staged.same_as(intent.secret) for intent in state.intents()):
            raise RefusedError(
                ErrorCode.UPDATE_UNANSWERED,
                f'the staged secret of "{shown}" was sent and may be in force',
                hint="Run apply first.",
            )
        ask(approve, f'Drop the staged secret of "{shown}"? A receiver that has it already will refuse deliveries.')
        ledger.unstage(name)


def retire(context: Context, request: DropRequest, approve: Approve = lambda _: True) -> int:
    """Drop the previous secrets of a webhook and return how many; raises `RefusedError` where one may still be in force."""
    config, name = read_config(context, request.source, entries=False), request.name
    context = pinned(context, config)
    with open_record(context, config.state_path, "secret retire", request.lock_timeout_s) as ledger:
        state, shown = ledger.state, printable(name)
        record = state.webhooks.get(name)
        if record is None:
            raise not_recorded(name, config.state_path)
        if record.candidate_secrets or state.updates_of(record.id):
            raise RefusedError(
                ErrorCode.SECRET_IN_DOUBT,
                f'it is not known which secret of "{shown}" is in force',
                hint=f"Run apply first. If that changes nothing: sendkit-sync secret rotate {shell_name(name)}",
            )
        count = len(record.previous_secrets)
        if count:
            ask(approve, f'Drop {count} previous secret{"" if count == 1 else "s"} of "{shown}" for good?')
            ledger.record(name, replace(record, previous_secrets=()))
    return count


def ask(approve: Approve, question: str) -> None:
    """Raise `RefusedError` where `question` is answered with no."""
    if not approve(question):
        raise RefusedError(ErrorCode.DECLINED, "declined", hint="Nothing was changed.")
