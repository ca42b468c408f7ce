"""People who agreed to it, as tasks of meta-learning: what they said, as a teacher model makes pairs of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from persona_memory.errors import LearningError
from persona_memory.learning.teaching import CONFIRMED, DISPUTED, rated
from persona_memory.ledger import Ledger, Person, derived, events
from persona_memory.parametric import BaseModel, Example, encode
from persona_memory.parametric.inner import Task
from persona_memory.protocols import Teacher
from persona_memory.types import Turn


def task_of(base: BaseModel, ledger: Ledger, person: Person, teacher: Teacher) -> Task | None:
    """The person's task; None where the teacher finds too little to learn from and to ask about.

    Raises:
        LearningError: the teacher gave nothing usable for any conversation.
    """
    with ledger.read() as connection:
        said, marks = events.turns(connection, person), ratings(connection, person)
    threads: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in said:
        threads[turn.thread_id].append(turn)
    taught = asyncio.run(_taught(teacher, list(threads.values())))
    support, query = halves(rated(taught, marks))
    return Task(encode(base, support), encode(base, query)) if support and query else None


async def _taught(teacher: Teacher, conversations: Sequence[Sequence[Turn]]) -> list[Example]:
    found: list[Example] = []
    failed: list[LearningError] = []
    for conversation in conversations:
        try:
            found += await teacher.teach(conversation)
        except LearningError as error:
            failed.append(error)
    if failed and not found:
        raise failed[0]
    return found


def ratings(connection: Connection, person: Person) -> dict[int, float]:
    """What the person's feedback makes of their turns: see `rated`.

    A rating counts for the turns that the memories rest on which it is about. What only memories rest on that are true
    no longer, e.g. since a correction, is left out.
    """
    memories = {one.id: one for one in derived.read_memories(connection, person)}
    found: dict[int, float] = {}
    for event in events.in_order(connection, person, kinds=("feedback",)):
        factor = CONFIRMED if event.data["rating"] == "up" else DISPUTED
        for memory_id in event.data["memories"]:
            if memory_id in memories:
                found |= dict.fromkeys(memories[memory_id].sources, factor)
    current = {seq for one in memories.values() if one.current for seq in one.sources}
    ended = {seq for one in memories.values() if not one.current for seq in one.sources}
    return found | dict.fromkeys(ended - current, 0.0)


def halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The examples of each turn in turn into the support and the query: the same facts, asked in other words."""
    by_turn: defaultdict[tuple[str, tuple[int, ...]], list[Example]] = defaultdict(list)
    for one in examples:
        by_turn[one.kind, one.turns].append(one)
    support = [one for alike in by_turn.values() for one in alike[::2]]
    query = [one for alike in by_turn.values() for one in alike[1::2]]
    return support, query
