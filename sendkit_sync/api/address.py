"""Which address of the API is fit to send a key to, to write into a file and to show."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ..core.errors import ErrorCode, UsageError

HINT = "Set --api-url or SENDKIT_API_URL to one like https://api.sendkit.ai."


def visible(text: str) -> bool:
    """Tell whether `text` holds something, and only visible ASCII characters."""
    return bool(text) and all("!" <= char <= "~" for char in text)


def checked_address(base_url: str) -> str:
    """Return the address without a slash at its end; raises `UsageError` where it is not one to send a key to."""
    try:
        parts = urlsplit(base_url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(ErrorCode.ADDRESS_INVALID, "the API address is not a URL", hint=HINT) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(ErrorCode.ADDRESS_INVALID, "the API address must not hold a user name or a password", hint=HINT)
    if not host or parts.query or parts.fragment or not visible(base_url):
        raise UsageError(
            ErrorCode.ADDRESS_INVALID,
            "the API address must be a plain URL: scheme, host, and perhaps a port and a path",
            hint=HINT,
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        raise UsageError(
            ErrorCode.ADDRESS_INVALID, "the API address must begin with https:// (http:// only for this machine)", hint=HINT
        )
    return base_url.rstrip("/")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
