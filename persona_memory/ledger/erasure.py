"""Erasing: rows of a person, spans of turns, and the bytes that a database would otherwise keep.

What a replay would bring back is kept out by keyed hashes, which tell nothing: a redacted turn keeps its own, a deleted
person leaves tombstones.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, null, or_, select, true, update

from persona_memory.errors import LedgerLocked
from persona_memory.ledger.engine import Ledger
from persona_memory.ledger.people import Person, insert_ignore, keyed
from persona_memory.ledger.schema import PER_USER, events, jobs, receipts, tombstones
from persona_memory.ledger.sealed import Owned
from persona_memory.ledger.threads import erased_tokens
from persona_memory.types import ErasureReceipt

MARKED = ("turn", "statement")
"""Events that may come again: their keys are remembered when they are erased."""

READERS_S = 2.0
"""Seconds that an erasure waits for reads under way, such as the worker's; they take milliseconds."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What is still to be deleted outside the ledger.

    Attributes:
        points: of an index; None for everything of the person.
        keys: ids of data keys, which are destroyed.
    """

    user_id: str
    points: list[str] | None
    keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What an erasure has taken: ids and names that tell nothing of what was said.

    Attributes:
        until: number of the event that notes the erasure: what was recorded before it holds nothing of this any more.
            0 where everything of the person went, that event included.
        turns: sequence numbers of turns that lost words; of them `whole` have lost all.
        memories: ids of memories that were asked to go.
        adapters: names of revisions that were retired or deleted with it.
    """

    until: int = 0
    turns: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()
    memories: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()


def redact(tx: Connection, person: Person, remaining: Mapping[int, str]) -> None:
    """Replace the text of turns with what remains of it; "" erases all of it.

    The turn's keyed hashes stay, so that a resend of the original is still known and adds nothing.
    """
    for seq, left in remaining.items():
        changed: dict[str, Any] = {"text": Owned(person, left), "embedded": None, "profiled": False}
        if not left:
            changed |= {"state": "learnt", "speaker": None, "message_id": None, "data": {}}
        tx.execute(update(events).where(person.owns(events), events.c.seq == seq).values(changed))


def rewrite_answer(tx: Connection, person: Person, seq: int, data: Mapping[str, Any]) -> None:
    """Replace a recorded answer by what may remain of it."""
    tx.execute(update(events).where(person.owns(events), events.c.seq == seq).values(data=Owned(person, dict(data))))


def clean_jobs(tx: Connection, person: Person) -> None:
    """Errors of jobs may quote what was said: they go; the jobs stay."""
    tx.execute(update(jobs).where(person.owns(jobs)).values(last_error=None))


def delete_person(tx: Connection, person: Person, *, secret: bytes) -> dict[str, int]:
    """Every row of the person goes, and their running jobs are void with it; returns how many, by table."""
    marks = select(events.c.key, events.c.chain).where(person.owns(events), events.c.kind.in_(MARKED))
    tokens = set(erased_tokens(secret, person, tx.execute(marks).all()))
    insert_ignore(tx, tombstones, [{"namespace": person.namespace, "token": token} for token in sorted(tokens)])
    return {table.name: tx.execute(delete(table).where(person.owns(table))).rowcount for table in PER_USER}


def write_receipt(
    tx: Connection,
    person: Person,
    erased: Mapping[str, int],
    *,
    points: Collection[str] | None,
    named: Named | None = None,
    keys: Collection[str] = (),
    secret: bytes,
    now: datetime,
) -> str:
    """Record what was erased, under a keyed hash of the person; returns the receipt's id. It is not complete yet.

    Args:
        points: what the index still has to delete, None for everything of the person. Until it has, the receipt names
            the person.
        named: what was erased; None for a receipt that only clears an index of what came to it late.
        keys: the person's data keys, which are to be destroyed, too.
    """
    receipt_id = secrets.token_hex(8)
    outside = {"user_id": person.user_id, "points": None if points is None else list(points), "keys": list(keys)}
    row = {
        "namespace": person.namespace, "id": receipt_id, "at": now, "complete": False, "erased": dict(erased),
        "user_token": keyed(secret, "receipt", person.namespace, person.user_id), "outside": outside,
        "named": None if named is None else asdict(named),
    }  # fmt: skip
    tx.execute(insert(receipts).values(row))
    return receipt_id


def outside(connection: Connection, namespace: str) -> dict[str, Outside]:
    """What the index still has to delete, by receipt."""
    query = select(receipts.c.id, receipts.c.outside).where(_of(namespace), receipts.c.outside.is_not(None))
    return {row.id: Outside(**row.outside) for row in connection.execute(query)}


