"""A SendKit API on 127.0.0.1 for tests and trials: webhooks in memory, and faults to order."""

from __future__ import annotations

from .faults import Fault
from .server import Simulator

__all__ = ["Fault", "Simulator"]
