"""What learning has cost, by person and day, and in all: calls of a language model and their tokens.

A call is counted before it is made and corrected when it is known what it took: whoever looks in between sees too much,
never too little. The total of a namespace is kept in some rows, so that people who are learnt from side by side do not
wait for one row.
"""

from __future__ import annotations

import zlib
from datetime import date

from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from persona_memory.ledger.people import Person, owned
from persona_memory.ledger.schema import spending, spending_totals
from persona_memory.types import Spent

SHARDS = 16
"""Rows among which a day's total is divided."""

_LOCK = 7310443
"""The first key of our advisory locks on totals; the second one is the namespace's."""

_TODAY: BindParameter[date] = bindparam("today")
_OF_PERSON = select(spending.c.calls, spending.c.tokens).where(owned(spending), spending.c.day == _TODAY)
_OF_ALL = select(
    func.coalesce(func.sum(spending_totals.c.calls), 0), func.coalesce(func.sum(spending_totals.c.tokens), 0)
).where(spending_totals.c.namespace == bindparam("in_namespace"), spending_totals.c.day == _TODAY)


def add(tx: Connection, person: Person, day: date, spent: Spent) -> None:
    """Count for a person who is known, whose row the caller has locked."""
    counted = {"day": day, "calls": spent.calls, "tokens": spent.tokens}
    _upsert(tx, spending, {**person.key(), **counted})
    _upsert(tx, spending_totals, {"namespace": person.namespace, "shard": _shard(person), **counted})


def one_at_a_time(tx: Connection, namespace: str) -> None:
    """Let nobody else compare with the namespace's total until the transaction ends; on SQLite nobody writes anyway."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(_LOCK, zlib.crc32(namespace.encode()) - 2**31)))


def correct(tx: Connection, person: Person, day: date, by: Spent) -> None:
    """Correct what was counted; of a person who was deleted meanwhile only the total is left."""
    mine = [person.owns(spending), spending.c.day == day]
    of_all = spending_totals.c
    shard = [of_all.namespace == person.namespace, of_all.day == day, of_all.shard == _shard(person)]
    for table, rows in ((spending, mine), (spending_totals, shard)):
        values = {"calls": table.c.calls + by.calls, "tokens": table.c.tokens + by.tokens}
        tx.execute(update(table).where(*rows).values(values))


def of_person(connection: Connection, person: Person, day: date) -> Spent:
    """What the person's turns have cost on a day."""
    row = connection.execute(_OF_PERSON, {**person.owner(), "today": day}).one_or_none()
    return Spent() if row is None else Spent(*row)


def of_all(connection: Connection, namespace: str, day: date) -> Spent:
    """What everybody's turns have cost on a day, people who were deleted since included."""
    calls, tokens = connection.execute(_OF_ALL, {"in_namespace": namespace, "today": day}).one()
    return Spent(int(calls), int(tokens))


def drop_before(tx: Connection, namespace: str, day: date) -> None:
    """Forget what days before this one have cost."""
    for table in (spending, spending_totals):
        tx.execute(delete(table).where(table.c.namespace == namespace, table.c.day < day))


def _upsert(tx: Connection, table: Table, values: dict[str, object]) -> None:
    new = (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(table).values(values)
    counted = {name: table.c[name] + new.excluded[name] for name in ("calls", "tokens")}
    tx.execute(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=counted))


def _shard(person: Person) -> int:
    return zlib.crc32(person.user_id.encode()) % SHARDS
