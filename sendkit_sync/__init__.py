"""Declarative sync of SendKit webhooks."""

from .version import __version__

__all__ = ["__version__"]
