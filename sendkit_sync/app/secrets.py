"""The use cases `secret get`, `secret export` and `secret set`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..config import Config
from ..config.checks import MIN_SECRET
from ..core.decryption import decrypt
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import Secret, SecretOrigin, State, StoredSecret, WebhookRecord
from ..core.ports import SecretCipher
from .checks import check_api, not_recorded
from .context import Context, Source
from .git_guard import warn_of_exported
from .private_file import replace_private
from .record import open_record
from .wiring import cipher_for, read_config, read_state

ALONE = "Supply only the secret, exactly as SendKit shows it."
SUPPLY = "Supply it with `sendkit-sync secret set NAME < FILE`."


def get_secret(context: Context, source: Source, name: str, previous: int = 0) -> Secret:
    """Return the secret of a webhook, or with `previous` the one that many changes ago.

    Raises `RefusedError` if there is none, and `SecretUnreadableError` if it cannot be decrypted.
    """
    config, state = _recorded(context, source)
    path = config.state_path
    if state is None or name not in state.webhooks:
        raise not_recorded(name, path)
    record = state.webhooks[name]
    _warn_of_doubt(context, state, name)
    stored = dict(enumerate(record.secrets())).get(previous)
    if stored is None:
        raise _secret_not_recorded(name, path, previous=previous > 0)
    return _decrypted(cipher_for(config, context), name, record, stored)


def read_secrets(context: Context, source: Source, only: Sequence[str] = ()) -> dict[str, Secret]:
    """Return the current secrets by webhook name, or only those named in `only`.

    Warns about each missing secret. Raises `RefusedError` for one in `only` that is missing or not recorded.
    """
    config, state = _recorded(context, source)
    records = dict(state.webhooks) if state is not None else {}
    if not records:
        context.warn(f"{printable(config.state_path)}: nothing is recorded, so nothing is exported")
    if missing := [name for name in only if name not in records]:
        raise not_recorded(missing[0], config.state_path)
    cipher = cipher_for(config, context)
    secrets = {}
    for name, record in sorted(records.items()):
        if only and name not in only:
            continue
        if record.secret is None and only:
            raise _secret_not_recorded(name, config.state_path)
        if record.secret is None:
            context.warn(f'the secret of "{printable(name)}" is missing and not exported')
            continue
        if state is not None:
            _warn_of_doubt(context, state, name)
        secrets[name] = _decrypted(cipher, name, record, record.secret)
    return secrets


def _secret_not_recorded(name: str, path: str, *, previous: bool = False) -> RefusedError:
    what = f'no {"previous " if previous else ""}secret of "{printable(name)}" is recorded'
    hint = "There is a previous secret only after the secret has changed." if previous else SUPPLY
    return RefusedError(ErrorCode.SECRET_NOT_RECORDED, what, where=path, hint=hint)


def write_secrets(context: Context, path: str, text: str) -> None:
    """Replace the file at `path` with `text`, mode 0600. Warns if git would commit it."""
    replace_private(path, text)
    warn_of_exported(context, path)


@dataclass(frozen=True, slots=True)
class SetRequest:
    """The secret to record: the one that SendKit already has."""

    name: str
    secret: Secret
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


def set_secret(context: Context, request: SetRequest) -> bool:
    """Record a secret, without sending it. Returns whether the config supplies another one, which the next apply sends.

    Raises `RefusedError` if one is already recorded.
    """
    config, name, text = read_config(context, request.source), request.name, request.secret.reveal()
    if not text.strip():
        raise UsageError(ErrorCode.SECRET_INVALID, "standard input contains no secret", hint=SUPPLY)
    if "\0" in text:
        raise UsageError(
            ErrorCode.SECRET_INVALID, "the secret contains a zero byte, which no environment variable can hold", hint=ALONE
        )
    if len(text) < MIN_SECRET:
        context.warn(f"the secret is shorter than {MIN_SECRET} characters")
    path = config.state_path
    with open_record(context, path, "secret set", request.lock_timeout_s, config=config, adds_secret=True) as ledger:
        record = ledger.state.webhooks.get(name)
        if record is None:
            raise not_recorded(name, path)
        if record.secret is not None:
            raise RefusedError(
                ErrorCode.SECRET_RECORDED,
                f'the secret of "{printable(name)}" is already recorded',
                hint="To change it, run `sendkit-sync secret rotate NAME`.",
            )
        stored = cipher_for(config, context).encrypt(name, request.secret, SecretOrigin.CONFIG)
        ledger.record(name, replace(record, secret=stored))
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    return entry is not None and entry.secret is not None and not stored.matches(entry.secret)


def _recorded(context: Context, source: Source) -> tuple[Config, State | None]:
    config = read_config(context, source, entries=False)
    state = read_state(config.state_path)
    check_api(context, state, config.state_path)
    return config, state


def _warn_of_doubt(context: Context, state: State, name: str) -> None:
    """Warn if a new secret was sent with an unknown outcome, so that it may be in force."""
    webhook_id = state.webhooks[name].id
    if any(one.id == webhook_id and one.secret is not None for intents in state.pending.values() for one in intents):
        context.warn(f'a new secret of "{printable(name)}" was sent and may be in force; run apply or secret rotate again')


def _decrypted(cipher: SecretCipher, name: str, record: WebhookRecord, stored: StoredSecret) -> Secret:
    return decrypt(cipher, (name, *record.former_names), stored)
