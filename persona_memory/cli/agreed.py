"""People who agreed to it, as tasks of meta-learning: what their adapters would learn, as a teacher model writes it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from persona_memory.errors import LearningError
from persona_memory.learning import lessons
from persona_memory.ledger import Ledger, Person
from persona_memory.parametric import ANSWER_ONLY, BaseModel, Example, encode
from persona_memory.parametric.inner import Task
from persona_memory.profile import ProfileSchema
from persona_memory.protocols import Teacher
from persona_memory.types import Turn


def task_of(base: BaseModel, ledger: Ledger, person: Person, teacher: Teacher, *, schema: ProfileSchema) -> Task | None:
    """The person's task; None where they are paused, or the teacher finds too little to learn from and to ask about.

    What the person has closed is not shown to the teacher, and what it was asked for an adapter is not asked again.

    Raises:
        LearningError: the teacher gave nothing usable for any conversation.
    """
    with ledger.read() as connection:
        read = lessons.read(connection, person, schema=schema, teacher=teacher.name)
    if read.policy.paused:
        return None
    taught = asyncio.run(_taught(teacher, read.untaught))
    known = replace(read, untaught=(), examples=[*read.examples, *taught]).current()
    support, query = halves([one for one in known if one.kind != "update"])  # which has a context of its own
    return Task(encode(base, support), encode(base, query, weighting=ANSWER_ONLY)) if support and query else None


async def _taught(teacher: Teacher, conversations: Sequence[Sequence[Turn]]) -> list[Sequence[Example]]:
    found: list[Sequence[Example]] = []
    failed: list[LearningError] = []
    for conversation in conversations:
        try:
            found.append(await teacher.teach(conversation))
        except LearningError as error:
            failed.append(error)
    if failed and not any(found):
        raise failed[0]
    return found


def halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The examples of each turn in turn into the support and the query: the same facts, asked in other words."""
    by_turn: defaultdict[tuple[str, tuple[int, ...]], list[Example]] = defaultdict(list)
    for one in examples:
        by_turn[one.kind, one.turns].append(one)
    support = [one for alike in by_turn.values() for one in alike[::2]]
    query = [one for alike in by_turn.values() for one in alike[1::2]]
    return support, query
