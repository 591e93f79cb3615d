"""The use case `state unlock`: takes a lease from a holder that is known to be dead, without waiting for it to die."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import ErrorCode, RefusedError
from ..core.ports import Store
from .context import Context, Source
from .wiring import state_path_of, store_at


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that somebody holds, in words."""

    store: Store
    holder: str

    def unlock(self) -> None:
        """Take it away; the holder can write nothing more, and starts no call after it notices."""
        self.store.unlock()


def held_lease(context: Context, source: Source) -> Lease | None:
    """Return the lease on the state, or None where nobody holds it; raises `RefusedError` for a file."""
    store = store_at(state_path_of(context, source))
    if not store.has_lease:
        raise RefusedError(
            ErrorCode.NO_LEASE,
            "a file lock cannot be taken away",
            where=store.address,
            hint="It ends with its process: stop that process, or wait for it. Do not delete the lock file.",
        )
    holder = store.holder()
    return None if holder is None else Lease(store, holder)
