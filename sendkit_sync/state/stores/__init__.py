"""Where states live, one module a store."""

from __future__ import annotations

from ...core.ports import Store


def open_store(address: str) -> Store:
    """Return the store of the state at `address`; nothing is read or written yet."""
    from .file import FileStore

    return FileStore(address)
