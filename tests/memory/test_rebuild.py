"""Derived state is a function of the log: rebuilt, relearnt or learnt in other portions, it is the same."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona_memory import PersonaMemory, Policy
from persona_memory.demo.conversations import sessions_of
from persona_memory.ledger import Person, events
from persona_memory.testing import ScriptedChatModel

from .conftest import Clock, Open

SESSIONS = sessions_of("ana")[:4]


def play(memory: PersonaMemory, clock: Clock, *, flush_after: set[int] | None = None) -> None:
    """Ana's first sessions, learnt after each message whose place is given, and in the end."""
    place = 0
    for session in SESSIONS:
        for number, exchange in enumerate(session.exchanges):
            clock.now = session.said_at(number)
            said = [("user", exchange.user), ("assistant", exchange.assistant or "All right.")]
            memory.observe(said, user_id="ana", thread_id=session.thread_id)
            if flush_after is not None and place in flush_after:
                memory.flush(timeout=60)
            place += 1
    memory.flush(timeout=60)


def state(memory: PersonaMemory, *, ids: bool = True) -> dict[str, Any]:
    """All that is derived of Ana."""
    memories = memory.memories(user_id="ana", superseded=True)
    return {
        "memories": memories if ids else contents(memory),
        "profile": memory.profile(user_id="ana").to_dict(),
        "topics": [(t.name, t.status, round(t.p_known, 9)) for t in memory.knowledge(user_id="ana").topics],
        "policy": memory.policy(user_id="ana"),
    }


def contents(memory: PersonaMemory) -> list[tuple[str, tuple[str, ...], str]]:
    """Each memory's text, the texts it rests on, and what replaced it: numbers differ with what was learnt when."""
    with memory._ledger.read() as connection:
        said = {turn.seq: turn.text for turn in events.turns(connection, Person(memory._ledger.namespace, "ana"))}
    memories = memory.memories(user_id="ana", superseded=True)
    by_id = {one.id: one.text for one in memories}
    found = [(m.text, tuple(said[seq] for seq in m.sources), by_id.get(m.superseded_by or "", "")) for m in memories]
    return sorted(found)


def test_a_rebuild_ends_in_the_same_state(memory: PersonaMemory, clock: Clock) -> None:
    """Including policies, host-set fields, feedback and statements; vectors are kept."""
    play(memory, clock)
    memory.remember("The user's dog is called Rex.", user_id="ana")
    memory.set_field("demographics.age", 34, user_id="ana")
    memory.set_policy(Policy(never_infer=("beliefs",)), user_id="ana")
    memory.feedback("down", user_id="ana", memory_id=memory.memories(user_id="ana")[0].id)
    memory.flush(timeout=60)
    before = state(memory)
    assert len(before["memories"]) > 5
    assert before["profile"]["demographics"]["location"]
    memory.rebuild(user_id="ana")
    assert state(memory) == before
    assert memory.backlog().unindexed == 0
    memory.rebuild(user_id="ana")
    assert state(memory) == before


def test_relearning_with_the_same_rules_learns_the_same(memory: PersonaMemory, clock: Clock) -> None:
    """The recorded answers go, every turn is read again."""
    play(memory, clock)
    before = state(memory, ids=False)
    memory.relearn(user_id="ana")
    assert state(memory, ids=False) == before, "what was learnt stays until its replacement is stored"
    memory.flush(timeout=60)
    assert state(memory, ids=False)["profile"] == before["profile"]
    assert state(memory, ids=False)["memories"] == before["memories"]


@given(flush_after=st.sets(st.integers(0, 30), max_size=6))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_portions_in_which_it_is_learnt_do_not_matter(
    open_memory: Open, clock: Clock, flush_after: set[int]
) -> None:
    """A worker that was killed and started again ends where an undisturbed one ends."""
    at_once, in_portions = open_memory(namespace="one"), open_memory(namespace=uuid.uuid4().hex)
    if not at_once.users():
        play(at_once, clock)
    play(in_portions, clock, flush_after=flush_after)
    ours, theirs = state(in_portions, ids=False), state(at_once, ids=False)
    assert ours["memories"] == theirs["memories"]
    assert ours["profile"] == theirs["profile"]


