"""What was derived from the log: memories, profile edits, topic evidence. Written by the fold, read by everyone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Table, bindparam, case, delete, func, insert, select, update

from persona_memory.ledger.people import Person, insert_ignore, owned, parts
from persona_memory.ledger.schema import DERIVED, UtcTime, memories, memory_sources, profile_edits, topic_evidence
from persona_memory.ledger.sealed import Owned, opened
from persona_memory.types import Memory, ProfileEdit, TopicEvidence

_MEMORY = (
    memories.c.ordinal, memories.c.id, memories.c.kind, memories.c.text, memories.c.valid_from, memories.c.valid_to,
    memories.c.superseded_by, memories.c.confidence, memories.c.basis,
)  # fmt: skip
_EDIT = (
    profile_edits.c.field, profile_edits.c.op, profile_edits.c.value, profile_edits.c.evidence,
    profile_edits.c.confidence, profile_edits.c.basis, profile_edits.c.at,
)  # fmt: skip
_SAID = (
    topic_evidence.c.topic, topic_evidence.c.said, topic_evidence.c.kind, topic_evidence.c.seq, topic_evidence.c.at,
)  # fmt: skip

# Prepared, as in `events`.
_MEMORIES = select(*_MEMORY).where(owned(memories)).order_by(memories.c.ordinal)
_SOURCES = (
    select(memory_sources.c.memory_id, memory_sources.c.seq).where(owned(memory_sources)).order_by(memory_sources.c.seq)
)
_AMONG: BindParameter[str] = bindparam("ids", expanding=True)
_MEMORIES_AMONG = _MEMORIES.where(memories.c.id.in_(_AMONG))
_SOURCES_AMONG = _SOURCES.where(memory_sources.c.memory_id.in_(_AMONG))
_QUOTES = select(memories.c.id, memories.c.quote).where(owned(memories), memories.c.id.in_(_AMONG))
_EDITS = select(*_EDIT).where(owned(profile_edits)).order_by(profile_edits.c.ordinal)
_EVIDENCE = select(*_SAID).where(owned(topic_evidence)).order_by(topic_evidence.c.ordinal)
_NEWEST = {
    table.name: select(func.max(table.c.ordinal)).where(owned(table))
    for table in (memories, profile_edits, topic_evidence)
}
_ENDED = bindparam("ended", type_=UtcTime)
_ENDS = case((memories.c.valid_from > _ENDED, memories.c.valid_from), else_=_ENDED)
_SUPERSEDE = (
    update(memories)
    .where(owned(memories), memories.c.id == bindparam("old_id"), memories.c.superseded_by.is_(None))
    .values(valid_to=_ENDS, superseded_by=bindparam("new_id"))
)


def add_memory(tx: Connection, person: Person, memory: Memory, *, quote: str = "") -> None:
    """Store a memory with its sources; one that exists already keeps its text and gains the sources."""
    row = {
        **person.key(), "id": memory.id, "ordinal": _next(tx, person, memories), "kind": memory.kind,
        "text": Owned(person, memory.text), "quote": Owned(person, quote), "basis": memory.basis,
        "confidence": memory.confidence,
        "valid_from": memory.valid_from, "valid_to": memory.valid_to, "superseded_by": memory.superseded_by,
    }  # fmt: skip
    insert_ignore(tx, memories, [row])
    add_sources(tx, person, memory.id, memory.sources)


def add_sources(tx: Connection, person: Person, memory_id: str, seqs: Iterable[int]) -> None:
    """Say that these turns support the memory, too."""
    insert_ignore(tx, memory_sources, [{**person.key(), "memory_id": memory_id, "seq": seq} for seq in seqs])


def supersede(tx: Connection, person: Person, old_id: str, *, new_id: str | None, at: datetime) -> None:
    """End a memory's validity; it stays as history. `new_id` is None when it just ended.

    What was still to come ends when it would have begun.
    """
    tx.execute(_SUPERSEDE, {**person.owner(), "old_id": old_id, "ended": at, "new_id": new_id})


def set_confidence(tx: Connection, person: Person, memory_id: str, confidence: float) -> None:
    """Set a memory's confidence, in [0, 1]."""
    ours = [person.owns(memories), memories.c.id == memory_id]
    tx.execute(update(memories).where(*ours).values(confidence=min(1.0, max(0.0, confidence))))


