"""Every kind of store that the tests run over, each with a state of its own for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from obstore.store import MemoryStore as ObjectStore

from sendkit_sync.core.ports import Store
from sendkit_sync.state import open_store
from sendkit_sync.state.stores.lease import LeaseStore
from sendkit_sync.state.stores.objects import ObjectRegister
from support.fake_register import Cell, fake_store
from support.memory import Disk, MemoryStore
from support.postgres import PASSWORD
from support.world import FakeClock, World

IN_MEMORY = ("memory", "register", "objects")
QUICK = ("file", "postgres", "pgbouncer", "s3")
SLOW = ("versitygw", "azurite")
LEASED = ("postgres", "pgbouncer", "s3", *(pytest.param(kind, marks=pytest.mark.soak) for kind in SLOW))
ALL = (*IN_MEMORY, "file", *LEASED)
FIXTURES = {"postgres": "postgres_server", "s3": "s3_server"}
"""The fixture that runs the server of a kind, where it is not of the same name."""

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Place:
    """A state in a store: where it is, and what opens it again and again, as one process after the other does."""

    kind: str
    open: Callable[[], Store]
    address: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    server: object = None


def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return a new, empty place; starts the server of its kind, or skips the test where it is not installed."""
    if kind == "memory":
        disk = Disk()
        return Place(kind, lambda: MemoryStore(disk, World(FakeClock())))
    if kind == "register":
        cell = Cell()
        return Place(kind, lambda: fake_store(cell))
    if kind == "objects":
        objects = ObjectStore()
        return Place(kind, lambda: LeaseStore(ObjectRegister(objects, "state", "s3://memory/state"), FakeClock(), renews=False))
    if kind == "file":
        address = str(tmp_path / "sendkit.state.json")
        return Place(kind, lambda: open_store(address), address)
    server = request.getfixturevalue(FIXTURES.get(kind, kind))
    name = f"{os.getpid()}-{next(_numbers)}"
    if kind in ("postgres", "pgbouncer"):
        address, environment = server.url(name), {"PGPASSWORD": PASSWORD}
    else:
        address, environment = server.url(f"teams/{name}.json"), dict(server.environment)
    patch = request.getfixturevalue("monkeypatch")
    for variable, value in environment.items():
        patch.setenv(variable, value)
    return Place(kind, lambda: open_store(address), address, environment, server)
