"""The cipher of a state without encryption: secrets are stored in clear, in files of mode 0600."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import ErrorCode, SecretUnreadableError
from ..core.model import Secret, SecretOrigin, StoredSecret


class ClearCipher:
    """Stores every secret as it is. Nothing proves who wrote one: whoever can change the state can read it."""

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin, *, proved: bool = True) -> StoredSecret:
        """Return `secret` in clear."""
        return StoredSecret(origin, clear=secret)

    def decrypt(self, names: Sequence[str], stored: StoredSecret, *, proved: bool = False) -> Secret | None:
        """Return the secret. Raises `SecretUnreadableError` if it is encrypted."""
        if stored.clear is None:
            raise SecretUnreadableError(
                ErrorCode.NO_ENCRYPTION,
                f'the secret of "{names[0]}" is encrypted, but the config has no `encryption`',
                hint="Add `encryption` to the config again.",
            )
        return stored.clear
