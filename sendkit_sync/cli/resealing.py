"""Keeps recorded secrets anew: sealed for the recipients that the config names now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..config import Config
from ..diagnostics import printable
from ..errors import SecretUnreadableError, StateIOError
from ..model import Intent, Recorded, StoredSecret
from ..vault import Vault
from .opened import opened
from .wiring import Context, vault_for

NO_IDENTITY = "Set SOPS_AGE_KEY, or SOPS_AGE_KEY_FILE to a file with the identity."


def reseal(context: Context, config: Config, path: str, lock_timeout_s: float, purpose: str, *, clear_only: bool) -> int:
    """Seal every secret of the state anew, or only those in clear; return how many.

    All are opened before one is written. Raises `SecretUnreadableError` where one cannot be.
    """
    sealer = _Sealer(vault_for(config, context), clear_only)
    with opened(context, config, path, purpose, lock_timeout_s) as ledger:
        state = ledger.state
        records = {name: sealer.record(name, record) for name, record in state.webhooks.items()}
        intents = [sealer.intent(intent) for pending in state.pending.values() for intent in pending]
        for name, record in records.items():
            if record is not state.webhooks[name]:
                ledger.record(name, record)
        for intent in intents:
            if intent.secret is not None:
                ledger.begin(intent)
    _scrub_backup(path)
    return sealer.count


@dataclass(slots=True)
class _Sealer:
    vault: Vault
    clear_only: bool
    count: int = 0

    def record(self, name: str, record: Recorded) -> Recorded:
        names = (name, *record.former_names)
        secret, previous = self.keep(names, record.secret), self.keep(names, record.previous_secret)
        if secret is record.secret and previous is record.previous_secret:
            return record
        return replace(record, secret=secret, previous_secret=previous)

    def intent(self, intent: Intent) -> Intent:
        return replace(intent, secret=self.keep((intent.name,), intent.secret))

    def keep(self, names: Sequence[str], stored: StoredSecret | None) -> StoredSecret | None:
        if stored is None or (self.clear_only and stored.clear is None):
            return stored
        secret = self.vault.open(names, stored)
        if secret is None:
            raise SecretUnreadableError(f'the secret of "{printable(names[0])}" is sealed', hint=NO_IDENTITY)
        self.count += 1
        return self.vault.keep(names[0], secret, stored.origin)


def _scrub_backup(path: str) -> None:
    """Replace the backup by a copy of the state: the one before holds the secrets as they were kept until now."""
    real = os.path.realpath(path)
    temporary = Path(f"{real}.backup.tmp")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Path(real).read_bytes())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(f"{real}.backup")
    except OSError as error:
        hint = f"Delete it by hand: {printable(real)}.backup"
        raise StateIOError("the backup still holds the secrets as they were", where=path, hint=hint) from error
