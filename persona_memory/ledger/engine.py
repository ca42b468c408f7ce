"""Opening the ledger: one engine, two kinds of transaction."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Select, event, insert, inspect, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from persona_memory.errors import (
    EncryptionError,
    InvalidInput,
    LedgerCorrupt,
    LedgerError,
    LedgerLocked,
    LedgerReadOnly,
    LedgerTooNew,
    MissingExtra,
)
from persona_memory.ledger import migrations, planner, sealed
from persona_memory.ledger.keys import KeyStore, Vault, store_url
from persona_memory.ledger.naming import LOCK_TIMEOUT_S, named_errors
from persona_memory.ledger.schema import SCHEMA_VERSION, meta, metadata
from persona_memory.ledger.silent import create_engine
from persona_memory.protocols import MasterKey

Durability = Literal["FULL", "NORMAL"]
"""FULL survives a power cut, NORMAL survives a kill of the process but may lose the last turns in a power cut."""

TURN_TIMEOUT_S = 60.0
"""Longer: each of the threads before may wait for another process, or for a slow disk."""

ENCRYPTION, CONVERTING = "encryption", "converting"
"""Names in `meta`: the id of the store with an encrypted ledger's keys; that `encrypt` has not come to its end."""


class Ledger:
    """The one source of truth of a namespace: an engine, the ledger's secret and its two kinds of transaction.

    Args:
        url: SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…`.
        namespace: tenant or app; no operation ever crosses it.
        durability: SQLite only.
        master: the master key of an encrypted ledger; a new one is encrypted if there is one.

    Attributes:
        vault: the keys; None where nothing is encrypted.

    Raises:
        LedgerError: it cannot be opened; the subclass and the message say why and what to do.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "default",
        durability: Durability = "FULL",
        master: MasterKey | None = None,
    ) -> None:
        if durability not in ("FULL", "NORMAL"):
            raise InvalidInput(f"durability is {durability!r}; it must be 'FULL' or 'NORMAL'")
        self.namespace = namespace
        self.url = url
        self.engine = engine_for(url, durability)
        self.closed = False
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing = threading.Lock()
        keys = None if master is None else (KeyStore(store_url(url)), master)
        try:
            with self.write() as tx:
                known = _prepare(tx, shown=self.describe(), keys=keys)
        except BaseException:  # raised on
            self.engine.dispose()
            if keys is not None:
                keys[0].close()
            raise
        if isinstance(known, Vault):
            sealed.use(self.engine.dialect, known)
        self.vault = known if isinstance(known, Vault) else None
        self.secret = known.secret if isinstance(known, Vault) else known

    def describe(self) -> str:
        """Where the ledger is, without a password."""
        return make_url(self.url).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short read transaction that sees one state of the ledger."""
        with self.translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def glance(self, query: Select[Any], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The row of a read that stands alone; None where there is none. As `first`, without a transaction."""
        with self.translated(), self.engine.connect() as connection:
            return first(connection, query, values)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction: all of it is durable when the block ends, or none of it."""
        with self._in_turn(), self.translated(), self.engine.connect() as connection:
            connection = connection.execution_options(persona_memory_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def rehearse(self) -> Iterator[Connection]:
        """A write transaction that is rolled back: how the ledger would be."""
        with self._in_turn(), self.translated(), self.engine.connect() as connection:
            connection = connection.execution_options(persona_memory_write=True)
            with connection.begin() as transaction:
                yield connection
                transaction.rollback()

    @contextmanager
    def maintain(self) -> Iterator[Any]:
        """SQLite's own connection outside of any transaction, in turn with the writers: for VACUUM and checkpoints."""
        with self._in_turn(), self.translated(), self.engine.connect() as connection:
            yield connection.connection.driver_connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Threads of this process write to SQLite one after the other; on Postgres side by side.

        SQLite itself does not queue its writers: each sleeps and looks again, while the lock may lie idle.
        """
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(timeout=TURN_TIMEOUT_S):
            raise LedgerLocked(
                f"{self.describe()} was written to by other threads for {TURN_TIMEOUT_S:.0f} s; try again"
            )
        try:
            yield
        finally:
            self._writing.release()

    def close(self) -> None:
        """Close all connections. Whatever uses the ledger afterwards gets a `LedgerError`."""
        self.closed = True
        self.engine.dispose()
        if self.vault is not None:
            self.vault.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Database errors inside the block leave it under our names."""
        if self.closed:
            raise LedgerError(f"the memory on {self.describe()} is closed; open it again")
        with named_errors(self.describe()):
            yield


def first(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a prepared query, which takes strings and numbers; None where there is none.

    For what every turn asks: on SQLite it goes straight to the driver, as SQLAlchemy's wrapping takes five times as
    long as the read.
    """
    if connection.dialect.name != "sqlite":
        found = connection.execute(query, values).first()
        return None if found is None else tuple(found)
    text, readers = _for_driver(query)
    cursor = connection.connection.cursor()
    cursor.execute(text, values)
    row = cursor.fetchone()
    return None if row is None else tuple(read(value) for read, value in zip(readers, row, strict=True))


@cache
def _for_driver(query: Select[Any]) -> tuple[str, tuple[Callable[[Any], Any], ...]]:
    """The query as SQLite's driver takes it, with named parameters, and what its columns' types make of values."""
    dialect = sqlite.dialect(paramstyle="named")
    readers = (one.type.dialect_impl(dialect).result_processor(dialect, None) for one in query.selected_columns)
    return str(query.compile(dialect=dialect)), tuple(read or _as_it_is for read in readers)


def _as_it_is(value: Any) -> Any:
    return value


def engine_for(url: str, durability: Durability = "FULL", *, exclusive: bool = False) -> Engine:
    """The engine of a ledger.

    Args:
        exclusive: nobody else may have the file open meanwhile (SQLite).
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(f"{url!r} is no database URL; use sqlite:///file or postgresql+psycopg://…") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(url, parsed.database, durability, exclusive=exclusive)
    if parsed.get_backend_name() == "postgresql":
        try:
            return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8)
        except ModuleNotFoundError as error:
            raise MissingExtra("a Postgres ledger", "postgres") from error
    raise InvalidInput(f"the ledger runs on SQLite or Postgres, not on {parsed.get_backend_name()!r}")


def _sqlite_engine(url: str, database: str | None, durability: Durability, *, exclusive: bool) -> Engine:
    if database in (None, "", ":memory:"):
        raise InvalidInput("a ledger in memory would lose everything; give a file (a temporary folder for tests)")
    if not str(database).startswith("file:"):
        _make_private(Path(str(database)))
    options = {"timeout": LOCK_TIMEOUT_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=options, pool_size=8)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # pysqlite would begin transactions late and on its own; we emit BEGIN ourselves (see `_begin`).
        connection.isolation_level = None
        if exclusive:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()
        _use_wal(connection)
        for pragma in (f"synchronous = {durability}", "secure_delete = ON", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("persona_memory_write", False)
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _make_private(file: Path) -> None:
    """Make the folder and the empty file where they are missing, for their owner only; SQLite's other files follow."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LedgerReadOnly(
            f"cannot create the folder of {str(file)!r}: {error.strerror}; choose another home"
        ) from error
    with suppress(OSError):  # it is there, or SQLite says why it cannot be made
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _check_emptied(file)


def _check_emptied(file: Path) -> None:
    """Pass unless the file has lost its content: SQLite would take it for a new one and delete the log beside it."""
    log = file.with_name(f"{file.name}-wal")
    with suppress(FileNotFoundError):
        if log.stat().st_size and not file.stat().st_size:
            raise LedgerCorrupt(
                f"{str(file)!r} is empty, but its write-ahead log {str(log)!r} is not: something has emptied it; move "
                "both away and restore a backup"
            )


def _use_wal(connection: sqlite3.Connection) -> None:
    """Set the write-ahead log. SQLite does not wait when two processes do so on a new file at once: one tries again."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _prepare(tx: Connection, *, shown: str, keys: tuple[KeyStore, MasterKey] | None) -> bytes | Vault:
    """Create or migrate the tables; returns the ledger's secret, the key of all its hashes (32 bytes).

    Of an encrypted ledger it returns the vault, which holds the secret: beside the hashes it would confirm guesses.
    """
    if tx.dialect.name == "postgresql":
        # Two processes may open a new ledger at the same time: one of them creates the tables.
        tx.execute(text("SELECT pg_advisory_xact_lock(7310442)"))
    tables = inspect(tx).get_table_names()
    if meta.name not in tables:
        if tables and tx.dialect.name == "sqlite":
            raise LedgerCorrupt(f"{shown} is a database of another program; choose another home")
        _create(tx, keys)
    found = dict(tx.execute(select(meta.c.name, meta.c.value)).all())
    if "schema_version" not in found or not ({"secret", ENCRYPTION} & found.keys()):
        raise LedgerCorrupt(f"{shown} is no ledger of persona-memory; choose another home")
    version = checked_version(found, shown)
    known = _unlocked(found, shown, keys)
    migrated(tx, version)
    if tx.dialect.name == "sqlite":
        planner.inform(tx)
    return known


def keys_of(url: str) -> str | None:
    """The id of the store that holds the keys of a ledger; None where nothing is encrypted."""
    engine = engine_for(url)
    try:
        with named_errors(make_url(url).render_as_string(hide_password=True)), engine.connect() as connection:
            if meta.name not in inspect(connection).get_table_names():
                return None  # opening it says what it is
            query = select(meta.c.value).where(meta.c.name == ENCRYPTION)
            return connection.execute(query).scalar_one_or_none()
    finally:
        engine.dispose()


def checked_version(found: Mapping[str, str], shown: str) -> int:
    """The schema version of a ledger's `meta`, if this persona-memory knows it.

    Raises:
        LedgerTooNew: it does not.
    """
    version = int(found["schema_version"])
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(
            f"{shown} has schema version {version}, this persona-memory reads up to {SCHEMA_VERSION}: "
            "upgrade it with pip install --upgrade persona-memory"
        )
    return version


def migrated(tx: Connection, version: int) -> None:
    """Bring the tables from this version to the present one."""
    if version < SCHEMA_VERSION:
        migrations.upgrade(tx, version, to=SCHEMA_VERSION)
        tx.execute(update(meta).where(meta.c.name == "schema_version").values(value=str(SCHEMA_VERSION)))


def _create(tx: Connection, keys: tuple[KeyStore, MasterKey] | None) -> None:
    """The tables of a new ledger, and either its secret or the name of the store that holds it."""
    metadata.create_all(tx)
    rows = [{"name": "schema_version", "value": str(SCHEMA_VERSION)}]
    if keys is None:
        rows.append({"name": "secret", "value": secrets.token_hex(32)})
    else:
        store, master = keys
        rows.append({"name": ENCRYPTION, "value": store.create(master, secrets.token_bytes(32))})
    tx.execute(insert(meta), rows)


def _unlocked(found: Mapping[str, str], shown: str, keys: tuple[KeyStore, MasterKey] | None) -> bytes | Vault:
    """The secret of a plain ledger, or the vault of an encrypted one.

    Raises:
        EncryptionError: it is encrypted and there is no key, or the other way round; or it is the wrong one.
    """
    if CONVERTING in found:
        raise EncryptionError(
            f"{shown} is being encrypted; if that was interrupted, `persona-memory encrypt` finishes it"
        )
    if ENCRYPTION not in found and keys is None:
        return bytes.fromhex(found["secret"])
    if keys is None:
        raise EncryptionError(
            f"{shown} is encrypted: set PERSONA_MEMORY_KEY to its key or key file, or pass encryption=… (--key-file)"
        )
    if ENCRYPTION not in found:
        raise EncryptionError(
            f"{shown} is not encrypted, but a key is given: `persona-memory encrypt` converts it; or take the key away "
            "(PERSONA_MEMORY_KEY)"
        )
    store, master = keys
    return Vault(store, master, found[ENCRYPTION])
