"""Webhooks as code for SendKit. For receivers: `verify_signature`."""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # not from `typing`, which would only slow down a receiver

if TYPE_CHECKING:
    from .receivers import verify_signature

__all__ = ["__version__", "verify_signature"]


def __getattr__(name: str) -> object:
    """Load what only receivers need on first use, so that the command line starts without it."""
    if name != "verify_signature":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .receivers import verify_signature

    return verify_signature
