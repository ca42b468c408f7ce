"""What the person's own corrections mean for what was learnt before them: memories and profile agree with them.

A correction of a field ends the memories that say otherwise; the correction of a memory takes what it said out of the
profile. Both hold as well for what is learnt, or learnt again, from words that are older than the correction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from persona_memory.ledger import derived, events
from persona_memory.ledger.people import Person
from persona_memory.profile.schema import fold_key
from persona_memory.profile.statements import Change, said_by
from persona_memory.types import Event, Memory, ProfileEdit


def correct_memories(tx: Connection, person: Person, correction: Event, memories: Sequence[Memory]) -> None:
    """End those of the memories that say something else of a field than the person's correction of it."""
    if correction.data.get("basis") != "stated":
        return
    field, value = correction.data["field"], correction.data["value"]
    for memory in memories:
        if max(memory.sources, default=0) < correction.seq and _denies(memory, field, value):
            derived.supersede(tx, person, memory.id, new_id=None, at=correction.at)


def correct_profile(tx: Connection, person: Person, correction: Event, old: Memory) -> None:
    """Take out of the profile what the old memory said and the statement that corrects it does not say again."""
    kept = {(change.field, fold_key(change.value)) for change in _given(correction.text)}
    edits = [
        ProfileEdit(change.field, "remove", change.value, (correction.seq,), 1.0, "stated", correction.at)
        for change in _given(old.text)
        if (change.field, fold_key(change.value)) not in kept
    ]
    derived.add_edits(tx, person, edits)


def correct_learnt(
    tx: Connection, person: Person, memories: Sequence[Memory], *, before: int
) -> Iterator[tuple[Event, Memory]]:
    """Apply corrections of fields that came `before` memories were learnt; yields those of the memories themselves."""
    by_id = {memory.id: memory for memory in memories}
    after = min((max(memory.sources, default=0) for memory in memories), default=before)
    for event in events.between(tx, person, kinds=("field", "statement"), after=after, before=before):
        if event.kind == "field":
            correct_memories(tx, person, event, memories)
        elif event.data.get("replaces") in by_id:  # a statement that was forgotten replaces nothing
            yield event, by_id[event.data["replaces"]]


def _given(text: str) -> list[Change]:
    return [
        change
        for statement in said_by(text)
        for change in (() if statement.ended else statement.changes)
        if change.op != "remove"
    ]


def _denies(memory: Memory, field: str, value: Any) -> bool:
    """Whether a memory is about nothing but this field, and says something else of it. What happened, happened."""
    given = _given(memory.text)
    if memory.kind == "episodic" or not given or any(change.field != field for change in given):
        return False
    now = [str(one) for one in (value if isinstance(value, list) else () if value is None else (value,))]
    return not any(_alike(str(change.value), one) for change in given for one in now)


def _alike(one: str, other: str) -> bool:
    """Whether one value is part of the other: "Milan" and "Milan, Italy"."""
    return any(Change("", "remove", a).means(b) for a, b in ((one, other), (other, one)))
