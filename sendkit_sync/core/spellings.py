"""The forms in which a secret may turn up in text: a server's error, a library's message, a log line."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

from .diagnostics import printable
from .model import Secret

SHORTEST = 4
"""Below this many characters a text is no secret worth its name, and replacing it would spoil every line."""


def spellings(secret: Secret) -> set[str]:
    """Return `secret` as it is, in base64, quoted for a URL, and escaped for JSON, Python or a message.

    Also without white space around it, which a server may take away. A very short one has no spelling.
    """
    whole = secret.reveal()
    forms = {form for text in {whole, whole.strip()} for form in _forms(text)}
    return {form for form in forms if len(form) >= SHORTEST}


def _forms(text: str) -> set[str]:
    if len(text) < SHORTEST:
        return set()
    raw = text.encode("utf-8", "surrogatepass")
    coded = {text, base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    if text.isascii() and text.isalnum():  # as a drawn secret is: nobody quotes or escapes a letter or a digit
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
