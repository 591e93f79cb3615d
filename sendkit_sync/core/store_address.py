"""Parses and checks the address of a state, a path or the URL of a store, without any driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from .diagnostics import printable
from .errors import ErrorCode, StateAddressError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRETIVE = re.compile(r"pass|secret|token|sas|credential|signature|access_?key|account_?key|^key$|^sig$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store: its module, the extra with its driver, its URL options, and where credentials come from."""

    module: str
    extra: str
    options: frozenset[str]
    credentials: str


_AWS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, or the role of the machine"
_GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS, or the service account of the machine"
_AZURE = "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, a federated or a managed identity"
_POSTGRES = Kind(
    "postgres",
    "postgres",
    frozenset({"table", "sslmode", "sslrootcert", "connect_timeout", "target_session_attrs", "host", "port"}),
    "PGPASSWORD, PGPASSFILE or a client certificate",
)
KINDS: Mapping[str, Kind] = {
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "s3": Kind("objects", "cloud", frozenset({"region", "endpoint", "path_style", "sse", "kms_key_id"}), _AWS),
    "gs": Kind("objects", "cloud", frozenset(), _GOOGLE),
    "az": Kind("objects", "cloud", frozenset({"account", "endpoint"}), _AZURE),
}
"""Kinds by URL scheme. A new store is a row here and a module in `state/stores`."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The URL of a store. Messages use `shown`, which has neither options nor anything that could be a credential."""

    scheme: str
    location: str
    """User, host and port; or the bucket."""
    path: str
    """The database or the object key, without the leading slash."""
    options: Mapping[str, str]
    name: str

    @property
    def kind(self) -> Kind:
        """The kind of store of this scheme."""
        return KINDS[self.scheme]

    @property
    def shown(self) -> str:
        """The address for messages."""
        text = f"{self.scheme}://{self.location}/{self.path}"
        return printable(f"{text}#{self.name}" if self.name else text, 300)


def is_url(address: str) -> bool:
    """Return whether an address is a URL and not a path."""
    return _URL.match(address) is not None


def address_problem(address: str) -> str | None:
    """Return what is wrong with an address, or None. Any path is accepted here."""
    try:
        if is_url(address):
            parse_address(address)
    except StateAddressError as error:
        return f"{error.what}: {error.hint}"
    return None


def parse_address(address: str) -> StoreAddress:
    """Parse the URL of a store. Raises `StateAddressError` if it is invalid or contains a credential."""
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    kind = KINDS.get(scheme)
    if kind is None:
        known = ", ".join(f"{name}://" for name in KINDS if name != "postgres")
        raise invalid(f"there is no store for {printable(scheme)}://", f"Use a path, or one of {known}.")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        password = parts.password
        assert parts.port != 0
    except (ValueError, AssertionError):
        raise invalid("the URL of the state is invalid", "Check its port and its options.") from None
    if password is not None or (parts.username is not None and kind is not _POSTGRES) or any(map(_SECRETIVE.search, options)):
        raise StateAddressError(
            ErrorCode.STATE_ADDRESS_HOLDS_CREDENTIAL,
            "the URL of the state contains a credential",
            hint=f"Remove it, and change that credential. Credentials come from {kind.credentials}.",
        )
    unknown = sorted(options.keys() - kind.options)
    if unknown:
        known = f"Known options: {', '.join(sorted(kind.options))}." if kind.options else "It has no options."
        raise invalid(f"the URL of the state has an unknown option {printable(unknown[0])}", known)
    path = unquote(parts.path).removeprefix("/")
    steps = path.split("/")
    if kind is not _POSTGRES and (not parts.netloc or not path.isprintable() or any(step in ("", ".", "..") for step in steps)):
        raise invalid("the URL of the state has no bucket or no object", f"Write it as {scheme}://BUCKET/PATH?OPTIONS.")
    return StoreAddress(scheme, parts.netloc, path, options, unquote(parts.fragment))


def invalid(what: str, hint: str, where: str | None = None) -> StateAddressError:
    """Return the error for an address that cannot be used."""
    return StateAddressError(ErrorCode.STATE_ADDRESS_INVALID, what, where=where, hint=hint)
