"""Normalizes names, finds names that look alike, and masks URLs that are credentials."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Invisible characters (Unicode, Default_Ignorable_Code_Point)."""

_IN_EMOJI = frozenset("\u200d\ufe0e\ufe0f")
"""Joiner and variation selectors, which are part of many emoji."""


def normalized(name: str) -> str:
    """Return a name trimmed and in Unicode NFC. Names that are equal in this form mean the same webhook."""
    name = name.strip()
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def invisible(name: str) -> str | None:
    """Return the first invisible character of a name, such as `U+200B`, or None. Parts of emoji do not count."""
    if name.isascii():
        return None
    found = (char for char in _INVISIBLE.findall(name) if char not in _IN_EMOJI)
    return next((f"U+{ord(char):04X}" for char in found), None)


def masked_url(url: str) -> str:
    """Return a URL that is a credential as it can be shown: its host, and a digest that tells it from others."""
    import hashlib

    origin, _, _ = split_url(url)
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{origin}/(sensitive:{digest})"


def split_url(url: str) -> tuple[str, str, str]:
    """Return scheme and host of a URL; and what may be a credential: its user with the password, and what follows the host."""
    scheme, mark, rest = url.partition("://")
    end = next((place for place, char in enumerate(rest) if char in "/?#\\"), len(rest))
    user, _, host = rest[:end].rpartition("@")
    return f"{scheme}{mark}{host}", user, rest[end:]


def visible_form(name: str) -> str:
    """Return a form that is equal for names that look the same."""
    if not name.isascii():
        name = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name))
    return " ".join(name.split())
