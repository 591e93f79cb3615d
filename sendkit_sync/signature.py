"""Checks the signature of a delivery; for receivers, and free of all that the rest of the package needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from .model import Secret

PREFIX = "sha256="


def verify_signature(body: bytes, header: str | None, secrets: str | Secret | Iterable[str | Secret]) -> bool:
    """Tell whether `header` is the signature of `body` under one of `secrets`.

    `body` is the raw body as it came, `header` the value of `X-Webhook-Signature`: HMAC-SHA256 as hex, with
    `sha256=` before it or without (SendKit API, Deliveries); None, where the header is missing, is no signature.
    Give the secret and the previous one to accept both while a rotation goes round. Empty secrets are left out,
    because anyone can sign with them. It takes the same time wherever the signatures differ, and whichever secret fits.

    Raises `ValueError` where no secret is left, and `TypeError` for a body that is text: what was signed are bytes.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body must be the raw bytes of the request")
    given = [secrets] if isinstance(secrets, str | Secret) else list(secrets)
    keys = [secret.reveal() if isinstance(secret, Secret) else secret for secret in given]
    keys = [key for key in keys if key]
    if not keys:
        raise ValueError("no secret to check the signature with")
    text = (header or "").strip()
    if text[: len(PREFIX)].lower() == PREFIX:
        text = text[len(PREFIX) :]
    # Bytes, because compare_digest refuses text that is not ASCII.
    offered = text.lower().encode("utf-8", "surrogatepass")
    found = False
    for key in keys:
        expected = hmac.new(key.encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest().encode()
        found |= hmac.compare_digest(offered, expected)
    return found
