"""Derived state as a fold of the person's log: `apply` one event, `rebuild` by replaying them all.

An item of a recorded answer counts only while every turn that it cites stands; so a revision or a forget is followed by
a rebuild, and what rested on the lost words is gone, while what they had superseded holds again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from persona_memory.learning.correcting import correct_learnt, correct_memories, correct_profile
from persona_memory.ledger import derived, events, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.people import Person
from persona_memory.types import Event, EventKind, Memory, ProfileEdit, TopicEvidence

Identify = Callable[[str, str, Sequence[int]], str]

RATING_STEP = 0.15
"""How far a rating moves the confidence of what it is about."""

SOURCE_KINDS: tuple[EventKind, ...] = ("statement", "field", "feedback", "policy", "answer")


def apply(tx: Connection, person: Person, event: Event, *, standing: frozenset[int], identify: Identify) -> None:
    """Write what one event means into the derived tables.

    Args:
        standing: sequence numbers of the turns and statements that stand, all or those that the event cites.
        identify: (kind, text, sources) to a memory's id.
    """
    if event.kind == "statement":
        _apply_statement(tx, person, event, standing=standing, identify=identify)
    elif event.kind == "field" and event.data:  # a field that was forgotten leaves an empty event
        derived.add_edits(tx, person, [_host_edit(event)])
        correct_memories(tx, person, event, derived.read_memories(tx, person))
    elif event.kind == "feedback":
        _apply_feedback(tx, person, event)
    elif event.kind == "policy":
        people.bump(tx, person, policy=dict(event.data))
    elif event.kind == "answer" and event.data["job"] == "learn":
        _apply_learnt(tx, person, event, standing=standing, identify=identify)
    elif event.kind == "answer" and event.data["job"] == "optimize":
        _apply_optimized(tx, person, event.data, standing)
    people.bump(tx, person, derived=1)


def cited(answer: Event) -> set[int]:
    """The turns and statements that an answer's items rest on."""
    data = answer.data
    if data["job"] == "learn":
        sources = chain.from_iterable(one["sources"] for one in (*data["memories"], *data["support"]))
        return {*sources, *(one["seq"] for one in data["topics"])}
    return set(chain.from_iterable(one["evidence"] for one in data.get("edits", ())))


def rebuild(tx: Connection, person: Person, *, identify: Identify) -> None:
    """Empty the person's derived state and fill it again from the log. Asks no LLM; gives the same state each time."""
    derived.clear(tx, person)
    people.bump(tx, person, optimizations=-people.counters(tx, person).optimizations, policy={}, rewrites=1)
    standing = events.standing(tx, person)
    for event in events.in_order(tx, person, kinds=SOURCE_KINDS):
        apply(tx, person, event, standing=standing, identify=identify)
    _keep_vectors(tx, person)


def edit_to_json(edit: ProfileEdit) -> dict[str, Any]:
    """An edit as the recorded answer holds it."""
    value = list(edit.value) if isinstance(edit.value, tuple) else edit.value
    return {
        "field": edit.field, "op": edit.op, "value": value, "evidence": list(edit.evidence),
        "confidence": edit.confidence, "basis": edit.basis, "at": edit.at.isoformat(),
    }  # fmt: skip


def edit_from_json(data: Mapping[str, Any]) -> ProfileEdit:
    """The inverse of `edit_to_json`."""
    changed = {"evidence": tuple(data["evidence"]), "at": datetime.fromisoformat(data["at"])}
    return ProfileEdit(**{**data, **changed})


def _apply_statement(
    tx: Connection, person: Person, event: Event, *, standing: frozenset[int], identify: Identify
) -> None:
    """A statement is a memory at once; `data["replaces"]` names the memory that it corrects."""
    if event.seq not in standing:
        return
    new_id = identify("semantic", event.text, (event.seq,))
    derived.add_memory(tx, person, Memory(new_id, "semantic", event.text, (event.seq,), event.at), quote=event.text)
    for old in derived.read_memories(tx, person, ids=[event.data["replaces"]]) if "replaces" in event.data else ():
        _correct(tx, person, event, old, new_id=new_id)


def _correct(tx: Connection, person: Person, event: Event, old: Memory, *, new_id: str) -> None:
    derived.supersede(tx, person, old.id, new_id=new_id, at=event.at)
    correct_profile(tx, person, event, old)


def _host_edit(event: Event) -> ProfileEdit:
    data = event.data
    return ProfileEdit(data["field"], data["op"], data["value"], (event.seq,), 1.0, data.get("basis", "host"), event.at)


def _apply_feedback(tx: Connection, person: Person, event: Event) -> None:
    """A rating moves the confidence of the memories that it is about; nothing else can be rated into being."""
    step = {"up": RATING_STEP, "down": -RATING_STEP}.get(event.data.get("rating", ""), 0.0)
    for memory in derived.read_memories(tx, person, ids=event.data.get("memories", [])):
        derived.set_confidence(tx, person, memory.id, memory.confidence + step)


def _apply_learnt(
    tx: Connection, person: Person, answer: Event, *, standing: frozenset[int], identify: Identify
) -> None:
    # What supports a memory says the same in its own words: it holds the memory up when the first source is gone.
    data, learnt = answer.data, list[Memory]()
    for one in (*data["memories"], *data["support"]):
        if not standing.issuperset(one["sources"]):
            continue
        valid_from = datetime.fromisoformat(one["valid_from"])
        memory = Memory(
            one["id"], one["kind"], one["text"], tuple(one["sources"]), valid_from,
            valid_to=datetime.fromisoformat(one["until"]) if "until" in one else None,
            superseded_by=one.get("newer"), confidence=one["confidence"], basis=one["basis"],
        )  # fmt: skip
        derived.add_memory(tx, person, memory, quote=one["quote"])
        learnt.append(memory)
        for old in one["replaces"]:
            derived.supersede(tx, person, old, new_id=one["id"], at=datetime.fromisoformat(one["at"]))
    for correction, old in correct_learnt(tx, person, learnt, before=answer.seq):
        _correct(tx, person, correction, old, new_id=identify("semantic", correction.text, (correction.seq,)))
    found = [
        (TopicEvidence(one["topic"], one["kind"], one["seq"], datetime.fromisoformat(one["at"])), one["said"])
        for one in data["topics"]
        if one["seq"] in standing
    ]
    derived.add_evidence(tx, person, found)


def _apply_optimized(tx: Connection, person: Person, data: Mapping[str, Any], standing: frozenset[int]) -> None:
    edits = [edit_from_json(one) for one in data["edits"] if standing.issuperset(one["evidence"])]
    derived.add_edits(tx, person, edits)
    people.bump(tx, person, optimizations=1)


def _keep_vectors(tx: Connection, person: Person) -> None:
    """Vectors of memories that came back stay; those of memories that did not are deleted, of whichever embedder."""
    memories = {memory.id for memory in derived.read_memories(tx, person)}
    held = vector_rows.point_ids(tx, person)
    orphans = [point for point in held if point[0] != "t" and point.split("#")[0] not in memories]
    vector_rows.delete_points(tx, person, None, orphans)
    embedder = people.counters(tx, person).embedder
    if embedder is not None:
        embedded = {point.split("#")[0] for point in vector_rows.point_ids(tx, person, embedder)} & memories
        vector_rows.mark_embedded(tx, person, embedder, embedded)
