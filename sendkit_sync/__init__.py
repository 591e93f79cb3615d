"""Declarative sync of SendKit webhooks; for receivers, the check of a delivery's signature."""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # as in `typing`, which a receiver would only wait for

if TYPE_CHECKING:
    from .receivers import verify_signature

__all__ = ["__version__", "verify_signature"]


def __getattr__(name: str) -> object:
    """Load what only receivers need when it is asked for: the command line starts without it."""
    if name != "verify_signature":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .receivers import verify_signature

    return verify_signature
