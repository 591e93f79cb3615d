"""Checks that an API address is safe to send a key to, to store and to show."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from .errors import ErrorCode, UsageError

VERSION = "/v1"
"""The prefix that the client adds to every path; an address must not end with it."""

HINT = "Set --api-url or SENDKIT_API_URL to an address such as https://api.sendkit.ai."


def visible(text: str) -> bool:
    """Return whether `text` is not empty and consists of visible ASCII characters."""
    return bool(text) and all("!" <= char <= "~" for char in text)


def checked_address(base_url: str) -> str:
    """Return the address without a trailing slash. Raises `UsageError` if no key may be sent to it."""
    try:
        parts = urlsplit(base_url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(ErrorCode.ADDRESS_INVALID, "the API address is not a URL", hint=HINT) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(ErrorCode.ADDRESS_INVALID, "the API address must not contain a user name or a password", hint=HINT)
    if not host or parts.query or parts.fragment or not visible(base_url):
        raise UsageError(
            ErrorCode.ADDRESS_INVALID,
            "the API address must be a plain URL: scheme, host, optional port and path",
            hint=HINT,
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        raise UsageError(
            ErrorCode.ADDRESS_INVALID,
            "the API address must start with https:// (http:// is allowed on loopback only)",
            hint=HINT,
        )
    return base_url.rstrip("/")


def address_hint(base_url: str) -> str:
    """Return what to do if the server knows none of the API's paths."""
    if base_url.lower().endswith(VERSION):
        return f"The address must not end with {VERSION}: use {base_url[: -len(VERSION)]} as --api-url."
    return "Check that --api-url points to the SendKit API."


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
