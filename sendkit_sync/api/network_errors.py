"""Turns every error of the network into one that tells how far the request got, and what to do."""

from __future__ import annotations

import http.client
import ssl

import requests
import urllib3

from ..core.outcomes import FailureCode
from .connection import Trace
from .route import CA_VARIABLES, Route

NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException)
INVALID = FailureCode.RESPONSE_INVALID
STRICT_ONLY = range(80, 94)
"""OpenSSL's error codes that only its strict checks return. Python 3.13 turned these checks on."""

CHECK_NETWORK = "Check the network, the proxy and --api-url, then try again."
CHECK_PROXY = "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY. NO_PROXY lists hosts to reach without a proxy."
CHECK_CA = (
    "If a proxy inspects TLS or your company has its own CA, put its CA certificate in a file and set one of "
    + ", ".join(CA_VARIABLES)
    + " to that file."
)
CHECK_STRICT = (
    "The CA certificate violates RFC 5280, which Python 3.13 and later reject. Have it reissued, or use --no-strict-ca: "
    "certificates are still verified, only without these strict checks."
)


class ExchangeError(Exception):
    """No complete response was received.

    `sent`: a byte of the request may have been sent. `status`: the HTTP status, if one was received. `lasting`: another
    attempt cannot succeed. `hint`: what to do about it.
    """

    def __init__(
        self,
        code: FailureCode,
        message: str,
        *,
        sent: bool,
        status: int | None = None,
        lasting: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sent = sent
        self.status = status
        self.lasting = lasting
        self.hint = hint


def exchange_error(error: Exception, trace: Trace, status: int | None, timeout_s: float, route: Route | None) -> ExchangeError:
    """Return what `error` means for the call of `trace`. `route` is None if it was not known yet."""
    root = _root(error)
    if trace.sent:
        return _after_sending(root, trace, status, timeout_s)
    if isinstance(root, ssl.SSLCertVerificationError):
        trust = f"; trusted: {route.trust}" if route is not None else ""
        message = f"the server's certificate is not trusted ({root.verify_message}{trust})"
        hint = CHECK_STRICT if root.verify_code in STRICT_ONLY else CHECK_CA
        return ExchangeError(FailureCode.CERTIFICATE, message, sent=False, lasting=True, hint=hint)
    lasting = isinstance(error, ValueError) or not isinstance(error, (*NETWORK, TimeoutError, ConnectionError))
    if isinstance(root, urllib3.exceptions.LocationValueError):
        # The original text may contain a part of a password. It must be the proxy: the API address was checked before.
        message, hint = "the proxy address in the environment is not a URL", CHECK_PROXY
    elif route is not None and route.proxy is not None:
        message, hint = f"the server cannot be reached through the proxy {route.proxy} ({_text(root)})", CHECK_PROXY
    else:
        message, hint = f"the server cannot be reached ({_text(root)})", CHECK_NETWORK
    return ExchangeError(FailureCode.UNREACHABLE, message, sent=False, lasting=lasting, hint=hint)


def _after_sending(root: BaseException, trace: Trace, status: int | None, timeout_s: float) -> ExchangeError:
    if trace.expired or isinstance(root, TimeoutError | urllib3.exceptions.TimeoutError):
        return ExchangeError(FailureCode.TIMEOUT, f"no complete response within {timeout_s:g} s", sent=True, status=status)
    message = f"the connection broke before the response was complete ({_text(root)})"
    return ExchangeError(FailureCode.CONNECTION_LOST, message, sent=True, status=status)


def _text(root: BaseException) -> str:
    return f"{type(root).__name__}: {root}"


def _root(error: BaseException) -> BaseException:
    """Return the innermost error, which `requests` and `urllib3` keep in `args` and `reason`."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), error)
    return error
