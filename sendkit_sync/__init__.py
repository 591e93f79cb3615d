"""Declarative sync of SendKit webhooks; for receivers, the check of a delivery's signature."""

from .signature import verify_signature
from .version import __version__

__all__ = ["__version__", "verify_signature"]
