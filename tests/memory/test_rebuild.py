"""Derived state is a function of the log: rebuilt, relearnt or learnt in other portions, it is the same."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persona_memory import PersonaMemory, Policy
from persona_memory.demo.conversations import sessions_of
from persona_memory.ledger import Person, events

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
