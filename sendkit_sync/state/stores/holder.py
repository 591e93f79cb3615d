"""Who holds a lock or a lease, in words for others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime

from ...core.ports import Clock


def holder_card(clock: Clock, purpose: str) -> str:
    """Return one line of JSON that says who this process is, since when it holds, and what for."""
    who, _, host = user_and_host().rpartition("@")
    since = datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")
    return json.dumps({"who": who, "host": host, "pid": os.getpid(), "since": since, "purpose": purpose})


def user_and_host() -> str:
    """Return who runs this process, and where."""
    import getpass
    import socket

    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = f"uid {os.getuid()}"
    return f"{who}@{socket.gethostname()}"


def shown_holder(card: str | bytes) -> str | None:
    """Return a card in words, all printable, or None where it is no card."""
    try:
        fields = json.loads(card)
        if not isinstance(fields, Mapping):
            return None
        text = f"{fields['who']}@{fields['host']} (pid {fields['pid']}, since {fields['since']}, {fields['purpose']})"
    except (ValueError, KeyError, RecursionError):
        return None
    return "".join(char if char.isprintable() else "?" for char in text[:500])
