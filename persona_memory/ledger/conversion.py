"""From a plain ledger to an encrypted one, in place: resumable, and alone with it.

1. The key store is made, and the ledger says that it is being encrypted: nobody opens it from now on.
2. In one transaction everybody gets a key, every value is encrypted, and the secret of the hashes leaves the ledger.
3. What else there is (adapters' files) is encrypted by the caller.
4. The bytes of before go from the file, and the ledger can be opened with the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Table, bindparam, delete, insert, select, text, union, update

from persona_memory.encryption import DataKey
from persona_memory.errors import InvalidInput
from persona_memory.ledger import people, sealed
from persona_memory.ledger.engine import CONVERTING, ENCRYPTION, checked_version, engine_for, migrated
from persona_memory.ledger.keys import KeyStore, Vault, store_url
from persona_memory.ledger.naming import named_errors
from persona_memory.ledger.people import Person
from persona_memory.ledger.schema import PER_USER, adapters, meta, users
from persona_memory.ledger.sealed import Closed, Owned, sealed_columns
from persona_memory.protocols import MasterKey


class Conversion:
    """One ledger that is being encrypted. Make it with `converting`.

    Attributes:
        people: how many people there are.
        values: how many values were encrypted.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault
        self.people = self.values = 0

    def run(self) -> None:
        """Encrypt every value, in one transaction; nothing where that was done before."""
        with _transaction(self._engine) as tx:
            found = _meta(tx)
            if ENCRYPTION in found:
                return
            self._vault.destroy(self._vault.owners())  # of a run that was killed: nothing is encrypted with them
            if tx.dialect.name == "postgresql":
                for table in PER_USER:
                    tx.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))
            owners = union(*(select(table.c.namespace, table.c.user_id) for table in PER_USER))
            for namespace, user_id in tx.execute(owners).all():
                self._encrypt(tx, Person(namespace, user_id))
            tx.execute(delete(meta).where(meta.c.name == "secret"))
            tx.execute(insert(meta).values(name=ENCRYPTION, value=found[CONVERTING]))

    def adapters(self) -> dict[str, Person]:
        """Whose each revision is, by name."""
        with _transaction(self._engine) as tx:
            rows = tx.execute(select(adapters.c.name, adapters.c.namespace, adapters.c.user_id)).all()
        return {name: Person(namespace, user_id) for name, namespace, user_id in rows}

    def key(self, person: Person) -> DataKey:
        """The person's key."""
        with _transaction(self._engine) as tx:
            found = people.data_key(tx, person)
        assert found is not None
        return found

    def finish(self) -> None:
        """Let the bytes of before go, then let the ledger be opened."""
        with self._engine.connect() as connection:
            raw = connection.execution_options(isolation_level="AUTOCOMMIT")
            if raw.dialect.name == "postgresql":
                for table in (*PER_USER, meta):
                    raw.execute(text(f"VACUUM FULL {table.name}"))
            else:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("VACUUM")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with _transaction(self._engine) as tx:
            tx.execute(delete(meta).where(meta.c.name == CONVERTING))

    def _encrypt(self, tx: Connection, person: Person) -> None:
        tx.execute(update(users).where(person.owns(users)).values(key=self._vault.create(person)))
        people.lock(tx, person)
        self.people += 1
        for table in PER_USER:
            self.values += _encrypt_rows(tx, person, table)


@contextmanager
def converting(url: str, master: MasterKey) -> Iterator[Conversion]:
    """The conversion of a plain ledger, or of one whose conversion was interrupted.

    Raises:
        InvalidInput: it is encrypted already.
        WrongKey: the conversion was begun with another key.
        LedgerLocked: another process has the ledger open.
    """
    engine, store = engine_for(url, exclusive=True), KeyStore(store_url(url))
    try:
        with named_errors(url):
            with _transaction(engine) as tx:
                id = _begin(tx, store, master, url)
            vault = Vault(store, master, id)
            sealed.use(engine.dialect, vault)
            yield Conversion(engine, vault)
    finally:
        engine.dispose()
        store.close()


def _begin(tx: Connection, store: KeyStore, master: MasterKey, url: str) -> str:
    """Note that the ledger is being encrypted; returns the id of its key store."""
    found = _meta(tx)
    if CONVERTING in found:
        return found[CONVERTING]
    if ENCRYPTION in found:
        raise InvalidInput("the memory is encrypted already; `persona-memory rotate-key` changes its key")
    migrated(tx, checked_version(found, url))
    id = store.create(master, bytes.fromhex(found["secret"]))
    tx.execute(insert(meta).values(name=CONVERTING, value=id))
    return id


def _encrypt_rows(tx: Connection, person: Person, table: Table) -> int:
    """Encrypt what is in the table of this person; returns how many values."""
    columns = sealed_columns(table)
    if not columns:
        return 0
    keys = list(table.primary_key)
    changed = []
    for row in tx.execute(select(*keys, *columns).where(person.owns(table))).mappings():
        where = {f"key_{one.name}": row[one] for one in keys}
        changed.append({**where, **{f"new_{one.name}": _owned(person, row[one]) for one in columns}})
    if changed:
        mine = [one == bindparam(f"key_{one.name}") for one in keys]
        new = {one.name: bindparam(f"new_{one.name}", type_=one.type) for one in columns}
        tx.execute(update(table).where(*mine).values(new), changed)
    return sum(isinstance(value, Owned) for one in changed for value in one.values())


def _owned(person: Person, value: object) -> object:
    """A value that was read as if it were encrypted, and is not."""
    return Owned(person, value.stored) if isinstance(value, Closed) else value


def _meta(tx: Connection) -> dict[str, str]:
    return dict(tx.execute(select(meta.c.name, meta.c.value)).all())


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        connection = connection.execution_options(persona_memory_write=True)
        with connection.begin():
            yield connection
