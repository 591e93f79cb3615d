"""The use case `secret import`: records many secrets that SendKit already has, from one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO

from ..config import Config
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, UsageError
from ..core.model import Secret, SecretOrigin, State
from ..core.policy import DEFAULT_POLICY
from ..secrets.export import Key, Slot
from .checks import refuse_unmanaged
from .context import Context, Source
from .record import open_record
from .secrets import check_secret
from .wiring import bind_recipients, cipher_for, pinned, read_config

FORMS = ("dotenv", "json")


@dataclass(frozen=True, slots=True)
class ImportSecretsRequest:
    """The text to read: dotenv lines, or a JSON object, both as `secret export` writes them."""

    form: str
    text: str
    source: Source = field(default_factory=Source)
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ImportedSecrets:
    """The webhooks whose secrets were recorded, and those that had the same one; the number of other keys in the file."""

    recorded: tuple[str, ...]
    unchanged: tuple[str, ...]
    ignored: int


def import_secrets(context: Context, request: ImportSecretsRequest) -> ImportedSecrets:
    """Record the secrets of webhooks that have none recorded; nothing is sent. All are recorded, or none.

    A key is the variable of a webhook, as `secret export` names it, or in JSON its name. Raises `RefusedError` if a webhook
    has another secret recorded, and `UsageError` if the text cannot be read.
    """
    config = read_config(context, request.source, entries=False)
    context = pinned(context, config)
    given = dict(_dotenv(request.text) if request.form == "dotenv" else _json(request.text))
    with open_record(
        context, config.state_path, "secret import", request.lock_timeout_s, config=config, adds_secret=True
    ) as ledger:
        state = ledger.state
        found, ignored = _by_webhook(config, state, given)
        new = {name: secret for name, secret in found.items() if state.webhooks[name].secret is None}
        _refuse_others(state, found)
        for name, secret in new.items():
            refuse_unmanaged(config, name)
            check_secret(context, secret, f'the secret of "{printable(name)}"')
        cipher = cipher_for(config, context, state)
        encrypted = {name: cipher.encrypt(name, secret, SecretOrigin.CONFIG) for name, secret in new.items()}
        for name, stored in encrypted.items():
            ledger.record(name, replace(state.webhooks[name], secret=stored))
        bind_recipients(ledger, config)
    return ImportedSecrets(tuple(new), tuple(name for name in found if name not in new), ignored)


def _by_webhook(config: Config, state: State, given: Mapping[str, str]) -> tuple[dict[str, Secret], int]:
    """Return the secrets by webhook, and how many keys belong to none."""
    owners = {name: name for name in state.webhooks}
    for name in state.webhooks:
        owners[Key(name, Slot.CURRENT, config.policies.get(name, DEFAULT_POLICY).export_as).variable(Slot.CURRENT)] = name
    found: dict[str, Secret] = {}
    for key, text in given.items():
        owner = owners.get(key)
        if owner is None or not text.strip():
            continue
        if owner in found and found[owner] != Secret(text):
            raise _invalid(f'it has two secrets for "{printable(owner)}"')
        found[owner] = Secret(text)
    return found, sum(key not in owners for key in given)


def _refuse_others(state: State, found: Mapping[str, Secret]) -> None:
    recorded = {name: state.webhooks[name].secret for name in found}
    others = [name for name, stored in recorded.items() if stored is not None and not stored.matches(found[name])]
    if others:
        names = ", ".join(f'"{printable(name)}"' for name in others)
        raise RefusedError(
            ErrorCode.SECRET_RECORDED,
            f"another secret is already recorded for {names}",
            hint="Nothing was recorded. Remove these from the file; to change a secret, run `sendkit-sync secret rotate NAME`.",
        )


def _dotenv(text: str) -> Iterator[tuple[str, str]]:
    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(text)):
        if binding.error:
            raise _invalid(f"line {binding.original.line} is not a dotenv line")
        if binding.key is not None:
            yield binding.key, binding.value or ""


def _json(text: str) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None  # the error would quote the text
    if not isinstance(document, dict):
        raise _invalid("it is not a JSON object")
    for key, value in document.items():
        secret = value.get("current", "") if isinstance(value, dict) else value
        if not isinstance(secret, str):
            raise _invalid(f'the value of "{printable(key)}" is not a string')
        yield key, secret


def _invalid(reason: str) -> UsageError:
    hint = "Pass what `sendkit-sync secret export` writes: lines NAME=SECRET, or a JSON object of names to secrets."
    return UsageError(ErrorCode.SECRETS_UNREADABLE, f"the secrets cannot be read: {reason}", hint=hint)
