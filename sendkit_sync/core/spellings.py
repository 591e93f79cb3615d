"""The encodings in which a secret may appear in a server's error, a library's message or a log line."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

from .diagnostics import printable
from .model import Secret

SHORTEST = 4
"""Secrets shorter than this are not redacted, because replacing them would garble every line."""


def spellings(secret: Secret) -> set[str]:
    """Return `secret` as it is, in base64, quoted for a URL, and escaped for JSON, Python or a message.

    Also without surrounding white space, which a server may strip. Empty for a very short secret.
    """
    whole = secret.reveal()
    forms = {form for text in {whole, whole.strip()} for form in _forms(text)}
    return {form for form in forms if len(form) >= SHORTEST}


def _forms(text: str) -> set[str]:
    if len(text) < SHORTEST:
        return set()
    raw = text.encode("utf-8", "surrogatepass")
    coded = {text, base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    if text.isascii() and text.isalnum():  # such as a generated secret: letters and digits are never quoted or escaped
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
