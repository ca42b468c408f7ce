"""How the last turns of each person were routed, for looking back: numbers and names of ours, nobody's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from persona_memory.ledger.engine import first
from persona_memory.ledger.people import Person, owned
from persona_memory.ledger.schema import routes
from persona_memory.types import Routed

KEPT = 200
"""Turns of each person that are kept, about 90 bytes each."""

_COLUMNS = tuple(routes.c[name] for name in Routed.__dataclass_fields__)
_ALL = select(*_COLUMNS).where(owned(routes)).order_by(routes.c.ordinal)
_LAST = select(func.max(routes.c.ordinal)).where(owned(routes))
_ADD = insert(routes)
_DROP = delete(routes).where(owned(routes), routes.c.ordinal <= bindparam("until"))


def add(tx: Connection, person: Person, routed: Sequence[Routed]) -> None:
    """Keep the routes of a person whose row the caller has locked, oldest first; the oldest of all make room."""
    (newest,) = first(tx, _LAST, person.owner()) or (None,)
    last = newest or 0
    tx.execute(_ADD, [{**person.key(), "ordinal": last + n, **asdict(one)} for n, one in enumerate(routed, 1)])
    if last + len(routed) > KEPT:
        tx.execute(_DROP, {**person.owner(), "until": last + len(routed) - KEPT})


def read(connection: Connection, person: Person) -> list[Routed]:
    """What is kept of a person, oldest first."""
    return [Routed(*row) for row in connection.execute(_ALL, person.owner())]
