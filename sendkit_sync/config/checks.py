"""Checks of names, URLs, events and secrets that a schema cannot express."""

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
"""A URL that passes all checks: https, a plain host without a port, no query, `$` or backslash."""

_CREDENTIAL = re.compile(
    r"[?&;][\w.-]*(?:token|secret|passw(?:or)?d|pwd|signature|api[_-]?key|(?<![a-z])(?:key|sig|auth|code))=[^&#]", re.IGNORECASE
)
_BARE_VARIABLE = re.compile(r"\$([A-Z_][A-Za-z0-9_]*)")

Finding = tuple[Severity, str]


def has_control(text: str) -> bool:
    """Return whether `text` contains a control character."""
    # Printable text contains none, and checking that is fast.
    return not text.isprintable() and any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text)


def check_name(name: str, key: str) -> Iterator[Finding]:
    """Yield what is wrong with a trimmed name."""
    if not name:
        yield Severity.ERROR, f"`{key}` must not be empty"
    elif has_control(name):
        yield Severity.ERROR, f"`{key}` must not contain control characters"
    elif hidden := invisible(name):
        yield Severity.WARNING, f"`{key}` contains an invisible character, {hidden}"


def check_bare_variable(text: str, key: str) -> Iterator[Finding]:
    """Yield a warning for what looks like a variable but is not."""
    if "$" in text and (found := _BARE_VARIABLE.search(text)):
        name = printable(found[1], 60)
        yield Severity.WARNING, f"`${name}` in `{key}` is not expanded; write `${{{name}}}` for a variable"


def holds_credential(text: str) -> bool:
    """Return whether a URL in `text` has user info, or a parameter such as `token` or `secret`."""
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
    """Yield what is wrong with a URL. It may contain a password, so it is not shown. Plans hide a `sensitive` one."""
    if _USUAL_URL.fullmatch(url):
        return
    if not url or has_control(url) or any(char.isspace() for char in url):
        yield Severity.ERROR, "`url` must not contain spaces or control characters" if url else "`url` must not be empty"
        return
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        yield Severity.ERROR, "`url` is not a URL"
        return
    if parts.scheme not in {"http", "https"}:
        yield Severity.ERROR, "`url` must start with https:// or http://"
    elif not host:
        yield Severity.ERROR, "`url` has no host"
    else:
        if not sensitive and (parts.username is not None or _CREDENTIAL.search(url)):
            yield Severity.WARNING, "`url` contains a credential, which every plan shows; set `sensitiveUrl: true`"
        if parts.scheme == "http" and not _loopback(host):
            yield Severity.WARNING, "`url` uses http://: deliveries are not encrypted"
        if not host.isascii():
            yield Severity.WARNING, "the host of `url` is not ASCII and may look like another one; write it as xn--..."
        if "\\" in url:
            yield Severity.WARNING, "`url` contains a backslash, which some programs treat as a slash"


def check_event(event: str) -> Iterator[Finding]:
    """Yield what is wrong with the name of an event."""
    if not event or has_control(event):
        yield Severity.ERROR, "the name of an event must not be empty or contain control characters"
    elif event not in KNOWN_EVENTS:
        yield Severity.WARNING, f"unknown event `{printable(event, 60)}`"


def check_secret(secret: str) -> Iterator[Finding]:
    """Yield what is wrong with a secret, and what is probably a mistake."""
    if not secret.strip():
        yield Severity.ERROR, "`secret` must not be empty"
    elif not _is_utf8(secret):
        yield Severity.ERROR, "the secret is not UTF-8"
    else:
        if secret != secret.strip():
            yield Severity.WARNING, "the secret starts or ends with white space, which is part of the secret"
        elif len(secret) > 1 and secret[0] == secret[-1] and secret[0] in "\"'":
            yield Severity.WARNING, "the secret is in quotes, which are part of the secret"
        if len(secret) < MIN_SECRET:
            yield Severity.WARNING, f"the secret is shorter than {MIN_SECRET} characters"


def _is_utf8(text: str) -> bool:
    """Return whether `text` can be encoded. Undecodable bytes of the environment appear as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
