"""The register in an object store: one object, replaced on the condition that it is still the version that was read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.errors import ErrorCode, MissingExtraError, StateInvalidError
from ...core.store_address import StoreAddress, invalid
from .head import INLINE_BYTES, Head, Pointer, Text, decode_head, encode_head
from .register import RegisterError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

TIMEOUT_S = 20
CONNECT_TIMEOUT_S = 5
JOURNAL_INLINE_BYTES = 64 * 1024
"""How much of the journal is sent with every append; what is older becomes an object of its own."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>|\"reason\": \"(\w{1,60})\"")
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|bucket does not exist")
_LASTING = {
    "ExpiredToken",
    "InvalidToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "EntityTooLarge",
    "RequestTimeTooSkewed",
}


def open_register(address: StoreAddress) -> ObjectRegister:
    """Return the register at `address`; nothing is read yet."""
    try:
        import obstore  # noqa: F401 - what it makes is used below
    except ImportError as error:
        raise MissingExtraError(f"a state in {address.scheme}://", "cloud") from error
    return ObjectRegister(_STORES[address.scheme](address), address.path, address.shown)


class ObjectRegister:
    """The `Register` of one object; texts that are large, or long done with, are objects beside it, named by their digest."""

    def __init__(self, store: ObjectStore, key: str, shown: str) -> None:
        self.address = shown
        self._store = store
        self._key = key
        self._apart: dict[bytes, Pointer] = {}
        """The texts that are objects of their own, as far as this process knows."""
        self._closed: tuple[tuple[bytes, ...], list[Text]] = ((), [])
        """The first pieces of the journal, and the objects that hold them."""

    def peek(self) -> Head | None:
        """Return the head without the texts that stand apart."""
        return self._read(lambda pointer: b"")

    def read(self) -> Head | None:
        """Return the whole head."""
        return self._read(self._fetch)

    def swap(self, base: Head | None, head: Head) -> Head:
        """Replace the object on the condition that it is still `base`."""
        snapshot, backup = self._placed(head.snapshot), self._placed(head.backup)
        data = encode_head(head, snapshot, backup, self._placed_journal(head.journal))
        version = self._put(self._key, data, "create" if base is None else json.loads(base.version))
        return Head(head.term, head.nonce, head.holder, head.snapshot, head.backup, head.journal, head.last_run, version)

    def prove(self, *, first: bool) -> Sequence[str]:
        """Try, beside a state that is to be made, that the store refuses what it must refuse."""
        if first:
            key = f"{self._key}.probe"
            _raised(lambda: self._put(key, os.urandom(16), "create"))
            old = self._get(key)
            if old is None:
                raise RegisterError("what was written cannot be read back", lasting=True)
            self._put(key, os.urandom(16), json.loads(old[1]))
            refuses = (
                _raised(lambda: self._put(key, os.urandom(16), "create")),
                _raised(lambda: self._put(key, os.urandom(16), json.loads(old[1]))),
            )
            if not all(refuses):
                raise RegisterError(
                    "the store ignores conditions on a write",
                    lasting=True,
                    hint="Two runs could overwrite each other here. docs/stores.md lists servers that were tested.",
                )
        return ()

    def close(self) -> None:
        """Do nothing: the connections go with the process."""

    def _read(self, fetch: Callable[[Pointer], bytes]) -> Head | None:
        found = self._get(self._key)
        return None if found is None else decode_head(found[0].rstrip(b"\n"), self.address, found[1], fetch)

    def _placed(self, text: bytes | None) -> Text:
        """Return what stands for a text in the head; a large one is made an object first."""
        if text is None or len(text) <= INLINE_BYTES:
            return None if text is None else text.decode()
        return self._object_of(text)

    def _placed_journal(self, pieces: tuple[bytes, ...]) -> list[Text]:
        closed, texts = self._closed
        if pieces[: len(closed)] != closed:
            closed, texts = (), []
        rest = b"".join(pieces[len(closed) :])
        if len(rest) > JOURNAL_INLINE_BYTES:
            closed, texts, rest = pieces, [*texts, self._object_of(rest)], b""
        self._closed = closed, texts
        return [*texts, rest.decode()] if rest else texts

    def _object_of(self, text: bytes) -> Pointer:
        pointer = self._apart.get(text)
        if pointer is None:
            pointer = Pointer(hashlib.sha256(text).hexdigest(), len(text))
            self._put(f"{self._key}.{pointer.sha256}", text, "overwrite")  # the same content whoever writes it
            self._apart[text] = pointer
        return pointer

    def _fetch(self, pointer: Pointer) -> bytes:
        name = f"{self._key}.{pointer.sha256}"
        found = self._get(name)
        if found is None or (len(found[0]), hashlib.sha256(found[0]).hexdigest()) != (pointer.size, pointer.sha256):
            raise StateInvalidError(
                ErrorCode.STORE_OBJECT_MISSING,
                "an object that the state points at is missing or damaged",
                where=f"{self.address}.{pointer.sha256}",
                hint="Nothing was overwritten. Restore it from a version or a backup of the bucket.",
            )
        self._apart[found[0]] = pointer
        return found[0]

    def _get(self, key: str) -> tuple[bytes, str] | None:
        """Return the content of an object and its version, or None where there is none."""
        import obstore

        try:
            found = obstore.get(self._store, key)
            return bytes(found.bytes()), _version(found.meta)
        except FileNotFoundError as error:
            if _NO_BUCKET.search(str(error)):
                raise RegisterError("there is no such bucket", lasting=True, hint="Make the bucket first.") from error
            return None
        except Exception as error:
            raise _told(error) from error

    def _put(self, key: str, data: bytes, mode: Any) -> str:
        """Write an object and return its version."""
        import obstore

        try:
            return _version(obstore.put(self._store, key, data, mode=mode, use_multipart=False))
        except Exception as error:
            raise _told(error) from error


