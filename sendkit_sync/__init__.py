"""Webhooks as code for SendKit, as a library: docs/python.md. For receivers: `verify_signature`.

Each name is loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from .version import __version__

TYPE_CHECKING = False  # not from `typing`, which would only slow down a receiver

if TYPE_CHECKING:
    from .app.apply import ApplyRequest, apply
    from .app.context import Context, Source
    from .app.plan import PlanRequest, plan
    from .app.reconcile import ReconcileRequest, reconcile
    from .app.status import StatusRequest, status
    from .app.wiring import load
    from .core.errors import SyncError
    from .core.model import Secret
    from .receivers import verify_signature

__all__ = [
    "ApplyRequest",
    "Context",
    "PlanRequest",
    "ReconcileRequest",
    "Secret",
    "Source",
    "StatusRequest",
    "SyncError",
    "__version__",
    "apply",
    "load",
    "plan",
    "reconcile",
    "status",
    "verify_signature",
]

_HOMES = {
    "app.apply": ("ApplyRequest", "apply"),
    "app.context": ("Context", "Source"),
    "app.plan": ("PlanRequest", "plan"),
    "app.reconcile": ("ReconcileRequest", "reconcile"),
    "app.status": ("StatusRequest", "status"),
    "app.wiring": ("load",),
    "core.errors": ("SyncError",),
    "core.model": ("Secret",),
}


def __getattr__(name: str) -> object:
    """Load a name of the public interface on first use."""
    if name == "verify_signature":
        from .receivers import verify_signature

        return verify_signature
    for home, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
