"""A person's row: the lock that orders their log, the counters that tell caches what moved, the policy in force."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, Table, and_, bindparam, event, select, update
from sqlalchemy.dialects import postgresql, sqlite

from persona_memory.encryption import DataKey
from persona_memory.errors import EncryptionError, InvalidInput, InvalidUserId
from persona_memory.ledger.engine import Ledger, first
from persona_memory.ledger.keys import Vault
from persona_memory.ledger.schema import users
from persona_memory.ledger.sealed import vault_of
from persona_memory.types import Policy

MAX_USER_ID = MAX_THREAD_ID = 512

PART = 500
"""Values that one condition holds: databases allow some ten thousand, and a log may be longer."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """The first two parts of every key."""

    namespace: str
    user_id: str

    def owns(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row of `table` is this person's."""
        return and_(table.c.namespace == self.namespace, table.c.user_id == self.user_id)

    def key(self) -> dict[str, str]:
        """The key columns, for an insert."""
        return {"namespace": self.namespace, "user_id": self.user_id}

    def owner(self) -> dict[str, str]:
        """The values of a prepared statement whose condition is `owned`."""
        return {"owner_namespace": self.namespace, "owner_id": self.user_id}


def owned(table: Table) -> ColumnElement[bool]:
    """As `Person.owns`, for statements that are prepared once and run with `Person.owner`.

    Building a statement costs more than running it; what every turn asks is prepared.
    """
    mine: ColumnElement[bool] = and_(
        table.c.namespace == bindparam("owner_namespace"), table.c.user_id == bindparam("owner_id")
    )
    return mine


@dataclass(frozen=True, slots=True)
class Counters:
    """What a reader compares with what it has cached."""

    last_seq: int = 0
    session: int = 0
    derived: int = 0
    vectors: int = 0
    rewrites: int = 0
    epoch: int = 0
    embedder: str | None = None
    optimizations: int = 0
    relearn: int = 0
    reprofile: bool = False
    policy: Mapping[str, Any] | None = None
    overflows: tuple[bool, ...] = ()
    key: str | None = None


_COLUMNS = tuple(users.c[name] for name in Counters.__dataclass_fields__)
_COUNTERS = select(*_COLUMNS).where(owned(users))
_LOCKED = _COUNTERS.with_for_update()


def checked(user_id: object) -> str:
    """The user id, if it can be one: any non-empty string of up to 512 characters.

    Raises:
        InvalidUserId: it is missing, empty, too long, not a string, or holds NUL or a lone surrogate.
    """
    if not isinstance(user_id, str):
        raise InvalidUserId(f"user_id is {user_id!r}; pass the id of the person as a non-empty string")
    if not user_id.strip():
        raise InvalidUserId("user_id is empty; there is no default person, so that nobody's memories ever mix")
    if len(user_id) > MAX_USER_ID:
        raise InvalidUserId(f"user_id has {len(user_id)} characters; at most {MAX_USER_ID} can be stored")
    if not _is_text(user_id):
        raise InvalidUserId(f"user_id {user_id!r} holds NUL or half a surrogate pair; use a valid Unicode string")
    return user_id


def checked_thread(thread_id: object) -> str:
    """The id of a conversation, if it can be one: any non-empty string of up to 512 characters.

    Raises:
        InvalidInput: it is not.
    """
    if isinstance(thread_id, str) and len(thread_id) > MAX_THREAD_ID:
        raise InvalidInput(f"thread_id has {len(thread_id)} characters; at most {MAX_THREAD_ID} can be stored")
    if not isinstance(thread_id, str) or not thread_id or not _is_text(thread_id):
        raise InvalidInput(f"thread_id is {thread_id!r}; pass the conversation's id as a non-empty, valid string")
    return thread_id


def _is_text(value: str) -> bool:
    """Whether every database can hold it as it is."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def parts(values: Collection[T]) -> list[list[T]]:
    """The values in portions that a condition can hold."""
    ordered = list(values)
    return [ordered[start : start + PART] for start in range(0, len(ordered), PART)]


def keyed(secret: bytes, *parts: str) -> str:
    """Keyed BLAKE2b of the parts (RFC 7693), 32 hex digits. Without the secret nobody can guess a message by it."""
    digest = hashlib.blake2b(key=secret, digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def insert_ignore(tx: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert the rows whose key is new; both databases call it ON CONFLICT DO NOTHING."""
    if rows:
        dialect = sqlite if tx.dialect.name == "sqlite" else postgresql
        tx.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def lock(tx: Connection, person: Person) -> Counters:
    """The person's counters, with the row locked until the transaction ends (SQLite: everything is).

    Nothing of a person is encrypted before this was called: it is here that they have their key.
    """
    found = lock_known(tx, person)
    if found is None:
        vault = vault_of(tx.dialect)
        key = None if vault is None else _new_key(tx, person, vault)
        # A person who comes back after an erasure starts from a random epoch: nothing cached of them can match.
        row = {**person.key(), "policy": asdict(Policy()), "epoch": secrets.randbelow(2**52) + 1}
        insert_ignore(tx, users, [{**row, "key": key}])
        found = lock(tx, person)  # not there if somebody deletes the person at this moment
        if vault is not None and key is not None and found.key != key:  # somebody else was quicker
            vault.destroy([key])
    return found


