"""Checks names, URLs and events beyond what the schema can say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..core.diagnostics import Severity, printable
from ..core.names import invisible

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

_USUAL_URL = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(?:/[!-#%->@-\[\]-~]*)?")
"""An address that no check finds anything at: https, a plain host without a port, no query, `$` or backslash."""

_CREDENTIAL = re.compile(
    r"[?&;][\w.-]*(?:token|secret|passw(?:or)?d|pwd|signature|api[_-]?key|(?<![a-z])(?:key|sig|auth|code))=[^&#]", re.IGNORECASE
)
_BARE_VARIABLE = re.compile(r"\$([A-Z_][A-Za-z0-9_]*)")

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
    elif hidden := invisible(name):
        yield Severity.WARNING, f"`{key}` holds an invisible character, {hidden}"


def check_bare_variable(text: str, key: str) -> Iterator[Finding]:
    """Yield what looks like a variable in a text, and is none."""
    if "$" in text and (found := _BARE_VARIABLE.search(text)):
        name = printable(found[1], 60)
        yield Severity.WARNING, f"`${name}` in `{key}` is taken as it stands; write `${{{name}}}` for the variable"


def holds_credential(text: str) -> bool:
    """Tell whether a URL in `text` has a user or a password, or a parameter as `token` or `secret`."""
    return "@" in text or bool(_CREDENTIAL.search(text))


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, *, sensitive: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with a URL; it may hold a password and is never shown. Plans do not show a `sensitive` one."""
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
        if not sensitive and (parts.username is not None or _CREDENTIAL.search(url)):
            yield Severity.WARNING, "`url` holds a credential, which every plan shows; set `sensitiveUrl: true`"
        if parts.scheme == "http" and not _loopback(host):
            yield Severity.WARNING, "`url` is http://: events travel unencrypted"
        if not host.isascii():
            yield Severity.WARNING, "the host of `url` is not ASCII: it may look like another; write it as xn--..."
        if "\\" in url:
            yield Severity.WARNING, "`url` holds a backslash, which some programs take for a slash"


def check_event(event: str) -> Iterator[Finding]:
    """Yield what is wrong with the name of an event."""
    if not event or has_control(event):
        yield Severity.ERROR, "the name of an event must not be empty or hold control characters"
    elif event not in KNOWN_EVENTS:
        yield Severity.WARNING, f"unknown event `{printable(event, 60)}`"


def check_secret(secret: str) -> Iterator[Finding]:
    """Yield what is wrong with a secret, and what is in it by mistake as a rule."""
    if not secret.strip():
        yield Severity.ERROR, "`secret` must not be empty"
    elif not _is_utf8(secret):
        yield Severity.ERROR, "the secret is not UTF-8"
    else:
        if secret != secret.strip():
            yield Severity.WARNING, "the secret begins or ends with white space, which is part of it"
        elif len(secret) > 1 and secret[0] == secret[-1] and secret[0] in "\"'":
            yield Severity.WARNING, "the secret stands in quotes, which are part of it"
        if len(secret) < MIN_SECRET:
            yield Severity.WARNING, f"the secret is shorter than {MIN_SECRET} characters"


def _is_utf8(text: str) -> bool:
    """Tell whether `text` can be written: undecodable bytes of the environment come as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
