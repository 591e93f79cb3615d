"""Reads stored secrets, if an identity is available."""

from __future__ import annotations

from collections.abc import Sequence

from .diagnostics import printable
from .errors import ErrorCode, SecretUnreadableError
from .model import Secret, StoredSecret
from .ports import SecretCipher

NO_IDENTITY = (
    "Set SOPS_AGE_KEY to the age identity (private key), SOPS_AGE_KEY_FILE to a file that contains it, or SOPS_AGE_KEY_CMD to "
    "a command that prints it."
)


def try_decrypt(cipher: SecretCipher, names: Sequence[str], stored: StoredSecret, *, proved: bool = False) -> Secret | None:
    """Return the secret, or None if it cannot be read, or is to be `proved` and is not, for any reason."""
    try:
        return cipher.decrypt(names, stored, proved=proved)
    except SecretUnreadableError:
        return None


def decrypt(cipher: SecretCipher, names: Sequence[str], stored: StoredSecret) -> Secret:
    """Return the secret. The first of `names` is the webhook's current name.

    Raises `SecretUnreadableError` if it cannot be read.
    """
    secret = cipher.decrypt(names, stored)
    if secret is None:
        raise SecretUnreadableError(
            ErrorCode.SECRET_UNREADABLE,
            f'the secret of "{printable(names[0])}" is encrypted, and no identity is set',
            hint=NO_IDENTITY,
        )
    return secret
