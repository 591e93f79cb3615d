"""Where states live, one module a store."""

from __future__ import annotations

from importlib import import_module

from ...core.ports import Store
from ...core.store_address import is_url, parse_address


def open_store(address: str) -> Store:
    """Return the store of the state at `address`, a path or a URL; nothing is read or written yet.

    Raises `StateAddressError`, and `MissingExtraError` where the store's driver is not installed.
    """
    if not is_url(address):
        from .file import FileStore

        return FileStore(address)
    from ...core.clock import SystemClock
    from .lease import LeaseStore

    parsed = parse_address(address)
    module = import_module(f"{__name__}.{parsed.kind.module}")
    return LeaseStore(module.open_register(parsed), SystemClock())
