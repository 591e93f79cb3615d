"""Keeps recorded secrets anew: sealed for the recipients that the config names now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..applying.resolving import renamed
from ..config import Config
from ..core.decryption import decrypt
from ..core.model import Intent, StoredSecret, WebhookRecord
from ..core.ports import SecretCipher
from .opened import opened
from .wiring import Context, cipher_for


def rekey_all(context: Context, config: Config, path: str, lock_timeout_s: float, purpose: str, *, clear_only: bool) -> int:
    """Seal every secret of the state anew, or only those in clear; return how many.

    All are opened before one is written. Raises `SecretUnreadableError` where one cannot be.
    """
    with opened(context, config, path, purpose, lock_timeout_s) as ledger:
        state = ledger.state
        sealer = _Rekeyer(cipher_for(config, context), clear_only, state.webhooks)
        records = {name: sealer.record(name, record) for name, record in state.webhooks.items()}
        pending = {name: tuple(sealer.intent(intent) for intent in intents) for name, intents in state.pending.items()}
        ledger.replace_all(records, pending)
    return sealer.count


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
        return replace(record, secret=secret, previous_secrets=previous)

    def intent(self, intent: Intent) -> Intent:
        # A create in the place of a webhook that is gone goes on with its secret, sealed for whatever name that one had.
        former = self.records.get(intent.replaces or intent.name)
        names = (intent.name, *renamed(former.former_names if former is not None else (), intent.replaces))
        return replace(intent, secret=intent.secret and self.keep(names, intent.secret))

    def keep(self, names: Sequence[str], stored: StoredSecret) -> StoredSecret:
        if self.clear_only and stored.clear is None:
            return stored
        secret = decrypt(self.cipher, names, stored)
        self.count += 1
        return self.cipher.encrypt(names[0], secret, stored.origin)
