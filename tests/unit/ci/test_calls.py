"""Calls to a forge end with their connections closed."""

from __future__ import annotations

import pytest

from sendkit_sync.ci.calls import Calls
from sendkit_sync.core.model import Secret


def test_leaving_the_calls_closes_their_connections(monkeypatch: pytest.MonkeyPatch):
    closed = []

    def close(transport: object) -> None:
        closed.append(transport)

    monkeypatch.setattr("sendkit_sync.api.transport.Transport.close", close)
    with pytest.raises(ZeroDivisionError), Calls("https://forge.example", {}, Secret("t" * 20)):
        raise ZeroDivisionError
    assert len(closed) == 1
