"""Fixtures that several modules of tests use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendkit_sync.simulator import Simulator
from support import object_servers, postgres
from support.bench import Bench, bench_in
from support.workspace import Workspace


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Return the SendKit API on loopback."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def workspace(tmp_path: Path, simulator: Simulator) -> Workspace:
    """Return a folder with a config of two webhooks, and the command run in it as a process."""
    return Workspace(tmp_path, simulator)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a folder with a config of one webhook, and the command run in this process."""
    folder = tmp_path / "here"
    folder.mkdir()
    with bench_in(folder, monkeypatch) as bench:
        yield bench


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """Return a real PostgreSQL server."""
    with postgres.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: postgres.Server) -> Iterator[postgres.Server]:
    """Return a pgbouncer in transaction mode, before that server."""
    with postgres.pgbouncer(postgres_server) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_servers.ObjectServer]:
    """Return a real S3 server."""
    with object_servers.seaweedfs(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_servers.ObjectServer]:
    """Return another real S3 server."""
    with object_servers.versitygw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_servers.ObjectServer]:
    """Return a real server of Azure's blobs."""
    with object_servers.azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server
