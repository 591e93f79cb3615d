"""The use cases `secret get`, `secret export` and `secret set`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ..config import Config
from ..config.checks import MIN_SECRET
from ..core.decryption import decrypt
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, InvalidError, RefusedError, UsageError
from ..core.model import Secret, SecretOrigin, State
from ..core.policy import Policy
from ..planning.scope import PlanScope
from ..secrets.export import Exported, Key, Slot, merged_dotenv
from .checks import check_api, not_recorded, refuse_unmanaged
from .context import Context, Source
from .git_guard import warn_of_exported
from .private_file import replace_private
from .record import open_record
from .wiring import bind_recipients, cipher_for, pinned, read_config, read_state

ALONE = "Supply only the secret, exactly as SendKit shows it."
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
REPLACE = "Nothing was written. Name another file, or use --overwrite."
SUPPLY = "Supply it with `sendkit-sync secret set NAME < FILE`."


def get_secret(context: Context, source: Source, name: str, previous: int = 0) -> Secret:
    """Return the secret of a webhook, or with `previous` the one that many changes ago.

    Raises `RefusedError` if there is none, and `SecretUnreadableError` if it cannot be decrypted.
    """
    config, state = recorded_config(context, source)
    path = config.state_path
    if state is None or name not in state.webhooks:
        raise not_recorded(name, path)
    record = state.webhooks[name]
    _warn_of_doubt(context, state, name)
    stored = dict(enumerate(record.secrets())).get(previous)
    if stored is None:
        raise secret_not_recorded(name, path, previous=previous > 0)
    return decrypt(cipher_for(config, context, state), (name, *record.former_names), stored)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Whose secrets to export, by patterns with `*` (all, for none), and whether staged and previous ones too."""

    source: Source = field(default_factory=Source)
    only: tuple[str, ...] = ()
    staged: bool = False
    previous: bool = False


def read_secrets(context: Context, request: ExportRequest) -> dict[Key, Secret]:
    """Return the secrets of the recorded webhooks and, where asked for, staged and previous ones.

    Warns of each that is missing. Raises `RefusedError` where a pattern matches nothing that is recorded, or names one webhook
    whose secret is missing.
    """
    config, state = recorded_config(context, request.source)
    records = dict(state.webhooks) if state is not None else {}
    staged = dict(state.staged) if state is not None and request.staged else {}
    known = {*records, *staged}
    if not known:
        context.warn(f"{printable(config.state_path)}: nothing is recorded, so nothing is exported")
    scope = PlanScope(targets=request.only)
    if idle := scope.idle(known):
        raise not_recorded(idle[0], config.state_path)
    cipher = cipher_for(config, context, state)
    secrets: dict[Key, Secret] = {}
    for name in sorted(filter(scope.cover, known)):
        record = records.get(name)
        policy = config.policies.get(name, Policy())
        if not policy.manage_secret:
            if name in request.only:
                refuse_unmanaged(config, name)
            continue
        names = (name, *(record.former_names if record is not None else ()))
        found = {Slot.NEXT: staged.get(name)}
        if record is not None:
            found[Slot.CURRENT] = record.secret
            found[Slot.PREVIOUS] = next(iter(record.previous_secrets), None) if request.previous else None
            if record.secret is None and name in request.only:
                raise secret_not_recorded(name, config.state_path)
            if record.secret is None:
                context.warn(f'the secret of "{printable(name)}" is missing and not exported')
            elif state is not None:
                _warn_of_doubt(context, state, name)
        for slot, stored in found.items():
            if stored is not None:
                secrets[Key(name, slot, policy.export_as)] = decrypt(cipher, names, stored)
    return secrets


def secret_not_recorded(name: str, path: str, *, previous: bool = False) -> RefusedError:
    """Return the error for a webhook whose secret is missing in the state."""
    what = f'no {"previous " if previous else ""}secret of "{printable(name)}" is recorded'
    hint = "There is a previous secret only after the secret has changed." if previous else SUPPLY
    return RefusedError(ErrorCode.SECRET_NOT_RECORDED, what, where=path, hint=hint)


