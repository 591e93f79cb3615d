"""The seam to what keeps secrets readable only for those who may read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .diagnostics import printable
from .errors import SecretUnreadableError
from .model import Secret, SecretOrigin, StoredSecret

NO_IDENTITY = "Set SOPS_AGE_KEY, or SOPS_AGE_KEY_FILE to a file with the identity."


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


def unsealed(vault: Vault, names: Sequence[str], stored: StoredSecret) -> Secret:
    """Return the secret; `names` begins with the name by which its webhook is known.

    Raises `SecretUnreadableError` where it cannot be read here.
    """
    secret = vault.open(names, stored)
    if secret is None:
        raise SecretUnreadableError(f'the secret of "{printable(names[0])}" is sealed', hint=NO_IDENTITY)
    return secret