def read_memories(connection: Connection, person: Person, *, ids: Collection[str] | None = None) -> list[Memory]:
    """The person's memories, superseded ones included, in the order in which they were learnt."""
    owner = person.owner()
    if ids is None:
        rows, cited = connection.execute(_MEMORIES, owner).all(), connection.execute(_SOURCES, owner).all()
    else:
        wanted = [{**owner, "ids": part} for part in parts(set(ids))]
        rows = [row for some in wanted for row in connection.execute(_MEMORIES_AMONG, some)]
        cited = [pair for some in wanted for pair in connection.execute(_SOURCES_AMONG, some)]
    sources: dict[str, list[int]] = {}
    for memory_id, seq in cited:
        sources.setdefault(memory_id, []).append(seq)
    return [
        Memory(id, kind, opened(text, person), tuple(sources.get(id, ())), *rest)
        for _, id, kind, text, *rest in sorted(rows, key=lambda row: row.ordinal)
    ]


def quotes(connection: Connection, person: Person, ids: Collection[str]) -> dict[str, str]:
    """The exact words that each of these memories rests on; empty where the whole turn does."""
    found: dict[str, str] = {}
    for part in parts(ids):
        found.update(connection.execute(_QUOTES, {**person.owner(), "ids": part}).all())
    return {memory_id: opened(quote, person) for memory_id, quote in found.items()}


def add_edits(tx: Connection, person: Person, edits: Sequence[ProfileEdit]) -> None:
    """Append accepted edits to the profile's history."""
    first = _next(tx, person, profile_edits)
    rows = [
        {
            **person.key(), "ordinal": first + place, "field": Owned(person, edit.field), "op": edit.op,
            "value": Owned(person, edit.value), "evidence": list(edit.evidence), "confidence": edit.confidence,
            "basis": edit.basis, "at": edit.at,
        }
        for place, edit in enumerate(edits)
    ]  # fmt: skip
    if rows:
        tx.execute(insert(profile_edits), rows)


def read_edits(connection: Connection, person: Person) -> list[ProfileEdit]:
    """The person's profile edits in order."""
    rows = connection.execute(_EDITS, person.owner())
    return [_edit(row, person) for row in rows]


def add_evidence(tx: Connection, person: Person, found: Sequence[tuple[TopicEvidence, str]]) -> None:
    """Append evidence of topics, each with the name under which the topic came up."""
    first = _next(tx, person, topic_evidence)
    rows = [
        {
            **person.key(), "ordinal": first + place, "topic": Owned(person, one.topic),
            "said": Owned(person, said), "kind": one.kind, "seq": one.seq, "at": one.at,
        }
        for place, (one, said) in enumerate(found)
    ]  # fmt: skip
    if rows:
        tx.execute(insert(topic_evidence), rows)


def read_evidence(connection: Connection, person: Person) -> tuple[list[TopicEvidence], dict[str, str]]:
    """Evidence of topics in order, and the canonical name by each name under which a topic came up."""
    rows = connection.execute(_EVIDENCE, person.owner()).all()
    topics = [opened(row.topic, person) for row in rows]
    evidence = [TopicEvidence(topic, row.kind, row.seq, row.at) for topic, row in zip(topics, rows, strict=True)]
    return evidence, {opened(row.said, person): topic for topic, row in zip(topics, rows, strict=True)}


def clear(tx: Connection, person: Person) -> dict[str, int]:
    """Empty the person's derived tables before a replay; returns how many rows went, by table."""
    return {table.name: tx.execute(delete(table).where(person.owns(table))).rowcount for table in DERIVED}


def _edit(row: Row[*tuple[Any, ...]], person: Person) -> ProfileEdit:
    field, op, value, evidence, *rest = row
    return ProfileEdit(opened(field, person), op, opened(value, person), tuple(evidence), *rest)


def _next(tx: Connection, person: Person, table: Table) -> int:
    newest: Any = tx.execute(_NEWEST[table.name], person.owner()).scalar_one()
    return (newest or 0) + 1
