"""The head of a state in a store that keeps it in one register: what is swapped with each write, and its bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core.errors import ErrorCode, StateInvalidError
from ..journal import decode_line, encode_line
from ..node import Node

FORMAT = 1
INLINE_BYTES = 256 * 1024
"""A snapshot or a stretch of the journal above this size is an object of its own, named by its digest."""


@dataclass(frozen=True, slots=True)
class Head:
    """One version of a state.

    `term` rises with each holder, `nonce` is new in each write. `journal` holds the appended pieces in order.
    `version` is what the store calls this version in a condition; it is no part of the content.
    """

    term: int
    nonce: str
    holder: str | None = None
    snapshot: bytes | None = None
    backup: bytes | None = None
    journal: tuple[bytes, ...] = ()
    last_run: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Stands in a head for a text that is an object of its own."""

    sha256: str
    size: int


Text = str | Pointer | None
Fetch = Callable[[Pointer], bytes]


def encode_head(head: Head, snapshot: Text, backup: Text, journal: Sequence[Text]) -> bytes:
    """Return the bytes of a head, its texts as they are given."""
    return encode_line(
        {
            "format": FORMAT,
            "term": head.term,
            "nonce": head.nonce,
            "holder": head.holder,
            "snapshot": _encode(snapshot),
            "backup": _encode(backup),
            "journal": [_encode(text) for text in journal],
            "lastRun": head.last_run,
        }
    )


def decode_head(raw: bytes, where: str, version: str, fetch: Fetch) -> Head:
    """Read a head; anything but a whole and valid one is a `StateInvalidError`. `fetch` gets the texts that stand apart."""
    node = decode_line(raw, where)
    members = dict(node.items())
    if "format" in members and members["format"].count() != FORMAT:
        raise StateInvalidError(
            ErrorCode.STATE_VERSION,
            f"the state is kept in format {members['format'].count()}, this tool knows format {FORMAT}",
            where=where,
            hint="Use the version of sendkit-sync that wrote it, or a newer one. Nothing was overwritten.",
        )
    fields = node.fields("format term nonce holder snapshot backup journal lastRun")

    def text(element: Node) -> bytes | None:
        return None if element.value is None else _decode(element, fetch)

    pieces = (_decode(element, fetch) for element in fields["journal"].elements())
    return Head(
        term=fields["term"].count(),
        nonce=fields.filled("nonce"),
        holder=fields["holder"].text_or_null(),
        snapshot=text(fields["snapshot"]),
        backup=text(fields["backup"]),
        journal=tuple(pieces),
        last_run=fields["lastRun"].text_or_null(),
        version=version,
    )


def _encode(text: Text) -> object:
    return {"sha256": text.sha256, "bytes": text.size} if isinstance(text, Pointer) else text


def _decode(node: Node, fetch: Fetch) -> bytes:
    if isinstance(node.value, dict):
        fields = node.fields("sha256 bytes")
        pointer = Pointer(fields["sha256"].hex(), fields["bytes"].count())
        return fetch(pointer)
    return node.text().encode()
