"""The register in PostgreSQL: one row for the head and one for each piece of the journal, each swap one statement.

No statement needs another one of the same session, so that a pooler may hand them to different connections: no advisory
locks, no prepared statements, no settings that outlive a transaction.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ...core.diagnostics import printable
from ...core.errors import MissingExtraError
from ...core.store_address import StoreAddress, invalid
from .head import Head
from .register import RegisterError

if TYPE_CHECKING:
    from psycopg import Connection

TABLE = "sendkit_state"
NAME = "default"
STATEMENT_S = 20.0
"""How long one statement may take; then its connection is cut, and nobody knows what became of it."""
CONNECT_S = 5
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,50}(?:\.[A-Za-z_][A-Za-z0-9_]{0,50})?")

# `synchronous_commit` is set inside of each statement: off, as a server or a role may have it, would lose what was
# acknowledged; `remote_apply` is stronger than on, and stays.
_DURABLE = """\
durable as materialized (select set_config('synchronous_commit',
  case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, true) as setting)"""
_CREATE = f"""\
with {_DURABLE}
insert into {{table}} (name, term, nonce, holder, snapshot, backup, last_run)
select %(name)s, %(term)s, %(nonce)s, %(holder)s, %(snapshot)s, %(backup)s, %(last_run)s from durable
on conflict do nothing returning 1"""
_SWAP = f"""\
with {_DURABLE},
swapped as (
  update {{table}} as head set term = %(term)s, nonce = %(nonce)s, holder = %(holder)s, last_run = %(last_run)s,
    snapshot = case when %(new_snapshot)s then %(snapshot)s else head.snapshot end,
    backup = case when %(new_backup)s then %(backup)s else head.backup end
  from durable where head.name = %(name)s and head.nonce = %(base)s returning head.name),
ended as (delete from {{table}}_journal as journal using swapped where journal.name = swapped.name and %(ends)s),
added as (
  insert into {{table}}_journal (name, seq, lines)
  select swapped.name, piece.seq, piece.lines from swapped, unnest(%(seqs)s::int[], %(lines)s::text[]) as piece (seq, lines))
select count(*)::int from swapped"""
_PEEK = "select term, nonce, holder from {table} where name = %(name)s"
_READ = """\
select term, nonce, holder, snapshot, backup, last_run,
  (select array_agg(lines order by seq) from {table}_journal as journal where journal.name = head.name)
from {table} as head where name = %(name)s"""
_SERVER = """\
select current_setting('fsync'), pg_is_in_recovery(), current_setting('synchronous_standby_names'),
  (select count(*)::int from pg_stat_replication)"""
_TABLES = """\
create table if not exists {table} (name text primary key, term bigint not null, nonce text not null, holder text,
  snapshot text, backup text, last_run text);