def _new_key(tx: Connection, person: Person, vault: Vault) -> str:
    """The id of a new key, which is durable at once and goes again where the transaction is rolled back.

    A key names its owner: one that nobody needs would tell of a person who was deleted.
    """
    made = [vault.create(person)]

    def rolled_back(_: Connection) -> None:
        with suppress(EncryptionError):  # as after a kill, `doctor` finds it; what ended the transaction is raised
            vault.destroy(made)

    event.listen(tx, "commit", lambda _: made.clear())  # whatever becomes of it: of one that fails nobody knows
    event.listen(tx, "rollback", rolled_back)
    return made[0]


def lock_known(tx: Connection, person: Person) -> Counters | None:
    """As `lock`, for work that must not bring back somebody who was deleted meanwhile: None for nobody."""
    query = _COUNTERS if tx.dialect.name == "sqlite" else _LOCKED
    row = first(tx, query, person.owner())
    if row is None:
        return None
    found, vault = _checked_counters(tx, person, row), vault_of(tx.dialect)
    if vault is not None and found.key is not None:
        vault.locked(person, found.key)
    return found


def data_key(connection: Connection, person: Person) -> DataKey | None:
    """The key of this person; None where nothing is encrypted, or nobody is known.

    Raises:
        KeyDestroyed: they were deleted, and this is a copy from before.
    """
    vault, found = vault_of(connection.dialect), counters(connection, person)
    return None if vault is None or found.key is None else vault.key(found.key)


def counters(connection: Connection, person: Person) -> Counters:
    """The person's counters as of now; all zero for somebody unknown."""
    row = first(connection, _COUNTERS, person.owner())
    return Counters() if row is None else _checked_counters(connection, person, row)


def glance(ledger: Ledger, person: Person) -> tuple[Any, ...] | None:
    """The person's counters as a row: equal ones say that nothing has changed. None for nobody."""
    return ledger.glance(_COUNTERS, person.owner())


def bump(tx: Connection, person: Person, **values: Any) -> None:
    """Set or raise the person's counters, e.g. `bump(tx, person, derived=1, policy={…})`: integers of cache counters
    and of the epoch are added, everything else is set."""
    tx.execute(_bump(tuple(values)), {**person.owner(), **{f"new_{name}": value for name, value in values.items()}})


@cache
def _bump(names: tuple[str, ...]) -> Executable:
    added = {"derived", "vectors", "rewrites", "epoch", "optimizations"}
    new = {name: bindparam(f"new_{name}", type_=users.c[name].type) for name in names}
    changes = {name: users.c[name] + value if name in added else value for name, value in new.items()}
    return update(users).where(owned(users)).values(changes)


def policy_of(found: Counters) -> Policy:
    """The policy in force; fields that this version does not know are ignored."""
    known: dict[str, Any] = {k: v for k, v in (found.policy or {}).items() if k in Policy.__dataclass_fields__}
    plain: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in known.items()}
    return Policy(**plain)


def all_ids(
    connection: Connection, namespace: str, *, holding: str = "", after: str = "", limit: int | None = None
) -> list[str]:
    """Every person of the namespace of whom something is stored, sorted; see `PersonaMemory.users`."""
    known = [users.c.namespace == namespace, users.c.last_seq > 0]
    if holding:
        known.append(users.c.user_id.icontains(holding, autoescape=True))
    if after:
        known.append(users.c.user_id > after)
    query = select(users.c.user_id).where(*known).order_by(users.c.user_id).limit(limit)
    return list(connection.execute(query).scalars())


def everybody(connection: Connection, namespace: str) -> list[str]:
    """Every person of the namespace who has a row, sorted; also somebody of whom nothing is stored yet."""
    query = select(users.c.user_id).where(users.c.namespace == namespace).order_by(users.c.user_id)
    return list(connection.execute(query).scalars())


def with_retention(connection: Connection, namespace: str) -> list[str]:
    """People whose policy limits how long their turns are kept."""
    limited = users.c.policy["retention_days"].as_integer().is_not(None)
    return list(connection.execute(select(users.c.user_id).where(users.c.namespace == namespace, limited)).scalars())


def in_meta_learning(connection: Connection) -> list[tuple[Person, int]]:
    """Everybody, of all namespaces, whose policy lets shared starts learn from them, with the epoch of their log."""
    agrees = users.c.policy["meta_learning"].as_boolean().is_(True)
    query = select(users.c.namespace, users.c.user_id, users.c.epoch).where(agrees, users.c.last_seq > 0)
    return [(Person(*key), epoch) for *key, epoch in connection.execute(query.order_by(*users.primary_key))]


def _checked_counters(connection: Connection, person: Person, row: tuple[Any, ...]) -> Counters:
    """The counters, if the person is encrypted just when the ledger was when it was opened.

    Raises:
        EncryptionError: another process has encrypted it since, or has gone on without encryption.
    """
    found = _counters(row)
    if (found.key is None) is (vault_of(connection.dialect) is None):
        return found
    raise EncryptionError(
        f"user {person.user_id!r} was written {'with' if found.key else 'without'} encryption by another process: "
        "close the memory and open it again"
    )


def _counters(row: tuple[Any, ...]) -> Counters:
    values = dict(zip(Counters.__dataclass_fields__, row, strict=True))
    return Counters(**{**values, "overflows": tuple(values["overflows"])})
