"""Embeddings in the ledger: BLOBs beside the rows that they stand for, and which rows still lack theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from persona_memory.ledger.events import LEFT
from persona_memory.ledger.people import Person, bump, insert_ignore, owned, parts
from persona_memory.ledger.schema import events, memories, users, vectors
from persona_memory.ledger.sealed import Owned, opened
from persona_memory.protocols import Vector


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A turn ("t12") or a memory (its id) whose vector is missing, with the text to embed."""

    item: str
    text: str


# Prepared, as in `events`.
_TURNS = (
    select(events.c.seq, events.c.text)
    .where(owned(events), LEFT, events.c.embedded.is_(None))
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)
_MEMORIES = (
    select(memories.c.id, memories.c.text)
    .where(owned(memories), memories.c.embedded.is_(None))
    .order_by(memories.c.ordinal)
    .limit(bindparam("most"))
)
_NEWEST = select(func.max(vectors.c.ordinal)).where(owned(vectors), vectors.c.fingerprint == bindparam("by"))
_MARK_TURNS = (
    update(events)
    .where(owned(events), events.c.seq.in_(bindparam("items", expanding=True)))
    .values(embedded=bindparam("by"))
)
_MARK_MEMORIES = (
    update(memories)
    .where(owned(memories), memories.c.id.in_(bindparam("items", expanding=True)))
    .values(embedded=bindparam("by"))
)
# Before it and behind it: two places in the index, where "not equal" would read all of the person's.
_OF_OTHERS = tuple(
    delete(vectors).where(owned(vectors), other)
    for other in (vectors.c.fingerprint < bindparam("by"), vectors.c.fingerprint > bindparam("by"))
)
_COMPLETE = update(users).where(owned(users)).values(embedder=bindparam("by"))
_POINTS = vectors.c.item.in_(bindparam("items", expanding=True))
_DELETE = delete(vectors).where(owned(vectors), _POINTS)
_DELETE_OF_ONE = _DELETE.where(vectors.c.fingerprint == bindparam("by"))
_AFTER = (
    select(vectors.c.item, vectors.c.vector, vectors.c.ordinal)
    .where(owned(vectors), vectors.c.fingerprint == bindparam("by"), vectors.c.ordinal > bindparam("after"))
    .order_by(vectors.c.ordinal)
)


def missing(connection: Connection, person: Person, *, limit: int) -> list[Unembedded]:
    """Turns, then memories, that have no vector yet, oldest first."""
    owner = person.owner()
    turns = connection.execute(_TURNS, {**owner, "most": limit})
    found = [Unembedded(f"t{seq}", opened(text, person)) for seq, text in turns]
    rest = connection.execute(_MEMORIES, {**owner, "most": limit - len(found)})
    return found + [Unembedded(memory_id, opened(text, person)) for memory_id, text in rest]


def count_missing(connection: Connection, namespace: str) -> int:
    """How many turns and memories of the namespace have no vector yet."""
    turns = select(func.count()).where(events.c.namespace == namespace, LEFT, events.c.embedded.is_(None))
    learnt = select(func.count()).where(memories.c.namespace == namespace, memories.c.embedded.is_(None))
    return connection.execute(turns).scalar_one() + connection.execute(learnt).scalar_one()


def restart(tx: Connection, person: Person, fingerprint: str) -> None:
    """Another embedder is in use: all of the person is to be embedded with it. Old vectors go when that is done.

    Until then they count for nothing: what is derived again meanwhile is embedded again, too.
    """
    tx.execute(update(events).where(person.owns(events), events.c.embedded != fingerprint).values(embedded=None))
    tx.execute(update(memories).where(person.owns(memories), memories.c.embedded != fingerprint).values(embedded=None))
    tx.execute(_COMPLETE, {**person.owner(), "by": None})
    bump(tx, person, vectors=1)


