"""People's data keys, in a store of their own: whoever has a copy of the ledger has no key to it.

On SQLite the store is a file beside the ledger; on Postgres two tables, which a dump can leave out. It holds each data
key wrapped by the master key, and the secret of the ledger's hashes. Destroying a person's key makes every copy of the
ledger unreadable for what it had encrypted.
"""

from __future__ import annotations

import copy
import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from persona_memory.encryption import ID_BYTES, KEY_BYTES, DataKey, key_id, unwrapped, wrapped
from persona_memory.errors import EncryptionError, KeyDestroyed, Tampered
from persona_memory.ledger.silent import create_engine
from persona_memory.protocols import MasterKey

if TYPE_CHECKING:
    from persona_memory.ledger.people import Person

KEYS_FILE = "keys.db"

LOCK_TIMEOUT_S = 10.0

CACHED_KEYS = 10_000
"""Data keys that are kept unwrapped, about 1 KB each."""

LOCKED = 100_000
"""People of whom is remembered which key is theirs, since they were last locked."""

_metadata = MetaData()
_keys = Table(
    "persona_memory_keys",
    _metadata,
    Column("id", String(16), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)
_store = Table(
    "persona_memory_keys_store",
    _metadata,
    Column("id", String(32), primary_key=True),  # of the ledger whose keys these are
    Column("secret", LargeBinary, nullable=False),
    # Raised when the master key is changed: whoever still holds the one before adds no keys.
    Column("generation", Integer, nullable=False),
)
_DELETE = delete(_keys).where(_keys.c.id == bindparam("gone"))
_ONE = select(_keys.c.namespace, _keys.c.user_id, _keys.c.wrapped).where(_keys.c.id == bindparam("wanted"))


def store_url(ledger: str) -> URL:
    """Where the keys of a ledger are: `keys.db` beside `memory.db`, the database itself on Postgres."""
    url = make_url(ledger)
    if url.get_backend_name() != "sqlite":
        return url
    if str(url.database).startswith("file:"):
        raise EncryptionError(f"a ledger under {ledger!r} cannot be encrypted: name a plain path, sqlite:///memory.db")
    path = Path(str(url.database))
    return url.set(database=str(path.with_name(KEYS_FILE if path.stem == "memory" else f"{path.stem}-{KEYS_FILE}")))


def key_file(path: Path) -> KeyStore:
    """The keys in a file."""
    return KeyStore(URL.create("sqlite", database=str(path)))


class KeyStore:
    """Wrapped keys, each written durably before anything that it encrypts."""

    def __init__(self, url: URL) -> None:
        self.shown = url.render_as_string(hide_password=True)
        self._path = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
        self._engine = _engine(url)

    def exists(self) -> bool:
        """Whether there is one; looking makes none."""
        if self._path is not None and not self._path.exists():
            return False
        with self._transaction() as tx:
            return _store.name in inspect(tx).get_table_names()

    def create(self, master: MasterKey, secret: bytes) -> str:
        """The id of a new store for a ledger with this secret. One in which nothing was ever kept is made anew.

        Raises:
            EncryptionError: there are keys of another ledger.
        """
        if self.exists():
            with self._transaction() as tx:
                held = tx.execute(select(func.count()).select_from(_keys)).scalar_one()
            if held:
                raise EncryptionError(
                    f"{self.shown} holds the keys of another ledger: move it away, or restore that ledger"
                )
        if self._path is not None:
            self._path.touch(mode=0o600)
        made = secrets.token_hex(16)
        with self._transaction(write=True) as tx:
            _metadata.create_all(tx)
            tx.execute(delete(_store))
            tx.execute(insert(_store).values(id=made, secret=wrapped(master, secret), generation=1))
        return made

    def unlock(self, master: MasterKey, ledger: str) -> tuple[bytes, int]:
        """The ledger's secret, and the generation of the master key.

        Raises:
            WrongKey: the master key is another one.
            EncryptionError: these are not the keys of this ledger, or they are missing.
        """
        row = None
        if self.exists():
            with self._transaction() as tx:
                row = tx.execute(select(_store).where(_store.c.id == ledger)).one_or_none()
        if row is None:
            raise EncryptionError(f"the keys of this ledger are not in {self.shown}: restore them beside it")
        return unwrapped(master, row.secret), row.generation

    def ledger(self) -> str | None:
        """The id of the ledger whose keys these are; None where there are none."""
        if not self.exists():
            return None
        with self._transaction() as tx:
            return tx.execute(select(_store.c.id)).scalar_one_or_none()

    def owners(self) -> dict[str, tuple[str, str]]:
        """Namespace and user id, by the id of each key."""
        with self._transaction() as tx:
            found = tx.execute(select(_keys.c.id, _keys.c.namespace, _keys.c.user_id))
            return {id: (namespace, user_id) for id, namespace, user_id in found}

    def copy_to(self, file: Path, ids: Collection[str]) -> None:
        """Copy these keys, wrapped as they are, and the ledger's secret into a new file."""
        with self._transaction() as tx:
            row = dict(tx.execute(select(_store)).mappings().one())
            found = [dict(one) for one in tx.execute(select(_keys)).mappings() if one["id"] in ids]
        file.touch(mode=0o600, exist_ok=False)
        target = key_file(file)
        try:
            with target._transaction(write=True) as tx:
                _metadata.create_all(tx)
                tx.execute(insert(_store).values(row))
                if found:
                    tx.execute(insert(_keys), found)
        finally:
            target.close()

    def add(self, id: str, person: Person, sealed: bytes, *, generation: int) -> None:
        """Keep a wrapped key; durable when it returns.

        Raises:
            EncryptionError: the master key was changed meanwhile.
        """
        with self._transaction(write=True) as tx:
            current = tx.execute(select(_store.c.generation).with_for_update()).scalar_one()
            if current != generation:
                raise EncryptionError(
                    "the master key was changed by `rotate-key`: open the memory again with the new one"
                )
            tx.execute(insert(_keys).values(id=id, wrapped=sealed, **person.key()))

    def read(self, id: str) -> tuple[str, str, bytes] | None:
        """Namespace, user id and wrapped key; None where it was destroyed."""
        with self._transaction() as tx:
            row = tx.execute(_ONE, {"wanted": id}).one_or_none()
        return None if row is None else tuple(row)

    def destroy(self, ids: Collection[str]) -> None:
        """Delete keys; their bytes are gone when it returns (SQLite: `secure_delete`, no write-ahead log)."""
        if ids:
            with self._transaction(write=True) as tx:
                tx.execute(_DELETE, [{"gone": id} for id in ids])

    def rewrap(self, old: MasterKey, new: MasterKey) -> int:
        """Wrap everything anew, in one transaction; returns how many keys. A kill leaves the one state or the other.

        Raises:
            WrongKey: `old` is not the master key; nothing was changed.
        """
        with self._transaction(write=True) as tx:
            row = tx.execute(select(_store).with_for_update()).one()
            secret = wrapped(new, unwrapped(old, row.secret))
            found = tx.execute(select(_keys.c.id, _keys.c.wrapped)).all()
            for id, sealed in found:
                fresh = wrapped(new, unwrapped(old, sealed))
                tx.execute(update(_keys).where(_keys.c.id == id).values(wrapped=fresh))
            tx.execute(update(_store).values(secret=secret, generation=row.generation + 1))
        return len(found)

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(persona_memory_write=write)
                with connection.begin():
                    yield connection
        except (DBAPIError, sqlite3.Error) as error:  # a raw sqlite3.Error comes from the beginning of a transaction
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise EncryptionError(f"the keys in {self.shown} cannot be read or written: {reason}") from reason


class Vault:
    """The unwrapped keys of a ledger: made when somebody first says something, unwrapped once, and kept.

    Which key is a person's stands in their row of the ledger, and `people.lock` says it here (`locked`). So a process
    that has a key of somebody who was deleted elsewhere does not encrypt with it what they say anew.
    """

    def __init__(self, store: KeyStore, master: MasterKey, ledger: str) -> None:
        self.id = ledger
        self.secret, self._generation = store.unlock(master, ledger)
        self._store, self._master = store, master
        self._held: LRUCache[str, DataKey] = LRUCache(CACHED_KEYS)
        self._last: DataKey | None = None  # most values are read many of a person at a time
        self._current: LRUCache[tuple[str, str], str] = LRUCache(LOCKED)
        self._lock = threading.Lock()

    def apart(self) -> Vault:
        """The same keys, read anew; for a copy of the ledger, too, in which people may have had others."""
        other = copy.copy(self)
        other._held, other._current, other._last = LRUCache(CACHED_KEYS), LRUCache(LOCKED), None
        return other

    def owners(self) -> dict[str, tuple[str, str]]:
        """Namespace and user id, by the id of each key that there is."""
        return self._store.owners()

    def create(self, person: Person) -> str:
        """The id of a new key of the person's, which is stored durably."""
        id, key = secrets.token_bytes(ID_BYTES), secrets.token_bytes(KEY_BYTES)
        self._store.add(id.hex(), person, wrapped(self._master, key), generation=self._generation)
        self._keep(DataKey(key, id=id, owner=(person.namespace, person.user_id)))
        return id.hex()

    def locked(self, person: Person, id: str) -> None:
        """The person's row, which is locked, names this key."""
        with self._lock:
            self._current[person.namespace, person.user_id] = id

    def key(self, id: str) -> DataKey:
        """The key of this name.

        Raises:
            KeyDestroyed: there is none any more.
        """
        with self._lock:
            held = self._held.get(id)
        if held is not None:
            return held
        found = self._store.read(id)
        if found is None:
            raise KeyDestroyed(
                f"the key {id!r} was destroyed, or is not in {self._store.shown}: what it encrypted cannot be read. "
                "Of a person who was deleted, `forget --everything` clears what a restored copy still holds"
            )
        namespace, user_id, sealed = found
        return self._keep(DataKey(unwrapped(self._master, sealed), id=bytes.fromhex(id), owner=(namespace, user_id)))

    def seal_for(self, person: Person, place: str, data: bytes) -> bytes:
        """The data, encrypted with the key of the person, who is locked."""
        with self._lock:
            id = self._current.get((person.namespace, person.user_id))
        if id is None:
            raise EncryptionError(
                f"user {person.user_id!r} is not locked, so nobody knows their key; nothing was stored"
            )
        return self.key(id).seal(place, data)

    def open_for(self, person: Person, place: str, sealed: bytes) -> bytes:
        """What was sealed for this person and place.

        Raises:
            EncryptionError: it is something else, or its key is gone.
        """
        id = key_id(sealed)
        if not id:
            raise Tampered(f"{place}: what is stored of user {person.user_id!r} is not encrypted; it was changed")
        key = self._last
        if key is None or key.id != id:
            key = self._last = self.key(id.hex())
        if key.owner != (person.namespace, person.user_id):
            raise Tampered(f"{place}: what is stored of user {person.user_id!r} was moved here from somebody else")
        return key.open(place, sealed)

    def open(self, place: str, sealed: bytes) -> bytes:
        """What was sealed for this place, whoever's it is: for places that name their owner."""
        id = key_id(sealed)
        if not id:
            raise Tampered(f"{place}: it is not encrypted")
        return self.key(id.hex()).open(place, sealed)

    def destroy(self, ids: Collection[str]) -> None:
        """Destroy keys: what they have encrypted is gone, wherever there is a copy of it."""
        self._store.destroy(ids)
        with self._lock:
            self._last = None
            for id in ids:
                self._held.pop(id, None)

    def close(self) -> None:
        """Forget all keys."""
        with self._lock:
            self._held.clear()
            self._last = None
        self._store.close()

    def _keep(self, key: DataKey) -> DataKey:
        with self._lock:
            self._held[key.id.hex()] = key
        return key


def rotate(ledger: str, old: MasterKey, new: MasterKey) -> int:
    """Wrap all keys of a ledger with another master key; returns how many. The old one opens nothing afterwards.

    Atomic: after a kill either key is the right one, and calling it again finishes it. Processes that are at work go on
    with what they have unwrapped; they need the new key to add people or to read others.

    Raises:
        WrongKey: `old` is not the master key.
        EncryptionError: there are no keys.
    """
    store = KeyStore(store_url(ledger))
    try:
        if not store.exists():
            raise EncryptionError(
                f"there are no keys in {store.shown}: the memory is not encrypted, or its keys are gone"
            )
        return store.rewrap(old, new)
    finally:
        store.close()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=8)
    engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # A rollback journal, which is emptied: a write-ahead log would keep what was deleted.
        for pragma in ("journal_mode = TRUNCATE", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("persona_memory_write", False)
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