def spoken(memory: PersonaMemory, *texts: str) -> None:
    """Each in a conversation of its own, learnt before the next."""
    for text in texts:
        memory.observe([("user", text)], user_id="ana", thread_id=text)
        memory.flush(timeout=60)


def values(memory: PersonaMemory) -> dict[str, Any]:
    """The profile's values by field."""
    return {name: entry.value for name, entry in memory.profile(user_id="ana").entries.items()}


@pytest.mark.parametrize("change", ["forget", "edit", "relearn"])
def test_a_profile_does_not_wait_for_more_sessions_when_edits_were_lost(open_memory: Open, change: str) -> None:
    """With an optimiser that comes every third session, what still stands is back at the next one."""
    memory = open_memory(optimize_every=3)
    said = "My name is Ana. I live in Porto. I'm allergic to peanuts."
    memory.observe([{"role": "user", "content": said, "id": "1"}], user_id="ana")
    memory.flush(timeout=60)
    assert values(memory)["demographics.location"] == "Porto"
    if change == "forget":
        nuts = next(one for one in memory.memories(user_id="ana") if "peanut" in one.text)
        memory.forget([nuts.id], user_id="ana")
    elif change == "edit":
        edited = said.replace("I'm allergic to peanuts.", "I love jazz.")
        memory.observe([{"role": "user", "content": edited, "id": "1"}], user_id="ana")
    else:
        memory.relearn(user_id="ana")
        assert values(memory)["demographics.location"] == "Porto", "it stays until its replacement is stored"
    memory.flush(timeout=60)
    found = values(memory)
    assert (found["demographics.name"], found["demographics.location"]) == ("Ana", "Porto")
    assert ("health.allergies" in found) == (change == "relearn")


def test_relearning_keeps_the_profiles_history(open_memory: Open, clock: Clock) -> None:
    """Where the person lived before is known as of then, though all edits were made anew."""
    memory = open_memory(optimize_every=1)
    spoken(memory, "I live in Lisbon.")
    moved = clock.now
    clock.move(days=30)
    spoken(memory, "I live in Porto now.")
    before = [(edit.field, edit.value) for edit in memory.history(user_id="ana")]
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    assert [(edit.field, edit.value) for edit in memory.history(user_id="ana")] == before
    assert memory.profile(user_id="ana", as_of=moved).get("demographics.location") == "Lisbon"
    assert values(memory)["demographics.location"] == "Porto"


def test_relearning_does_not_revive_a_statement_that_was_superseded(memory: PersonaMemory) -> None:
    """What it replaces is shown again to whoever reads the turns again."""
    memory.remember("I live in Porto.", user_id="ana")
    spoken(memory, "I live in Rome now.")
    before = state(memory, ids=False)["memories"]
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    assert state(memory, ids=False)["memories"] == before


