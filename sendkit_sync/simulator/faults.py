"""Faults to order: which request is hit, and how its answer goes wrong."""

from __future__ import annotations

import shlex
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

METHODS = ("*", "GET", "POST", "PATCH", "DELETE")
KINDS = ("status", "drop", "cut", "delay", "garbage", "drip", "redirect", "gzip-bomb", "no-id", "empty", "page")
BOMB_BYTES = 256 * 1024 * 1024
"""How long the body of a `gzip-bomb` is when it is unpacked."""

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it hits the `nth` request (each, for None) that fits `method` and `path`.

    With `when="before"` the server does not act on the request (but after a mere `delay` it does); with
    `"after"` it acts first, and only the answer goes wrong. For `drip`, `delay_s` is the wait between two bytes. `page` is
    a page of HTML with `status`, as a firewall sends it.
    """

    method: str
    path: str = "*"
    nth: int | None = None
    when: str = "before"
    kind: str = "status"
    status: int = 500
    delay_s: float = 0.0
    retry_after: str | None = None
    location: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be carried out."""
        if self.method not in METHODS:
            raise ValueError(f"fault: method {self.method!r} is not one of {', '.join(METHODS)}")
        if self.nth is not None and self.nth < 1:
            raise ValueError(f"fault: nth is {self.nth}, but counts from 1")
        if self.when not in ("before", "after"):
            raise ValueError(f"fault: when {self.when!r} is neither before nor after")
        if self.kind not in KINDS:
            raise ValueError(f"fault: kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if not 200 <= self.status <= 599:
            raise ValueError(f"fault: status {self.status} is not from 200 to 599")
        if not 0 <= self.delay_s <= 3600:
            raise ValueError(f"fault: delay_s {self.delay_s} is not from 0 to 3600")
        for key, text in (("retry_after", self.retry_after), ("location", self.location)):
            if text is not None and not (text.isascii() and text.isprintable()):
                raise ValueError(f"fault: {key} fits no header")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `METHOD [PATH] [KEY=VALUE ...]`, as in `POST /v1/webhooks nth=2 when=after kind=drop`."""
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise ValueError(f"fault {text!r}: {error}") from None
        if not words:
            raise ValueError("fault: empty; expected METHOD [PATH] [KEY=VALUE ...]")
        method, rest = words[0].upper(), words[1:]
        path = rest.pop(0) if rest and rest[0].startswith(("/", "*")) else "*"
        options: dict[str, str] = {}
        for word in rest:
            key, equals, value = word.partition("=")
            if not equals:
                raise ValueError(f"fault {text!r}: {word!r} is not KEY=VALUE")
            if key not in ("nth", "when", "kind", "status", "delay_s", "retry_after", "location"):
                raise ValueError(f"fault {text!r}: unknown key {key!r}")
            if key in options:
                raise ValueError(f"fault {text!r}: {key} is given twice")
            options[key] = value
        return cls(
            method,
            path,
            nth=_whole(options["nth"], "nth") if "nth" in options else None,
            when=options.get("when", "before"),
            kind=options.get("kind", "status"),
            status=_whole(options.get("status", "500"), "status"),
            delay_s=_seconds(options.get("delay_s", "0")),
            retry_after=options.get("retry_after"),
            location=options.get("location"),
        )

    def fits(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those that this fault counts."""
        return self.method in ("*", method) and fnmatchcase(path, self.path)


class FaultBook:
    """The ordered faults, and how many requests each has counted; safe for threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._entries: list[tuple[Fault, list[int]]] = [(fault, [0]) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Order one more; it counts from now."""
        with self._lock:
            self._entries.append((fault, [0]))

    def clear(self) -> None:
        """Take back all that was ordered."""
        with self._lock:
            self._entries.clear()

    def hits(self, method: str, path: str) -> list[Fault]:
        """Count a request, and return the faults that hit it, oldest first."""
        found = []
        with self._lock:
            for fault, count in self._entries:
                if fault.fits(method, path):
                    count[0] += 1
                    if fault.nth is None or fault.nth == count[0]:
                        found.append(fault)
        return found


@cache
def gzip_bomb() -> bytes:
    """Return a short gzip body that unpacks to `BOMB_BYTES` of spaces."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = b" " * _CHUNK
    parts = [packer.compress(block) for _ in range(BOMB_BYTES // _CHUNK)]
    return b"".join([*parts, packer.flush()])


def _whole(text: str, key: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"fault: {key} {text!r} is not a whole number") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"fault: delay_s {text!r} is not a number") from None
