"""Checks the signature of a delivery, for receivers. Imports only `hmac`, and also works as a copy of this one file."""

from __future__ import annotations

import hmac

TYPE_CHECKING = False  # not from `typing`, which takes longer to import than everything else

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .core.model import Secret

    Key = str | bytes | Secret
    """A signing secret, in any form that a receiver may have it."""

PREFIX = b"sha256="


def verify_signature(body: bytes, header: str | bytes | None, secrets: Key | Iterable[Key]) -> bool:
    """Return whether `header` is the signature of `body` under one of `secrets`.

    `body` is the raw body as it was received. `header` is the value of `X-Webhook-Signature`: HMAC-SHA256 as hex, with or
    without `sha256=` in front (SendKit API, Deliveries); None, for a missing header, never verifies. `secrets` is one secret
    or several: also pass the next and the previous one, so that a rotation loses no delivery. Blank secrets (empty, white
    space, zero bytes) are ignored, because anyone can sign with them. The comparison takes constant time.

    Raises `ValueError` if no secret is left. Raises `TypeError` for a body that is text (bytes are signed), for a secret that
    is not str, bytes or `Secret`, and for a mapping, whose keys are names.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError("the body must be the raw bytes of the request")
    if not isinstance(header, str | bytes | None):
        raise TypeError(f"the header must be str, bytes or None, not {type(header).__name__}")
    keys = [key for key in map(_raw, _listed(secrets)) if not _is_blank(key)]
    if not keys:
        raise ValueError("there is no secret to check the signature with")
    # Bytes, because compare_digest rejects non-ASCII text.
    offered = _encoded(header or b"").strip().lower().removeprefix(PREFIX)
    found = False
    for key in keys:
        found |= hmac.compare_digest(offered, hmac.digest(key, body, "sha256").hex().encode())
    return found


def _listed(secrets: Any) -> list[Any]:
    if isinstance(secrets, str | bytes) or not hasattr(secrets, "__iter__"):
        return [secrets]
    if isinstance(secrets, bytearray | memoryview) or hasattr(secrets, "keys"):
        raise _wrong_type(secrets)
    return list(secrets)


def _raw(key: Any) -> bytes:
    """Return the key as bytes. Other types are rejected: `bytes(32)` would be 32 zero bytes, with which anyone can sign."""
    text = key.reveal() if hasattr(key, "reveal") else key
    if not isinstance(text, str | bytes):
        raise _wrong_type(key)
    return _encoded(text)


def _encoded(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _is_blank(key: bytes) -> bool:
    return not key.decode("utf-8", "replace").replace("\0", "").strip()


def _wrong_type(key: object) -> TypeError:
    return TypeError(f"a secret must be str, bytes or Secret, not {type(key).__name__}")