def _version(meta: Any) -> str:
    """Return what names a version of an object in a condition; no store takes an empty part of it."""
    return json.dumps({part: meta[part] for part in ("e_tag", "version") if meta.get(part) is not None}, sort_keys=True)


def _raised(write: Callable[[], object]) -> bool:
    """Tell whether a write was refused; raises for what has nothing to do with its condition."""
    try:
        write()
    except RegisterError as error:
        if error.lasting:
            raise
        return True
    return False


def _told(error: Exception) -> RegisterError:
    """Return an error of the library without its text: that may hold a signed URL, or the answer of anybody."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    code_name = (code[1] or code[2]) if code is not None else None
    details = ", ".join(part for part in (status and status[1], code_name) if part)
    name = type(error).__name__
    if name in ("PermissionDeniedError", "UnauthenticatedError") or code_name in _LASTING:
        return RegisterError(f"access was refused ({details or name})", lasting=True, hint="Check credentials and rights.")
    if name in ("PreconditionError", "AlreadyExistsError"):
        return RegisterError(f"the condition did not hold ({details or name})")
    if isinstance(error, NotImplementedError | ValueError | TypeError):
        return RegisterError(f"the store cannot do that ({name})", lasting=True)
    if "169.254.169.254" in text or "metadata.google" in text:
        return RegisterError("no credentials were found", hint="Set the store's variables; docs/stores.md names them.")
    if status is not None:
        return RegisterError(f"the store answered {details}", busy=status[1] in ("429", "503"), lasting=status[1] == "413")
    return RegisterError("the store cannot be reached")


def _common(address: StoreAddress, endpoint: str | None) -> dict[str, Any]:
    """Return what all stores are opened with: no retry by the library, and TLS, but for loopback."""
    options: dict[str, Any] = {"timeout": f"{TIMEOUT_S}s", "connect_timeout": f"{CONNECT_TIMEOUT_S}s"}
    options |= {"allow_http": False, "allow_invalid_certificates": False}  # whatever the environment says
    if endpoint is not None:
        parts = urlsplit(endpoint)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise invalid(
                "the endpoint of the store must use https, except on loopback", "Start it with https://.", address.shown
            )
        options["allow_http"] = parts.scheme == "http"
    return {"client_options": options, "retry_config": {"max_retries": 0}}


def _s3(address: StoreAddress) -> ObjectStore:
    from obstore.store import S3Store

    given = address.options
    endpoint = given.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    settings = _common(address, endpoint) | {"conditional_put": "etag"}
    settings |= {"endpoint": endpoint} if endpoint else {}
    settings |= {"region": given["region"]} if "region" in given else {}
    settings |= {"server_side_encryption": given["sse"]} if "sse" in given else {}
    settings |= {"sse_kms_key_id": given["kms_key_id"]} if "kms_key_id" in given else {}
    if "path_style" in given:
        settings["virtual_hosted_style_request"] = given["path_style"] not in ("", "true", "1")
    return S3Store(address.location, **settings)


def _gs(address: StoreAddress) -> ObjectStore:
    from obstore.store import GCSStore

    return GCSStore(address.location, **_common(address, None))


def _az(address: StoreAddress) -> ObjectStore:
    from obstore.store import AzureStore

    given = address.options
    endpoint = given.get("endpoint") or os.environ.get("AZURE_STORAGE_ENDPOINT")
    settings = _common(address, endpoint)
    settings |= {"endpoint": endpoint} if endpoint else {}
    settings |= {"account_name": given["account"]} if "account" in given else {}
    return AzureStore(address.location, **settings)


_STORES: dict[str, Callable[[StoreAddress], ObjectStore]] = {"s3": _s3, "gs": _gs, "az": _az}