def test_a_pause_during_relearning_doubles_nothing(open_memory: Open) -> None:
    """Turns that wait through a pause replace what was learnt of them before, whenever they are read."""
    reading = "the old reading"

    def answer(_: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return {"memories": [{"text": f"Pears: {reading}.", "turns": [1]}], "topics": [], "forget": []}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    spoken(memory, "I have something to say about pears.")
    memory.set_policy(Policy(paused=True), user_id="ana")
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    reading = "an entirely different one"
    memory.set_policy(Policy(), user_id="ana")
    memory.flush(timeout=60)
    assert [one.text for one in memory.memories(user_id="ana")] == ["Pears: an entirely different one."]


def test_what_a_memory_has_superseded_stays_so_on_its_second_source(open_memory: Open) -> None:
    """Rome was said twice; when the first time is forgotten, Porto does not come back."""
    porto, rome = ({"text": f"The user lives in {city}.", "turns": [1]} for city in ("Porto", "Rome"))
    script = [[porto], [{**rome, "replaces": [1]}], [rome]]

    def answer(_: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return {"memories": script.pop(0) if script else [rome], "topics": [], "forget": []}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    spoken(memory, "I live in Porto.", "I live in Rome.", "Rome is home.")
    (one,) = memory.memories(user_id="ana")
    assert len(one.sources) == 2
    memory.forget([f"t{min(one.sources)}"], user_id="ana")
    memory.flush(timeout=60)
    assert [one.text for one in memory.memories(user_id="ana")] == ["The user lives in Rome."]


def test_a_restated_fact_ends_what_it_contradicts(open_memory: Open) -> None:
    """ "No, I live in Porto, not in Lisbon!" is known already, and still makes Lisbon untrue."""
    porto, lisbon = ({"text": f"The user lives in {city}.", "turns": [1]} for city in ("Porto", "Lisbon"))
    script: list[dict[str, Any]] = [porto, lisbon, porto]

    def answer(messages: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        wrong = re.findall(r"(\d+)\. The user lives in Lisbon", str(messages[-1].content))
        return {"memories": [{**script.pop(0), "replaces": [int(one) for one in wrong]}], "topics": [], "forget": []}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    spoken(memory, "I live in Porto.", "We stay in Lisbon.", "No, I live in Porto, not in Lisbon!")
    (one,) = memory.memories(user_id="ana")
    assert (one.text, len(one.sources)) == ("The user lives in Porto.", 2)


def test_a_cancelled_plan_is_no_older_than_the_plan(open_memory: Open, clock: Clock) -> None:
    """A memory that holds from next month on gives way to what is said next week."""
    plan = {"text": "The user lives in Berlin.", "turns": [1], "date": "2026-04-01"}
    stays = {"text": "The user stays in Porto.", "turns": [1], "replaces": [1]}
    script = [[plan], [stays]]

    def answer(_: Any, tools: list[dict[str, Any]]) -> Any:
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return {"memories": script.pop(0) if script else [], "topics": [], "forget": []}

    memory = open_memory(model=ScriptedChatModel(answers=answer))
    spoken(memory, "In April I'll be living in Berlin.")
    clock.move(days=7)
    spoken(memory, "It fell through, I stay in Porto.")
    assert [one.text for one in memory.memories(user_id="ana")] == ["The user stays in Porto."]


def test_a_message_from_the_future_freezes_nothing(memory: PersonaMemory) -> None:
    """A wrong clock of a host makes no fact that later ones could not change."""
    memory.observe([("user", "I live in Porto.")], user_id="ana", thread_id="t1", at=datetime(2062, 1, 1, tzinfo=UTC))
    memory.flush(timeout=60)
    spoken(memory, "I live in Rome now.")
    assert [one.text for one in memory.memories(user_id="ana")] == ["Lives in Rome"]
    assert values(memory)["demographics.location"] == "Rome"


def test_a_plan_that_is_replaced_never_ends_before_it_begins(open_memory: Open, clock: Clock) -> None:
    """An exam that was moved ends as history on its day, not before; so does everything that reads it."""
    memory = open_memory()
    spoken(memory, "My maths exam is on 12 June.")
    clock.move(days=7)
    spoken(memory, "My maths exam is on 19 June, not on 12 June.")
    old, new = memory.memories(user_id="ana", superseded=True)
    assert (old.valid_to, old.superseded_by) == (old.valid_from, new.id)


def test_who_was_deleted_is_not_made_again_by_deriving_them(memory: PersonaMemory, clock: Clock) -> None:
    """Nor is somebody whom nobody knows."""
    play(memory, clock)
    memory.delete_user(user_id="ana")
    for name in ("ana", "nobody"):
        memory.rebuild(user_id=name)
        memory.relearn(user_id=name)
        assert not memory.knows(user_id=name)
    assert memory.users() == []
