"""Checks names, URLs and events beyond what the schema can say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..core.diagnostics import Severity, printable

EVENTS = (
    "email.sent",
    "email.opened",
    "email.clicked",
    "email.replied",
    "email.positive_reply",
    "email.bounced",
    "email.unsubscribed",
    "lead.updated",
)
KNOWN_EVENTS = frozenset(EVENTS)
MIN_SECRET = 20

_USUAL_URL = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(?:/[!-~]*)?")
"""An address that no check finds anything at: https, a plain host without a port, no spaces."""

Finding = tuple[Severity, str]


def has_control(text: str) -> bool:
    """Tell whether `text` holds a control character."""
    # What is printable holds none, and finding that out is quick.
    return not text.isprintable() and any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text)


def check_name(name: str, key: str) -> Iterator[Finding]:
    """Yield what is wrong with a trimmed name."""
    if not name:
        yield Severity.ERROR, f"`{key}` must not be empty"
    elif has_control(name):
        yield Severity.ERROR, f"`{key}` must not hold control characters"


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> Iterator[Finding]:
    """Yield what is wrong with a URL; it may hold a password and is never shown."""
    if _USUAL_URL.fullmatch(url):
        return
    if not url or has_control(url) or any(char.isspace() for char in url):
        yield Severity.ERROR, "`url` must not hold spaces or control characters" if url else "`url` must not be empty"
        return
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        yield Severity.ERROR, "`url` is not a URL"
        return
    if parts.scheme not in {"http", "https"}:
        yield Severity.ERROR, "`url` must begin with https:// or http://"
    elif not host:
        yield Severity.ERROR, "`url` has no host"
    else:
        if parts.password is not None:
            yield Severity.WARNING, "`url` holds a password, which every plan shows"
        if parts.scheme == "http" and not _loopback(host):
            yield Severity.WARNING, "`url` is http://: events travel unencrypted"


def check_event(event: str) -> Iterator[Finding]:
    """Yield what is wrong with the name of an event."""
    if not event or has_control(event):
        yield Severity.ERROR, "the name of an event must not be empty or hold control characters"
    elif event not in KNOWN_EVENTS:
        yield Severity.WARNING, f"unknown event `{printable(event, 60)}`"