def withdrawn(tx: Connection, namespace: str, receipt_id: str) -> None:
    """The index has deleted what the receipt names."""
    tx.execute(update(receipts).where(_of(namespace), receipts.c.id == receipt_id).values(outside=null()))


def receipt_row(connection: Connection, namespace: str, receipt_id: str) -> Row[*tuple[Any, ...]] | None:
    """The row of a receipt; None where there is none."""
    query = select(receipts).where(_of(namespace), receipts.c.id == receipt_id)
    return connection.execute(query).one_or_none()


def erased_adapters(connection: Connection) -> set[str]:
    """The names of all revisions, of all namespaces, that went with an erasure."""
    return _adapters(connection, true())


def adapters_erased_of(connection: Connection, person: Person, *, secret: bytes) -> set[str]:
    """The same of one person."""
    return _adapters(connection, _about(person, secret))


def _adapters(connection: Connection, wanted: ColumnElement[bool]) -> set[str]:
    found = connection.execute(select(receipts.c.named).where(receipts.c.named.is_not(None), wanted)).scalars()
    return {name for named in found for name in named["adapters"]}


def took_all(receipt: Row[*tuple[Any, ...]]) -> bool:
    """Whether this row of `receipts` is about a whole person."""
    return "users" in receipt.erased


def scrub(ledger: Ledger) -> None:
    """Make erased bytes disappear from the ledger's files, and complete the receipts that waited for that.

    SQLite: VACUUM writes a file without free pages, a truncating checkpoint empties the write-ahead log. It waits for
    short reads; while a long one goes on, it cannot end: `unfinished` knows, and the worker tries again. Postgres: its
    own vacuum reclaims the pages.
    """
    if not ledger.is_sqlite:
        return
    waiting = [_of(ledger.namespace), receipts.c.complete.is_(False), receipts.c.outside.is_(None)]
    try:
        with ledger.read() as connection:  # before the VACUUM: what is erased after it needs another one
            ids = list(connection.execute(select(receipts.c.id).where(*waiting)).scalars())
        with ledger.maintain() as raw:
            raw.execute("VACUUM")
        if _empty_log(ledger):
            with ledger.write() as tx:
                tx.execute(update(receipts).where(_of(ledger.namespace), receipts.c.id.in_(ids)).values(complete=True))
    except LedgerLocked:  # erased it is; that the bytes are gone is found out again by the worker
        return


def _empty_log(ledger: Ledger) -> bool:
    """Empty the write-ahead log; returns whether readers let it.

    Many short looks instead of one long wait: while a checkpoint waits for a reader, nobody can write.
    """
    deadline = time.monotonic() + READERS_S
    while _held_up(ledger):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _held_up(ledger: Ledger) -> bool:
    with ledger.maintain() as raw:
        (waits,) = raw.execute("PRAGMA busy_timeout").fetchone()
        raw.execute("PRAGMA busy_timeout = 0")
        try:
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.execute(f"PRAGMA busy_timeout = {waits}")
    return bool(busy)


def unfinished(ledger: Ledger) -> bool:
    """Whether an erasure still waits for the index or for its bytes to go."""
    waiting: ColumnElement[bool] = receipts.c.outside.is_not(None)
    if ledger.is_sqlite:
        waiting = or_(waiting, receipts.c.complete.is_(False))
    with ledger.read() as connection:
        query = select(receipts.c.id).where(_of(ledger.namespace), waiting).limit(1)
        return connection.execute(query).one_or_none() is not None


def is_complete(connection: Connection, namespace: str, receipt_id: str) -> bool:
    """Whether everything that the receipt names is gone."""
    query = select(receipts.c.complete).where(_of(namespace), receipts.c.id == receipt_id)
    return bool(connection.execute(query).scalar_one())


def read_receipts(connection: Connection, person: Person, *, secret: bytes) -> list[ErasureReceipt]:
    """The person's receipts, oldest first; without those that only clear an index of what came to it late."""
    query = select(receipts).where(_about(person, secret)).order_by(receipts.c.at)
    return [
        ErasureReceipt(row.id, person.user_id, row.at, row.complete, row.erased)
        for row in connection.execute(query)
        if row.erased
    ]


def _of(namespace: str) -> ColumnElement[bool]:
    return receipts.c.namespace == namespace


def _about(person: Person, secret: bytes) -> ColumnElement[bool]:
    token = keyed(secret, "receipt", person.namespace, person.user_id)
    return and_(_of(person.namespace), receipts.c.user_token == token)
