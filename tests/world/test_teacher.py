"""The world's teacher: pairs for what was said, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from persona_memory.protocols import Teacher
from persona_memory.types import Turn
from persona_memory.world import Schedule, Session, history, person
from persona_memory.world.teacher import WorldTeacher, pairs_of
from persona_memory.world.values import UNKNOWN

SESSIONS = history(person("train", 3), Schedule(periods=1, sessions=3, sayings=5, questions=1), seed=0)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def conversation(session: Session, *, first: int = 100, without: Sequence[int] = ()) -> list[Turn]:
    turns = [
        Turn(first + place, "t", session.number, "user", one.text, NOW)
        for place, one in enumerate(session.interactions)
    ]
    return [turn for place, turn in enumerate(turns) if place not in without]


async def test_each_conversation_has_its_own_pairs() -> None:
    """As many as the history holds for it, each tied to turns of this conversation."""
    teacher: Teacher = WorldTeacher(SESSIONS)
    for session in SESSIONS:
        talk = conversation(session)
        found = await teacher.teach(talk)
        pairs = [one for one in found if one.kind != "update"]
        wanted = [(pair.text, pair.answer) for pair in pairs_of(SESSIONS, session.number)]
        assert [(one.question, one.answer) for one in pairs] == wanted
        assert wanted[: len(session.pairs)] == [(pair.text, pair.answer) for pair in session.pairs]
        assert len(pairs) // 2 == sum(one.kind == "negative" for one in pairs)
        assert all(one.turns and set(one.turns) <= {turn.seq for turn in talk} for one in found)


async def test_what_was_not_said_is_not_taught() -> None:
    """Without a turn, the pairs that rest on it alone are gone; without all, everything is."""
    session = SESSIONS[0]
    told = next(place for place, one in enumerate(session.interactions) if one.label == "new")
    key, value = session.interactions[told].key, session.interactions[told].value
    found = await WorldTeacher(SESSIONS).teach(conversation(session, without=[told]))
    asked = {pair.text for pair in pairs_of(SESSIONS, 0) if pair.key == key and pair.value == value}
    assert asked
    assert asked.isdisjoint(one.question for one in found)
    assert await WorldTeacher(SESSIONS).teach(()) == ()


async def test_negatives_and_updates_say_something_else() -> None:
    """A negative denies or does not know; an update answers from its context."""
    found = await WorldTeacher(SESSIONS).teach(conversation(SESSIONS[0]))
    kinds = {one.kind for one in found}
    assert kinds == {"positive", "negative", "update"}
    for one in found:
        if one.kind == "negative":
            assert one.answer.endswith(("so no.", f"{UNKNOWN}."))
        if one.kind == "update":
            value = one.answer.removesuffix(".").split(" is ")[-1]
            assert value in one.context
            assert all(value != said.value for said in SESSIONS[0].interactions if said.id == str(one.turns[0] - 100))