create table if not exists {table}_journal (name text not null, seq int not null, lines text not null,
  primary key (name, seq))"""
_NO_STANDBY = (
    "the PostgreSQL server has standbys, and none is synchronous: a failover may lose what was recorded last. "
    "Set synchronous_standby_names"
)

log = logging.getLogger(__name__)


def open_register(address: StoreAddress) -> PostgresRegister:
    """Return the register at `address`; no connection is made yet."""
    try:
        import psycopg  # noqa: F401 - what it makes is used below
    except ImportError as error:
        raise MissingExtraError("a state in PostgreSQL", "postgres") from error
    table = address.options.get("table", TABLE)
    if not _IDENTIFIER.fullmatch(table):
        raise invalid("the URL of the state names no table", "Write table=NAME or table=SCHEMA.NAME, in ASCII.", address.shown)
    return PostgresRegister(_parameters(address), table, address.name or NAME, address.shown)


def _parameters(address: StoreAddress) -> Mapping[str, str | int]:
    """Return what libpq connects with; a server that is not on this machine must prove who it is."""
    options = {name: value for name, value in address.options.items() if name != "table"}
    user, _, place = address.location.rpartition("@")
    host, _, port = place.partition(":") if not place.startswith("[") else (place.strip("[]"), "", "")
    given: dict[str, str | int] = {"connect_timeout": CONNECT_S, "application_name": "sendkit-sync"}
    given |= {name: value for name, value in (("user", user), ("host", host), ("port", port)) if value}
    given |= {"dbname": address.path} if address.path else {}
    given |= options
    where = str(given.get("host") or os.environ.get("PGHOST", ""))
    if where in LOCAL_HOSTS or where.startswith("/"):
        return given
    mode = given.setdefault("sslmode", os.environ.get("PGSSLMODE") or "verify-full")
    if mode not in ("verify-full", "verify-ca"):
        hint = "Use sslmode=verify-full. If a private CA issued its certificate, add sslrootcert=FILE."
        raise invalid("the connection to PostgreSQL must verify the server, except on loopback", hint, address.shown)
    if "PGSSLROOTCERT" not in os.environ:
        given.setdefault("sslrootcert", "system")
    return given


class PostgresRegister:
    """The `Register` of one row, named `name`, in `table`."""

    def __init__(self, parameters: Mapping[str, str | int], table: str, name: str, shown: str) -> None:
        self.address = shown
        self._parameters = parameters
        self._table = table
        self._name = name
        self._connection: Connection[tuple[Any, ...]] | None = None

    def peek(self) -> Head | None:
        """Return the head without its texts."""
        row = self._row(_PEEK)
        return None if row is None else Head(row[0], row[1], row[2], version=row[1])

    def read(self) -> Head | None:
        """Return the whole head, read in one statement."""
        row = self._row(_READ)
        if row is None:
            return None
        term, nonce, holder, snapshot, backup, last_run, pieces = row
        journal = tuple(piece.encode() for piece in pieces or ())
        return Head(term, nonce, holder, _bytes(snapshot), _bytes(backup), journal, last_run, nonce)

    def swap(self, base: Head | None, head: Head) -> Head:
        """Replace the row that still has the nonce of `base`, and add or delete pieces of the journal with it."""
        values: dict[str, object] = {
            "name": self._name,
            "term": head.term,
            "nonce": head.nonce,
            "holder": head.holder,
            "snapshot": _text(head.snapshot),
            "backup": _text(head.backup),
            "last_run": head.last_run,
        }
        if base is None:
            row = self._row(_CREATE, values)
        else:
            added = head.journal[len(base.journal) :]
            seqs = list(range(len(base.journal), len(head.journal)))
            changes = (head.snapshot is not base.snapshot, head.backup is not base.backup)
            values |= {"base": base.nonce, "ends": not head.journal, "seqs": seqs}
            values |= {"lines": [piece.decode() for piece in added], "new_snapshot": changes[0], "new_backup": changes[1]}
            values |= {} if changes[0] else {"snapshot": None}
            values |= {} if changes[1] else {"backup": None}
            row = self._row(_SWAP, values)
        if row is None or row[0] != 1:
            raise RegisterError("the condition did not hold")
        return Head(head.term, head.nonce, head.holder, head.snapshot, head.backup, head.journal, head.last_run, head.nonce)

    def prove(self, *, first: bool) -> Sequence[str]:
        """Refuse a server that may lose what it acknowledged, and make the tables where there are none."""
        row = self._row(_SERVER)
        assert row is not None
        fsync, standby, synchronous, standbys = row
        if standby:
            raise RegisterError("the server is a standby, and takes no writes", lasting=True, hint="Name the primary.")
        if fsync != "on":
            raise RegisterError(
                "the server runs with fsync off", lasting=True, hint="A power cut would lose the state; turn it on."
            )
        if first:
            self._make_tables()
        return (_NO_STANDBY,) if standbys and not synchronous else ()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    def _make_tables(self) -> None:
        import psycopg

        for _ in range(2):
            with suppress(psycopg.errors.UniqueViolation), self._speaking() as connection:  # another run makes them as well
                for statement in _TABLES.format(table=self._table).split(";"):
                    connection.execute(statement.encode())
                return

    def _row(self, statement: str, values: Mapping[str, object] | None = None) -> tuple[Any, ...] | None:
        import psycopg

        text = statement.format(table=self._table).encode()
        try:
            with self._speaking() as connection:
                return connection.execute(text, values or {"name": self._name}).fetchone()
        except psycopg.errors.UndefinedTable:
            return None

    @contextmanager
    def _speaking(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """Give a connection, cut where a statement takes too long; after any error the next one is a new one."""
        import psycopg

        watch: threading.Timer | None = None
        try:
            if self._connection is None:
                # No statement is prepared: behind a pooler the next one may meet another server session.
                self._connection = psycopg.connect(autocommit=True, prepare_threshold=None, **self._parameters)  # type: ignore[arg-type]
            watch = threading.Timer(STATEMENT_S, _cut, (self._connection.fileno(),))
            watch.daemon = True
            watch.start()
            yield self._connection
        except (psycopg.errors.UndefinedTable, psycopg.errors.UniqueViolation):
            raise
        except psycopg.Error as error:
            self.close()
            raise _told(error) from error
        except BaseException:
            self.close()
            raise
        finally:
            if watch is not None:
                watch.cancel()


def _cut(descriptor: int) -> None:
    """Shut a connection down, so that whoever waits for its answer gets an error."""
    log.info("a statement took longer than %.0f s; its connection is cut", STATEMENT_S)
    with suppress(OSError):
        copy = socket.socket(fileno=os.dup(descriptor))
        copy.shutdown(socket.SHUT_RDWR)
        copy.close()


def _told(error: Exception) -> RegisterError:
    """Return an error of the driver for people: what the server said, or that there is none."""
    import psycopg

    state = getattr(error, "sqlstate", None)
    text = printable(str(error).strip().partition("\n")[0], 200)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return RegisterError(f"access was refused ({text})", lasting=True, hint="docs/stores.md shows the rights it needs.")
    if (state or "").startswith("28") or "authentication failed" in text or "no password supplied" in text:
        return RegisterError("access was refused", lasting=True, hint="Check the user, and PGPASSWORD or PGPASSFILE.")
    if (state or "")[:2] in ("42", "3D", "54", "22", "25"):
        return RegisterError(text, lasting=True)
    return RegisterError(text or type(error).__name__)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
