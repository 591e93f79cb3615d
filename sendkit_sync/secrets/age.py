"""The cipher of an encrypted state: each secret is encrypted with age on its own, for all recipients in the config.

Encrypting needs only the recipients. Decrypting needs an identity, from where SOPS has it. The
webhook's name, the API address and the state's lineage are encrypted with the secret, so that a value moved to another
entry is detected. Anyone can encrypt for a public key. So with an identity at hand, a proof is encrypted with it too: an
HMAC under a key that is derived from the identity.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.decryption import NO_IDENTITY
from ..core.errors import ErrorCode, InvalidError, MissingExtraError, SecretUnreadableError
from ..core.model import Fingerprint, Secret, SecretOrigin, StoredSecret
from ..core.ports import Rng
from .identities import identity_texts

if TYPE_CHECKING:
    from pyrage import x25519

IDENTITY_PREFIX = "AGE-SECRET-KEY-1"
"""The prefix of an X25519 identity. Other kinds continue differently."""


PROOF = b"sendkit-sync: proof of who encrypted a secret"
_PROVED = ("api", "lineage", "name", "secret")


class AgeCipher:
    """Encrypts for `recipients` (age1...), and decrypts if `environment` holds an identity."""

    def __init__(self, recipients: Sequence[str], api: str, lineage: str, rng: Rng, environment: Mapping[str, str]) -> None:
        self._age = _pyrage()
        self._recipients = [self._recipient(text) for text in recipients]
        self._about = {"api": api, "lineage": lineage}
        self._rng = rng
        self._environment = environment
        self._identities: list[x25519.Identity] | None = None
        self._keys: list[bytes] | None = None
        """What proofs are made with, one key for each identity."""
        self._prove()

    def _prove(self) -> None:
        """Encrypt something before the first call: what the API returns must be storable."""
        try:
            self._age.encrypt(b"", self._recipients)
        except self._age.EncryptError as error:
            what = "nothing can be encrypted for the recipients in `encryption`"
            raise InvalidError(
                ErrorCode.RECIPIENT_INVALID, what, hint="Give at least one public key, as age-keygen prints it."
            ) from error

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin, *, proved: bool = True) -> StoredSecret:
        """Return `secret` encrypted for the webhook `name`, with a fingerprint to compare it."""
        inside = {**self._about, "name": name, "secret": secret.reveal()}
        proofs = self._proofs(inside) if proved else []
        data = json.dumps({**inside, "proof": proofs[0]} if proofs else inside).encode()
        encrypted = base64.b64encode(self._age.encrypt(data, self._recipients)).decode("ascii")
        salt = None if origin is SecretOrigin.GENERATED else self._rng.secret()[:32]
        return StoredSecret(origin, encrypted=encrypted, fingerprint=Fingerprint.of(secret, salt))

    def decrypt(self, names: Sequence[str], stored: StoredSecret, *, proved: bool = False) -> Secret | None:
        """Return the secret, or None if there is no identity, or if it is to be `proved` and is not.

        Raises `SecretUnreadableError` if it is in clear, if the identity cannot decrypt it, or if it was encrypted for a
        webhook that is not in `names`, for another API address or for another state.
        """
        if stored.encrypted is None:
            raise SecretUnreadableError(
                ErrorCode.SECRETS_IN_CLEAR,
                f'the secret of "{names[0]}" is in clear, but the config has `encryption`',
                hint="If it was recorded before `encryption` was added, run `sendkit-sync state encrypt`.",
            )
        if self._identities is None:
            self._identities = self._read_identities()
        if not self._identities:
            return None
        inside = self._decrypted(names[0], stored.encrypted)
        secret = Secret(str(inside["secret"]))
        about = {"lineage": self._about["lineage"], **inside}  # older values have no lineage
        same_place = all(about.get(key) == value for key, value in self._about.items()) and inside.get("name") in names
        if not same_place or not stored.matches(secret):
            raise SecretUnreadableError(
                ErrorCode.SECRET_TAMPERED,
                f'the encrypted secret of "{names[0]}" belongs to another webhook, state or API address',
                hint="Restore the entry from a backup. Encrypted secrets were moved between entries.",
            )
        if proved and inside.get("proof") not in self._proofs({key: inside.get(key) for key in _PROVED}):
            return None
        return secret

    def _proofs(self, inside: Mapping[str, object]) -> list[str]:
        """Return the proof of an encrypted value by each identity that is at hand; none if they cannot be read."""
        if self._keys is None:
            identities = self._identities
            try:
                identities = self._read_identities() if identities is None else identities
            except SecretUnreadableError:
                identities = []
            self._keys = [hmac.digest(str(identity).encode(), PROOF, "sha256") for identity in identities]
        data = json.dumps([inside[key] for key in _PROVED]).encode()
        return [hmac.digest(key, data, "sha256").hex() for key in self._keys]

    def _decrypted(self, name: str, encrypted: str) -> dict[str, Any]:
        try:
            inside = json.loads(self._age.decrypt(base64.b64decode(encrypted, validate=True), self._identities))
        except (self._age.DecryptError, ValueError) as error:
            raise SecretUnreadableError(
                ErrorCode.IDENTITY_MISMATCH,
                f'the identity cannot decrypt the secret of "{name}"',
                hint="Use the identity of a recipient that it was encrypted for.",
            ) from error
        if not isinstance(inside, dict) or not isinstance(inside.get("secret"), str):
            raise SecretUnreadableError(
                ErrorCode.SECRET_TAMPERED,
                f'the encrypted secret of "{name}" was not written by this tool',
                hint="Restore the entry from a backup.",
            )
        return inside

    def _recipient(self, text: str) -> x25519.Recipient:
        try:
            return self._age.x25519.Recipient.from_str(text)
        except self._age.RecipientError as error:
            raise InvalidError(
                ErrorCode.RECIPIENT_INVALID,
                "a recipient in `encryption` is not a valid age public key",
                hint="Copy the complete public key (age1...), as age-keygen prints it.",
            ) from error

    def _read_identities(self) -> list[x25519.Identity]:
        """Return the identities that are at hand. Skips comments and keys of other kinds."""
        texts = identity_texts(self._environment)
        lines = [line.strip() for text in texts for line in text.splitlines()]
        try:
            identities = [self._age.x25519.Identity.from_str(line) for line in lines if line.startswith(IDENTITY_PREFIX)]
        except self._age.IdentityError:
            # Not chained: the library's error contains the line that it could not parse.
            raise SecretUnreadableError(
                ErrorCode.IDENTITY_INVALID, "the identity in the environment is not valid", hint=NO_IDENTITY
            ) from None
        if any(texts) and not identities:
            raise SecretUnreadableError(
                ErrorCode.IDENTITY_INVALID,
                "what should hold an identity contains none",
                hint=NO_IDENTITY,
            )
        return identities


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise MissingExtraError("encryption", "age") from error
    return pyrage
