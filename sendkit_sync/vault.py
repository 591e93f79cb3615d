"""The seam to what keeps secrets readable only for those who may read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .errors import SecretUnreadableError
from .model import Secret, SecretOrigin, StoredSecret


class Vault(Protocol):
    """Turns secrets into what the state keeps, and back."""

    def keep(self, name: str, secret: Secret, origin: SecretOrigin) -> StoredSecret:
        """Return `secret` as the state of webhook `name` is to hold it."""
        ...

    def open(self, names: Sequence[str], stored: StoredSecret) -> Secret | None:
        """Return the secret, or None where it is sealed and there is no identity.

        `names` are those that its seal may have been made under. Raises `SecretUnreadableError` for a seal that
        belongs to another webhook or another API address.
        """
        ...


def readable(vault: Vault, names: Sequence[str], stored: StoredSecret) -> Secret | None:
    """Return the secret, or None where it cannot be read here, for whatever reason."""
    try:
        return vault.open(names, stored)
    except SecretUnreadableError:
        return None
