"""Rows of adapter revisions. All but `read` run in the caller's transaction, under the person's lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from persona_memory.ledger.people import Person
from persona_memory.ledger.schema import adapters
from persona_memory.ledger.sealed import Owned, opened
from persona_memory.types import Adapter, differing

_FIELDS = (
    adapters.c.name.label("adapter_id"), adapters.c.revision, adapters.c.base_model, adapters.c.state,
    adapters.c.watermark, adapters.c.at, adapters.c.fingerprint, adapters.c.parent, adapters.c.turns,
    adapters.c.memory_ids, adapters.c.report, adapters.c.reason, adapters.c.namespace, adapters.c.user_id,
)  # fmt: skip


def add(
    tx: Connection,
    person: Person,
    *,
    name: Callable[[int], str],
    base_model: str,
    fingerprint: Mapping[str, str],
    turns: Collection[int],
    memory_ids: Collection[str],
    watermark: int,
    parent: str | None,
    now: datetime,
    after: int = 0,
) -> int:
    """The number of a new candidate, the next of the person's and above `after`; `name` makes its name from it."""
    newest: int | None = tx.execute(select(func.max(adapters.c.revision)).where(person.owns(adapters))).scalar_one()
    revision = max(newest or 0, after) + 1
    row = {
        **person.key(), "revision": revision, "name": name(revision), "state": "candidate", "base_model": base_model,
        "fingerprint": dict(fingerprint), "turns": sorted(turns), "memory_ids": sorted(memory_ids), "parent": parent,
        "watermark": watermark, "at": now, "report": {}, "reason": Owned(person, "being trained"),
    }  # fmt: skip
    tx.execute(insert(adapters).values(row))
    return revision


def read(connection: Connection, person: Person, **wanted: Any) -> list[Adapter]:
    """The person's revisions, oldest first: those whose columns have the wanted values, e.g. `state="active"`."""
    conditions = [adapters.c[name] == value for name, value in wanted.items()]
    query = select(*_FIELDS).where(person.owns(adapters), *conditions).order_by(adapters.c.revision)
    return [_adapter(row) for row in connection.execute(query)]


def named(connection: Connection, namespace: str, name: str) -> Adapter | None:
    """The revision of this name, whoever's it is."""
    query = select(*_FIELDS).where(adapters.c.namespace == namespace, adapters.c.name == name)
    row = connection.execute(query).one_or_none()
    return None if row is None else _adapter(row)


def names(connection: Connection, person: Person) -> tuple[str, ...]:
    """Of the person's revisions, oldest first; nothing that is encrypted is read."""
    query = select(adapters.c.name).where(person.owns(adapters)).order_by(adapters.c.revision)
    return tuple(connection.execute(query).scalars())


def states(connection: Connection, names: Collection[str] | None = None) -> dict[str, str]:
    """The state of every revision of all namespaces, by name; or of those of these names."""
    query = select(adapters.c.name, adapters.c.state)
    if names is not None:
        query = query.where(adapters.c.name.in_(names))
    return {row.name: row.state for row in connection.execute(query)}


def last_active(connection: Connection, person: Person, *, fingerprint: Mapping[str, str]) -> int | None:
    """The number of the evaluated revision that fits and was active last; None where none was."""
    known = [person.owns(adapters), adapters.c.state == "evaluated", adapters.c.active_from.is_not(None)]
    query = select(adapters.c.revision, adapters.c.fingerprint).where(*known)
    ordered = connection.execute(query.order_by(adapters.c.active_from.desc(), adapters.c.revision.desc()))
    return next((row.revision for row in ordered if not differing(row.fingerprint, fingerprint)), None)


def change(tx: Connection, person: Person, revision: int, **values: Any) -> None:
    """Set columns of one revision, e.g. `state="retired", reason="…"`."""
    values |= {name: Owned(person, values[name]) for name in ("report", "reason") if name in values}
    tx.execute(update(adapters).where(person.owns(adapters), adapters.c.revision == revision).values(values))


def _adapter(row: Row[*tuple[Any, ...]]) -> Adapter:
    values = dict(row._mapping)
    person = Person(values.pop("namespace"), values.pop("user_id"))
    values |= {name: opened(values[name], person) for name in ("report", "reason")}
    return Adapter(**{**values, "turns": tuple(row.turns), "memory_ids": tuple(row.memory_ids)})
