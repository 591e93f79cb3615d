"""Redacts known secrets in text for people, and a cipher that registers each secret it handles."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence

from .model import SENSITIVE, Secret, SecretOrigin, StoredSecret
from .ports import SecretCipher

_KEYS = re.compile(r"\bsk_[A-Za-z0-9_-]{8,}|\bAGE-SECRET-KEY-[A-Z0-9-]{8,}", re.IGNORECASE)
"""Anything that looks like an API key or an age identity, known or not."""

_HEAD = 8
"""Number of leading characters that are looked up at each position of a text."""


class Redactor:
    """Replaces the secrets it knows, and anything that looks like a key, with `(sensitive)`. Thread-safe.

    The cost grows with the text and not with the number of secrets, because thousands may be known and every line is cleaned.
    """

    def __init__(self) -> None:
        self._new: set[Secret] = set()
        self._heads: dict[int, dict[str, set[str]]] = {}
        self._lock = threading.Lock()

    def add(self, secret: Secret) -> None:
        """Redact `secret` from now on: as it is, in base64, quoted for a URL, and escaped for JSON or Python."""
        with self._lock:
            self._new.add(secret)

    def clean(self, text: str) -> str:
        """Return `text` with all known secrets redacted."""
        with self._lock:
            if self._new:
                self._learn()
            text = self._masked(text)
        return _KEYS.sub(SENSITIVE, text)

    def _learn(self) -> None:
        from .spellings import spellings

        for form in (form for secret in self._new for form in spellings(secret)):
            size = min(len(form), _HEAD)
            self._heads.setdefault(size, {}).setdefault(form[:size], set()).add(form)
        self._new.clear()

    def _masked(self, text: str) -> str:
        if not self._heads:
            return text
        parts: list[str] = []
        kept_from = masked_until = 0
        for start in range(len(text)):
            end = self._longest_at(text, start)
            if end > masked_until:
                # Overlapping matches count as one, so that no part of a secret is left between them.
                if start >= masked_until:
                    parts += (text[kept_from:start], SENSITIVE)
                kept_from = masked_until = end
        return "".join((*parts, text[kept_from:]))

    def _longest_at(self, text: str, start: int) -> int:
        """Return where the longest match that begins at `start` ends; 0 if there is none."""
        longest = 0
        for size, heads in self._heads.items():
            for form in heads.get(text[start : start + size], ()):
                if text.startswith(form, start):
                    longest = max(longest, start + len(form))
        return longest

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Redact all of this tool's secrets in `environment`, whether they are used or not."""
        for name, value in environment.items():
            if name == "SENDKIT_API_KEY" or name.startswith("SENDKIT_SECRET_"):
                self.add(Secret(value))


REDACTOR = Redactor()
"""Knows the key and the secrets of this process. Whatever reads one adds it."""


class RedactingCipher:
    """A cipher that registers every secret it encrypts or decrypts with `redactor`."""

    def __init__(self, cipher: SecretCipher, redactor: Redactor) -> None:
        self._cipher = cipher
        self._redactor = redactor

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin) -> StoredSecret:
        """Return `secret` as the wrapped cipher encrypts it."""
        self._redactor.add(secret)
        return self._cipher.encrypt(name, secret, origin)

    def decrypt(self, names: Sequence[str], stored: StoredSecret) -> Secret | None:
        """Return the secret as the wrapped cipher decrypts it."""
        secret = self._cipher.decrypt(names, stored)
        if secret is not None:
            self._redactor.add(secret)
        return secret
