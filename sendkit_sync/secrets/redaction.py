"""Takes known secrets out of text that goes to people; and a vault that makes each secret it handles known."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence

from ..model import SENSITIVE, Secret, SecretOrigin, StoredSecret
from ..vault import Vault

_KEYS = re.compile(r"\bsk_[A-Za-z0-9_-]{8,}|\bAGE-SECRET-KEY-[A-Z0-9-]{8,}", re.IGNORECASE)
"""What has the form of an API key or of an age identity, whoever gave it and wherever it stands."""


class Redactor:
    """Puts `(sensitive)` in the place of the secrets it was given, and of keys; safe to use from several threads."""

    def __init__(self) -> None:
        self._new: set[Secret] = set()
        self._known: set[str] = set()
        self._forms: list[str] = []
        self._lock = threading.Lock()

    def add(self, secret: Secret) -> None:
        """Know `secret` from now on: as it is, in base64, quoted for a URL, and escaped for JSON or Python."""
        with self._lock:
            self._new.add(secret)

    def clean(self, text: str) -> str:
        """Return `text` without any secret that is known."""
        with self._lock:
            if self._new:
                from ..spellings import spellings

                self._known.update(*(spellings(secret) for secret in self._new))
                self._new.clear()
                # The longest first: a form may hold a shorter one, and a rest of it must not stay.
                self._forms = sorted(self._known, key=len, reverse=True)
            for form in self._forms:
                text = text.replace(form, SENSITIVE)
        return _KEYS.sub(SENSITIVE, text)

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Know the secrets that `environment` holds for this tool, used or not."""
        for name, value in environment.items():
            if name == "SENDKIT_API_KEY" or name.startswith("SENDKIT_SECRET_"):
                self.add(Secret(value))


class WatchedVault:
    """A vault that tells `redactor` of every secret that is kept or read."""

    def __init__(self, vault: Vault, redactor: Redactor) -> None:
        self._vault = vault
        self._redactor = redactor

    def keep(self, name: str, secret: Secret, origin: SecretOrigin) -> StoredSecret:
        """Return `secret` as the inner vault keeps it."""
        self._redactor.add(secret)
        return self._vault.keep(name, secret, origin)

    def open(self, names: Sequence[str], stored: StoredSecret) -> Secret | None:
        """Return what the inner vault reads."""
        secret = self._vault.open(names, stored)
        if secret is not None:
            self._redactor.add(secret)
        return secret