def write_secrets(context: Context, path: str, text: str, *, overwrite: bool) -> None:
    """Put a file of mode 0600 with `text` at `path`; warns where git would take it along.

    Raises `RefusedError` where a file with other content is there, unless it may be overwritten.
    """
    if not overwrite and read_there(path) not in (None, text):
        raise RefusedError(ErrorCode.OUTPUT_EXISTS, "the file exists and holds something else", where=path, hint=REPLACE)
    replace_private(path, text)
    warn_of_exported(context, path)


def write_dotenv(context: Context, path: str, secrets: Exported, *, overwrite: bool) -> None:
    """Change the lines of these webhooks in the dotenv file at `path`, made if need be, and keep all others."""
    there = None if overwrite else read_there(path)
    merged = merged_dotenv(there or "", secrets)
    if merged is None:
        raise RefusedError(
            ErrorCode.OUTPUT_EXISTS,
            "the file is not a dotenv file",
            where=path,
            hint=REPLACE,
        )
    replace_private(path, merged)
    warn_of_exported(context, path)


def read_there(path: str) -> str | None:
    """Return the text of the regular file at `path`, None where there is none: the writer refuses anything else."""
    file = Path(path)
    if file.is_symlink() or not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_OUTPUT_BYTES).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


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
    config, name = read_config(context, request.source), request.name
    context = pinned(context, config)
    if not request.secret.reveal().strip():
        raise UsageError(ErrorCode.SECRET_INVALID, "standard input contains no secret", hint=SUPPLY)
    check_secret(context, request.secret, "the secret")
    path = config.state_path
    with open_record(context, path, "secret set", request.lock_timeout_s, config=config, adds_secret=True) as ledger:
        record = ledger.record_of(name)
        if record is None:
            raise not_recorded(name, path)
        if record.secret is not None:
            raise RefusedError(
                ErrorCode.SECRET_RECORDED,
                f'the secret of "{printable(name)}" is already recorded',
                hint="To change it, run `sendkit-sync secret rotate NAME`.",
            )
        stored = cipher_for(config, context, ledger.state).encrypt(name, request.secret, SecretOrigin.CONFIG)
        ledger.record(name, replace(record, secret=stored))
        bind_recipients(ledger, config)
    entry = next((webhook for webhook in config.webhooks if webhook.name == name), None)
    return entry is not None and entry.secret is not None and not stored.matches(entry.secret)


def check_secret(context: Context, secret: Secret, what: str) -> None:
    """Raise `UsageError` for a supplied secret that no environment variable can hold; warn of a short one."""
    text = secret.reveal()
    if "\0" in text:
        reason = f"{what} contains a zero byte, which no environment variable can hold"
        raise UsageError(ErrorCode.SECRET_INVALID, reason, hint=ALONE)
    if len(text) < MIN_SECRET:
        context.warn(f"{what} is shorter than {MIN_SECRET} characters")


def recorded_config(context: Context, source: Source) -> tuple[Config, State | None]:
    """Return config and state for a command that reads secrets; raises `InvalidError` where they do not fit together."""
    config = read_config(context, source, entries=False)
    context = pinned(context, config)
    state = read_state(config.state_path)
    check_api(context, state, config.state_path)
    _refuse_copied(config, state)
    return config, state


def _refuse_copied(config: Config, state: State | None) -> None:
    """Raise `InvalidError` if a secret stands at two webhooks: whoever has the one could sign for the other."""
    owners: dict[object, tuple[str, str]] = {}
    for name, record in state.webhooks.items() if state is not None else ():
        for stored in record.secrets() if record.secret is not None and record.secret.encrypted is not None else ():
            drawn = stored.origin is SecretOrigin.GENERATED
            owner, webhook_id = owners.setdefault(stored.fingerprint if drawn else stored.encrypted, (name, record.id))
            if webhook_id != record.id:
                raise InvalidError(
                    ErrorCode.SECRET_TAMPERED,
                    f'"{printable(owner)}" and "{printable(name)}" have the same encrypted secret',
                    where=config.state_path,
                    hint="Restore the entry from a backup. Encrypted secrets were copied between entries.",
                )


def _warn_of_doubt(context: Context, state: State, name: str) -> None:
    """Warn if a new secret was sent with an unknown outcome, so that it may be in force."""
    webhook_id = state.webhooks[name].id
    if any(one.id == webhook_id and one.secret is not None for intents in state.pending.values() for one in intents):
        context.warn(f'a new secret of "{printable(name)}" was sent and may be in force; run apply or secret rotate again')
