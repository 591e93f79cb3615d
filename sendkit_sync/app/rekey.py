"""The use cases `secret rekey` and `state encrypt`: encrypt secrets for the recipients now in the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..applying.matching import former_names_after
from ..core.decryption import decrypt, try_decrypt
from ..core.errors import ErrorCode, RefusedError
from ..core.model import Intent, StoredSecret, WebhookRecord
from ..core.ports import SecretCipher
from .context import Context, Source
from .record import open_record
from .wiring import bind_recipients, cipher_for, pinned, read_config


@dataclass(frozen=True, slots=True)
class RekeyRequest:
    """Which secrets to encrypt again: all of them, or only those in clear."""

    source: Source = field(default_factory=Source)
    clear_only: bool = False
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """The number of encrypted secrets and of recipients."""

    secrets: int
    recipients: int


def rekey(context: Context, request: RekeyRequest) -> Rekeyed:
    """Encrypt the recorded secrets for the recipients in the config.

    All are decrypted before anything is written. Raises `SecretUnreadableError` if one cannot be decrypted, and
    `RefusedError` if the config has no recipients.
    """
    config = read_config(context, request.source, entries=False)
    context = pinned(context, config)
    if not config.recipients:
        raise RefusedError(
            ErrorCode.NO_ENCRYPTION, "the config has no `encryption`", hint="Add it with at least one recipient."
        )
    path, purpose = config.state_path, "state encrypt" if request.clear_only else "secret rekey"
    with open_record(context, path, purpose, request.lock_timeout_s, config=config, encrypts=request.clear_only) as ledger:
        state = ledger.state
        rekeyer = _Rekeyer(cipher_for(config, context, state), request.clear_only, state.webhooks)
        records = {name: rekeyer.record(name, record) for name, record in state.webhooks.items()}
        pending = {name: tuple(rekeyer.intent(intent) for intent in intents) for name, intents in state.pending.items()}
        staged = {name: rekeyer.staged(name, stored) for name, stored in state.staged.items()}
        ledger.replace_all(records, pending, staged)
        bind_recipients(ledger, config)
    return Rekeyed(rekeyer.count, len(config.recipients))


@dataclass(slots=True)
class _Rekeyer:
    cipher: SecretCipher
    clear_only: bool
    records: Mapping[str, WebhookRecord]
    count: int = 0

    def record(self, name: str, record: WebhookRecord) -> WebhookRecord:
        names = (name, *record.former_names)
        secret = record.secret and self.keep(names, record.secret)
        previous = tuple(self.keep(names, stored) for stored in record.previous_secrets)
        candidates = tuple(self.keep(names, stored) for stored in record.candidate_secrets)
        return replace(record, secret=secret, previous_secrets=previous, candidate_secrets=candidates)

    def staged(self, name: str, stored: StoredSecret) -> StoredSecret:
        record = self.records.get(name)
        return self.keep((name, *(record.former_names if record is not None else ())), stored)

    def intent(self, intent: Intent) -> Intent:
        # A create that replaces a webhook that is gone uses its secret, which may be encrypted under its former names.
        former = self.records.get(intent.replaces or intent.name)
        names = (intent.name, *former_names_after(former.former_names if former is not None else (), intent.replaces))
        return replace(intent, secret=intent.secret and self.keep(names, intent.secret))

    def keep(self, names: Sequence[str], stored: StoredSecret) -> StoredSecret:
        if self.clear_only and stored.clear is None:
            return stored
        # What nothing proves now is not proved by being encrypted again.
        secret = stored.clear if self.clear_only else try_decrypt(self.cipher, names, stored, proved=True)
        proved = secret is not None and not self.clear_only
        if secret is None:
            secret = decrypt(self.cipher, names, stored)
        self.count += 1
        return self.cipher.encrypt(names[0], secret, stored.origin, proved=proved)
