"""Reads stored secrets, where the identity is at hand."""

from __future__ import annotations

from collections.abc import Sequence

from .diagnostics import printable
from .errors import ErrorCode, SecretUnreadableError
from .model import Secret, StoredSecret
from .ports import SecretCipher

NO_IDENTITY = "Set SOPS_AGE_KEY, or SOPS_AGE_KEY_FILE to a file with the identity."


def try_decrypt(cipher: SecretCipher, names: Sequence[str], stored: StoredSecret) -> Secret | None:
    """Return the secret, or None where it cannot be read here, for whatever reason."""
    try:
        return cipher.decrypt(names, stored)
    except SecretUnreadableError:
        return None


def decrypt(cipher: SecretCipher, names: Sequence[str], stored: StoredSecret) -> Secret:
    """Return the secret; `names` begins with the name by which its webhook is known.

    Raises `SecretUnreadableError` where it cannot be read here.
    """
    secret = cipher.decrypt(names, stored)
    if secret is None:
        raise SecretUnreadableError(
            ErrorCode.SECRET_UNREADABLE, f'the secret of "{printable(names[0])}" is sealed', hint=NO_IDENTITY
        )
    return secret
