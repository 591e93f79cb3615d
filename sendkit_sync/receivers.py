"""Checks the signature of a delivery; for receivers, and free of all that the rest of the package needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from .core.model import Secret

PREFIX = b"sha256="


Key = str | bytes | Secret
"""A signing secret in any of the forms in which receivers have it."""


def verify_signature(body: bytes, header: str | bytes | None, secrets: Key | Iterable[Key]) -> bool:
    """Tell whether `header` is the signature of `body` under one of `secrets`.

    `body` is the raw body as it came, `header` the value of `X-Webhook-Signature`: HMAC-SHA256 as hex, with
    `sha256=` before it or without (SendKit API, Deliveries). Whatever else stands there is no signature, and None, where
    the header is missing, neither. Give the secret and the previous one to accept both while a rotation goes round.
    Empty secrets are left out, because anyone can sign with them. It takes the same time wherever the signatures
    differ, and whichever secret fits.

    Raises `ValueError` where no secret is left, and `TypeError` for a body that is text: what was signed are bytes.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body must be the raw bytes of the request")
    given = [secrets] if isinstance(secrets, Key) else list(secrets)
    keys = [key for key in map(_bytes, given) if key]
    if not keys:
        raise ValueError("no secret to check the signature with")
    # Bytes, because compare_digest refuses text that is not ASCII.
    offered = _bytes(header or b"").strip().lower().removeprefix(PREFIX)
    found = False
    for key in keys:
        expected = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
        found |= hmac.compare_digest(offered, expected)
    return found


def _bytes(text: Key) -> bytes:
    if isinstance(text, Secret):
        text = text.reveal()
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