def store(tx: Connection, person: Person, fingerprint: str, points: Mapping[str, Vector]) -> None:
    """Keep vectors, each of shape (d,) as float32 bytes, by point id ("t12#0")."""
    delete_points(tx, person, fingerprint, list(points))
    first = (tx.execute(_NEWEST, {**person.owner(), "by": fingerprint}).scalar_one() or 0) + 1
    rows = [
        {
            **person.key(), "item": item, "fingerprint": fingerprint, "ordinal": first + place,
            "vector": Owned(person, vector.tobytes()),
        }
        for place, (item, vector) in enumerate(points.items())
    ]  # fmt: skip
    insert_ignore(tx, vectors, rows)
    bump(tx, person, vectors=1)


def mark_embedded(tx: Connection, person: Person, fingerprint: str | None, items: Collection[str]) -> None:
    """Remember that these turns and memories have their vectors of this embedder; None: that they lack them."""
    seqs = [int(item[1:]) for item in items if item[0] == "t"]
    ids = [item for item in items if item[0] != "t"]
    values: dict[str, object] = {**person.owner(), "by": fingerprint}
    for some in parts(seqs):
        tx.execute(_MARK_TURNS, {**values, "items": some})
    for part in parts(ids):
        tx.execute(_MARK_MEMORIES, {**values, "items": part})


def complete(tx: Connection, person: Person, fingerprint: str) -> None:
    """All of the person is embedded with this embedder: vectors of other embedders go."""
    values = {**person.owner(), "by": fingerprint}
    old = sum(tx.execute(query, values).rowcount for query in _OF_OTHERS)
    tx.execute(_COMPLETE, values)
    if old:  # each embedder counts its vectors from 1: whoever has read those of before begins anew
        bump(tx, person, vectors=1, rewrites=1)


def read(
    connection: Connection, person: Person, fingerprint: str, *, after: int = 0
) -> tuple[list[str], np.ndarray, int]:
    """Point ids, their vectors of shape (n, d), and the highest ordinal; only points stored after ordinal `after`."""
    rows = connection.execute(_AFTER, {**person.owner(), "by": fingerprint, "after": after}).all()
    if not rows:
        return [], np.zeros((0, 0), np.float32), after
    matrix = np.frombuffer(b"".join(opened(row.vector, person) for row in rows), np.float32).reshape(len(rows), -1)
    return [row.item for row in rows], matrix, rows[-1].ordinal


def point_ids(connection: Connection, person: Person, fingerprint: str | None = None) -> set[str]:
    """The point ids that are held of a person, of one embedder or (None) of all."""
    query = select(vectors.c.item).where(person.owns(vectors))
    if fingerprint is not None:
        query = query.where(vectors.c.fingerprint == fingerprint)
    return set(connection.execute(query).scalars())


def delete_points(tx: Connection, person: Person, fingerprint: str | None, ids: Collection[str]) -> int:
    """Remove points, of one embedder or (None) of all; returns how many."""
    query = _DELETE if fingerprint is None else _DELETE_OF_ONE
    by = {} if fingerprint is None else {"by": fingerprint}
    return sum(tx.execute(query, {**person.owner(), **by, "items": part}).rowcount for part in parts(ids))


def points_of(connection: Connection, person: Person, items: Collection[str]) -> list[str]:
    """The point ids ("t12#0", "t12#1") of these turns and memories, of any embedder."""
    query = select(vectors.c.item).where(person.owns(vectors))
    wanted = set(items)
    return [point for point in connection.execute(query).scalars() if point.split("#")[0] in wanted]


def others(connection: Connection, namespace: str, fingerprint: str) -> list[str]:
    """People who have events, but are not yet wholly embedded with this embedder."""
    lacking = or_(users.c.embedder.is_(None), users.c.embedder != fingerprint)
    query = select(users.c.user_id).where(users.c.namespace == namespace, lacking, users.c.last_seq > 0)
    return list(connection.execute(query).scalars())
