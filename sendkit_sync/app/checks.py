"""Checks before a use case starts: whether address, workspace, state and config match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config import Config
from ..core.api_address import checked_address
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, InvalidError, RefusedError, UsageError
from ..core.model import State
from ..core.policy import Policy
from ..core.store_address import is_url
from ..planning.plan import Plan
from .context import Context

if TYPE_CHECKING:
    from ..applying.settings import RunSettings

LAST_CALL_MARGIN_S = 60.0
"""How much longer than one call `--resend-after` must be: the last call of a holder that was fenced may still arrive."""


def nothing_recorded(path: str) -> RefusedError:
    """Return the error for a command that needs a state when there is none."""
    return RefusedError(
        ErrorCode.NOTHING_RECORDED,
        "nothing is recorded yet",
        where=path,
        hint="Run apply first, or pass another state with --state.",
    )


def not_recorded(name: str, path: str) -> RefusedError:
    """Return the error for a command that names a webhook that is not recorded."""
    what = f'"{printable(name)}" is not recorded'
    return RefusedError(
        ErrorCode.NOT_RECORDED, what, where=path, hint="Run `sendkit-sync state list` to see which webhooks are."
    )


def refuse_config_secret(config: Config, name: str) -> None:
    """Raise `RefusedError` if the config supplies the secret of the webhook `name`."""
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    if entry is not None and not entry.generates_secret:
        raise RefusedError(
            ErrorCode.SECRET_FROM_CONFIG,
            f'the secret of "{printable(name)}" comes from the config',
            hint="Change it there, then run apply.",
        )


def workspace_of(context: Context, config: Config, state: State | None) -> str | None:
    """Return the workspace of config, environment and state. Raises `InvalidError` if they differ."""
    named = {
        "the config": config.workspace,
        "SENDKIT_WORKSPACE_ID": context.environment.get("SENDKIT_WORKSPACE_ID") or None,
        "the state": state.workspace_id if state and not state.empty else None,
    }
    known = {source: value for source, value in named.items() if value}
    if len(set(known.values())) > 1:
        raise InvalidError(
            ErrorCode.WORKSPACE_CONFLICT,
            f"{' and '.join(known)} name different workspaces",
            hint="Use a separate state for each workspace.",
        )
    return next(iter(known.values()), None)


def check_api(context: Context, state: State | None, path: str) -> None:
    """Raise `UsageError` for an unsafe API address, and `InvalidError` if `state` belongs to another one."""
    checked_address(context.address)
    if state is not None and not state.empty and state.api != context.address:
        raise InvalidError(
            ErrorCode.API_MISMATCH,
            f"the state belongs to {printable(state.api)}, but this run uses {printable(context.address)}",
            where=path,
            hint="Use a separate state for each API address, or correct --api-url.",
        )


def check_encryption(config: Config, state: State | None, *, encrypts: bool = False) -> None:
    """Raise `InvalidError` if the state is encrypted and the config is not, or if a secret is in clear although it is.

    `encrypts`: the command is there to encrypt what is in clear.
    """
    secrets = list(state.secrets()) if state is not None else []
    if not config.recipients and any(secret.encrypted is not None for secret in secrets):
        raise InvalidError(
            ErrorCode.NO_ENCRYPTION,
            "the state is encrypted, but the config has no `encryption`",
            where=config.state_path,
            hint="Add `encryption` to the config again. Nothing is written in clear next to encrypted secrets.",
        )
    if config.recipients and not encrypts and any(secret.clear is not None for secret in secrets):
        raise InvalidError(
            ErrorCode.SECRETS_IN_CLEAR,
            "the config has `encryption`, but the state contains secrets in clear",
            where=config.state_path,
            hint="If they were recorded before `encryption` was added, run `sendkit-sync state encrypt`. "
            "If not, someone changed the state: restore it.",
        )


def refuse_shared(config: Config, state: State | None) -> None:
    """Raise `InvalidError` if two entries share a webhook, which each would then overwrite for the other."""
    owners: dict[str, str] = {}
    recorded = state.webhooks if state is not None else {}
    for webhook in config.webhooks:
        record = recorded.get(webhook.name) or recorded.get(webhook.renamed_from or "")
        if record is not None and owners.setdefault(record.id, webhook.name) != webhook.name:
            raise InvalidError(
                ErrorCode.ID_RECORDED_TWICE,
                f'"{printable(owners[record.id])}" and "{printable(webhook.name)}" are both recorded as {printable(record.id)}',
                where=config.state_path,
                hint="Find out in SendKit which one it is, and drop the other: sendkit-sync state forget NAME",
            )


def refuse_unmanaged(config: Config, name: str) -> None:
    """Raise `RefusedError` if the config says that the secret of a webhook is kept elsewhere."""
    if not config.policies.get(name, Policy()).manage_secret:
        raise RefusedError(
            ErrorCode.SECRET_UNMANAGED,
            f'the secret of "{printable(name)}" is kept elsewhere: its entry has `manageSecret: false`',
            hint="Change it where it is kept, or remove `manageSecret`.",
        )


def refuse_unset_secrets(config: Config) -> None:
    """Raise `InvalidError` if the variable of a secret is not set."""
    unset = [webhook for webhook in config.webhooks if webhook.secret is None and webhook.secret_origin.startswith("env:")]
    if unset:
        first = unset[0]
        variable = first.secret_origin.removeprefix("env:")
        more = f" (and {len(unset) - 1} more)" if len(unset) > 1 else ""
        raise InvalidError(
            ErrorCode.SECRET_MISSING,
            f"{variable} is not set{more}",
            where=str(first.span),
            hint="Set it, or remove `secret` to have one generated.",
        )


def check_targets(plan: Plan) -> None:
    """Raise `UsageError` if a --target matches nothing, so that a typo does not look like "no changes"."""
    if plan.idle_targets:
        first = printable(plan.idle_targets[0])
        raise UsageError(
            ErrorCode.TARGET_MATCHES_NOTHING,
            f'--target "{first}" matches no webhook',
            hint="Use a name from the config or the state. * matches any text.",
        )


def check_lease(context: Context, config: Config, settings: RunSettings) -> None:
    """Raise if a run that lost its lease could still do harm: by its last call, or by holding the only copy of a secret."""
    if not is_url(config.state_path):
        return
    if config.generate_secret == "server":
        raise InvalidError(
            ErrorCode.SERVER_SECRETS_NEED_A_FILE,
            "`generateSecret: server` needs a state in a local file",
            where=config.state_path,
            hint="A run that loses its lease may hold the only copy of a secret. Use `generateSecret: client`.",
        )
    if context.timeout_s + LAST_CALL_MARGIN_S >= settings.resend_after_s:
        raise UsageError(
            ErrorCode.RESEND_TOO_SOON,
            f"with a state in a store, --resend-after must be more than {LAST_CALL_MARGIN_S:.0f}s longer than --timeout",
            hint="The last call of a run that lost its lease may still arrive. Raise --resend-after or lower --timeout.",
        )
