"""Redacts known secrets in text for people, and a cipher that registers each secret it handles."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence

from .diagnostics import printable
from .model import SENSITIVE, Secret, SecretOrigin, StoredSecret
from .ports import SecretCipher

SHORTEST = 4
"""A secret with fewer characters is not redacted: that would spoil every line."""

RUN = 16
"""So many letters and digits of a secret in a row are redacted, in any case and with anything else between them."""

_GRAM, _STRIDE = 8, 9
"""Of each secret, every 9th piece of 8 characters is indexed: a run of 16 holds at least one of them."""

_KEYS = re.compile(r"\bsk_[A-Za-z0-9_-]{8,}|\bAGE-SECRET-KEY-[A-Z0-9-]{8,}", re.IGNORECASE)
"""Anything that looks like an API key or an age identity, known or not."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{22,}={0,2}", re.ASCII)
_FROM_ENVIRONMENT = re.compile(
    "SENDKIT_API_KEY|SENDKIT_(?:SECRET|KEY)_.*|PGPASSWORD"
    "|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AZURE_(?:STORAGE_ACCOUNT_KEY|STORAGE_SAS_TOKEN|CLIENT_SECRET)"
)
Span = tuple[int, int]
"""Where a secret begins in a text, and where it ends."""


class Redactor:
    """Replaces the secrets it knows, and anything that looks like a key, with `(sensitive)`. Thread-safe.

    The cost grows with the text and not with the number of secrets, because thousands may be known and every line is cleaned.
    """

    def __init__(self, shortest: int = SHORTEST) -> None:
        """`shortest` is the number of characters that a secret has at least."""
        self._shortest = shortest
        self._known: set[Secret] = set()
        self._new: set[Secret] = set()
        self._heads: dict[int, dict[str, set[str]]] = {}
        """Forms to find as they are: length of the head to head to forms."""
        self._grams: dict[str, dict[str, int]] = {}
        """Piece of a secret to the secret in letters and digits, and where the piece stands in it."""
        self._longest = 0
        self._lock = threading.Lock()

    def add(self, secret: Secret) -> None:
        """Redact `secret` from now on: whole in any usual encoding, and pieces of `RUN` characters."""
        with self._lock:
            if secret not in self._known:
                self._known.add(secret)
                self._new.add(secret)

    def add_environment(self, environment: Mapping[str, str]) -> None:
        """Redact all secrets in `environment` that belong to this tool or its stores, used or not."""
        for name, value in environment.items():
            if _FROM_ENVIRONMENT.fullmatch(name):
                self.add(Secret(value))

    def clean(self, text: str, limit: int | None = None) -> str:
        """Return the first `limit` characters of `text`, or all, with every known secret redacted, also one at the cut."""
        with self._lock:
            self._learn()
            # A secret that begins before the cut is seen whole.
            window = text if limit is None else text[: limit + 2 * self._longest + 128]
            spans = sorted(self._spans(window))
        end = len(window) if limit is None else min(limit, len(window))
        parts: list[str] = []
        done = 0
        for start, stop in spans:
            if start >= end:
                break
            if start > done or not done:
                parts += (window[done:start], SENSITIVE)
            done = max(done, stop)
        return "".join((*parts, window[done:end]))

    def holds(self, text: str) -> bool:
        """Tell whether `text` holds a secret."""
        with self._lock:
            self._learn()
            return any(True for _ in self._spans(text))

    def _learn(self) -> None:
        for secret in self._new:
            text = secret.reveal()
            squeezed, _ = _squeezed(text)
            for offset in range(0, len(squeezed) - _GRAM + 1, _STRIDE) if len(squeezed) >= RUN else ():
                self._grams.setdefault(squeezed[offset : offset + _GRAM], {}).setdefault(squeezed, offset)
            for form in _spellings(text, self._shortest):
                size = min(len(form), _GRAM)
                self._heads.setdefault(size, {}).setdefault(form[:size], set()).add(form)
                self._longest = max(self._longest, len(form))
            self._longest = max(self._longest, len(text))
        self._new.clear()

    def _spans(self, text: str) -> Iterator[Span]:
        """Yield where secrets stand, in any order; they may overlap."""
        yield from (found.span() for found in _KEYS.finditer(text))
        for start in range(len(text)) if self._heads else ():
            for size, heads in self._heads.items():
                for form in heads.get(text[start : start + size], ()):
                    if text.startswith(form, start):
                        yield start, start + len(form)
        if self._grams and len(text) >= RUN:
            squeezed, places = _squeezed(text)
            yield from ((places[start], places[stop - 1] + 1) for start, stop in self._runs(squeezed))
            for found in _BASE64.finditer(text):
                if any(True for plain in _decoded(found[0]) for _ in self._runs(_squeezed(plain)[0])):
                    yield found.span()

    def _runs(self, squeezed: str) -> Iterator[Span]:
        """Yield the runs of secrets in a text that consists of letters and digits."""
        seen: dict[str, int] = {}
        for start in range(len(squeezed) - _GRAM + 1):
            for secret, offset in self._grams.get(squeezed[start : start + _GRAM], {}).items():
                if seen.get(secret, 0) >= start + _GRAM:
                    continue
                before, after = 0, _GRAM
                while before < min(start, offset) and squeezed[start - before - 1] == secret[offset - before - 1]:
                    before += 1
                left = min(len(squeezed) - start, len(secret) - offset)
                while after < left and squeezed[start + after] == secret[offset + after]:
                    after += 1
                if before + after >= RUN:
                    seen[secret] = start + after
                    yield start - before, start + after


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Return the letters and digits of `text` in lower case, and the place of each in it."""
    places = [place for place, char in enumerate(text) if char.isalnum()]
    chars = [text[place] for place in places]
    squeezed = "".join(chars).lower()
    if len(squeezed) != len(places):  # a letter that is two in lower case stays as it is
        squeezed = "".join([lower if len(lower := char.lower()) == 1 else char for char in chars])
    return squeezed, places


def _decoded(text: str) -> Iterator[str]:
    """Yield what a piece of base64 stands for, from each place where a group of four may begin."""
    import base64

    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):
        whole = plain[start:]
        yield base64.b64decode(whole + "A" * (-len(whole) % 4)).decode("latin-1")


def _spellings(whole: str, shortest: int) -> set[str]:
    """Return the forms to find as they are: the text, in base64, quoted for a URL, escaped for JSON, Python or a message.

    Also without the white space around it, which a server may strip. None for letters and digits that `RUN` covers.
    """
    forms = {form for text in {whole, whole.strip()} for form in _forms(text)}
    return {form for form in forms if len(form) >= shortest}


def _forms(text: str) -> set[str]:
    plain = text.isascii() and text.isalnum()  # as a generated secret is: nobody quotes or escapes a letter or a digit
    if plain and len(text) >= RUN:
        return set()
    import base64
    import json
    from urllib.parse import quote, quote_plus

    raw = text.encode("utf-8", "surrogatepass")
    coded = {text, base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    if plain:
        return coded
    return coded | {
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        printable(text, len(text)),
    }


REDACTOR = Redactor()
"""Knows the API key and the secrets of this process. Code that reads a secret adds it."""


class RedactingCipher:
    """A cipher that adds every secret it encrypts or decrypts to `redactor`."""

    def __init__(self, cipher: SecretCipher, redactor: Redactor) -> None:
        self._cipher = cipher
        self._redactor = redactor

    def encrypt(self, name: str, secret: Secret, origin: SecretOrigin, *, proved: bool = True) -> StoredSecret:
        """Return `secret` as the inner cipher stores it."""
        self._redactor.add(secret)
        return self._cipher.encrypt(name, secret, origin, proved=proved)

    def decrypt(self, names: Sequence[str], stored: StoredSecret, *, proved: bool = False) -> Secret | None:
        """Return what the inner cipher reads."""
        secret = self._cipher.decrypt(names, stored, proved=proved)
        if secret is not None:
            self._redactor.add(secret)
        return secret
