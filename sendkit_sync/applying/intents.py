"""Recording the intent of a call, before every call that changes something."""

from __future__ import annotations

import logging

from ..core.model import Intent
from ..core.ports import Ledger


def record_intent(ledger: Ledger, intent: Intent, log: logging.Logger) -> None:
    """Record `intent`, and log it; raises `StateIOError`, and then the call must not be sent."""
    ledger.begin(intent)
    about = {"fields": {"action": str(intent.action), "name": intent.name}}
    log.info('%s "%s": intent recorded', intent.action, intent.name, extra=about)
