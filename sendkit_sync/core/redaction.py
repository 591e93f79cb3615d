"""Takes known secrets out of text that goes to people; and a vault that makes each secret it handles known."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence

from .model import SENSITIVE, Secret, SecretOrigin, StoredSecret
from .ports import SecretCipher

_KEYS = re.compile(r"\bsk_[A-Za-z0-9_-]{8,}|\bAGE-SECRET-KEY-[A-Z0-9-]{8,}", re.IGNORECASE)
"""What has the form of an API key or of an age identity, whoever gave it and wherever it stands."""

_HEAD = 8
"""How many characters of a spelling are looked up at each place of a text."""


class Redactor:
    """Puts `(sensitive)` in the place of the secrets it was given, and of keys; safe to use from several threads.

    What it costs grows with the text, not with the number of secrets: thousands may be known, and each line is cleaned.
    """

    def __init__(self) -> None:
        self._new: set[Secret] = set()
        self._heads: dict[int, dict[str, set[str]]] = {}
        self._lock = threading.Lock()

    def add(self, secret: Secret) -> None:
        """Know `secret` from now on: as it is, in base64, quoted for a URL, and escaped for JSON or Python."""
        with self._lock:
            self._new.add(secret)

    def clean(self, text: str) -> str:
        """Return `text` without any secret that is known."""
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
                # What overlaps is one: no rest of a secret stays between two.
                if start >= masked_until:
                    parts += (text[kept_from:start], SENSITIVE)
                kept_from = masked_until = end
        return "".join((*parts, text[kept_from:]))

    def _longest_at(self, text: str, start: int) -> int:
        """Return where the longest spelling that begins at `start` ends; 0 where none does."""
        longest = 0
        for size, heads in self._heads.items():
            for form in heads.get(text[start : start + size], ()):
                if text.startswith(form, start):
                    longest = max(longest, start + len(form))
        return longest

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Know the secrets that `environment` holds for this tool, used or not."""
        for name, value in environment.items():
            if name == "SENDKIT_API_KEY" or name.startswith("SENDKIT_SECRET_"):
                self.add(Secret(value))


REDACTOR = Redactor()
"""Knows the key and the secrets of this process; what reads one adds it."""


class RedactingCipher:
    """A vault that tells `redactor` of every secret that is kept or read."""

    def __init__(self, cipher: SecretCipher, redactor: Redactor) -> None:
        self._cipher = cipher
        self._redactor = redactor

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin) -> StoredSecret:
        """Return `secret` as the inner vault keeps it."""
        self._redactor.add(secret)
        return self._cipher.encrypt(name, secret, origin)

    def decrypt(self, names: Sequence[str], stored: StoredSecret) -> Secret | None:
        """Return what the inner vault reads."""
        secret = self._cipher.decrypt(names, stored)
        if secret is not None:
            self._redactor.add(secret)
        return secret
