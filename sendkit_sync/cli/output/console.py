"""Prints the events of a use case to stderr. Commands handle further events themselves."""

from __future__ import annotations

from ...app.events import ConfigWarned, Event, Noted, Warned
from .messages import note, warn, warn_of_config


def console(event: Event) -> None:
    """Print warnings and notes."""
    match event:
        case Warned(message, hint):
            warn(message, hint)
        case Noted(message):
            note(message)
        case ConfigWarned(diagnostics):
            warn_of_config(diagnostics)
