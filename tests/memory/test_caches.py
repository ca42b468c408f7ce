"""What the read path keeps is bounded, and never stale."""

from __future__ import annotations

import pytest

from persona_memory import PersonaMemory, reading
from persona_memory.ledger import index

from .conftest import Open


def test_many_people_do_not_fill_the_memory(open_memory: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """People read long ago make room; who had to is read again, and nothing is missing."""
    monkeypatch.setattr(reading, "CACHED_ROWS", 60)
    monkeypatch.setattr(index, "CACHED_ROWS", 60)
    memory = open_memory()
    for number in range(8):
        memory.observe([("user", f"My cat is called Miso {number}."), ("user", "I like tea.")], user_id=f"u{number}")
    memory.flush()
    for lap in range(2):
        for number in range(8):
            hits = memory.search("What is my cat called?", user_id=f"u{number}")
            assert any(f"Miso {number}" in hit.text for hit in hits), lap
    assert memory._reading._states.currsize <= 60
    assert len(memory._reading._states) < 8


def test_a_person_larger_than_the_cache_is_still_read(open_memory: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is for all people together; one may exceed it alone."""
    monkeypatch.setattr(reading, "CACHED_ROWS", 30)
    memory = open_memory()
    memory.observe([("user", f"Fact {number} is about tea.") for number in range(50)], user_id="ana", resent=False)
    assert memory.search("tea", user_id="ana", limit=60)
    assert memory.search("Fact 49", user_id="ana")[0].text == "Fact 49 is about tea."


def test_what_texts_come_to_goes_with_what_is_forgotten(memory: PersonaMemory) -> None:
    """No cache of a person's texts outlives an erasure."""
    memory.observe([("user", "My cat is called Miso."), ("user", "I live in Porto.")], user_id="ana")
    memory.recall("What is my cat called?", user_id="ana")
    before = memory._reading.state("ana").texts
    memory.forget(["t1"], user_id="ana")
    memory.recall("Where do I live?", user_id="ana")
    after = memory._reading.state("ana").texts
    assert after is not before
    assert not any("Miso" in text for text in after.inert._known)


def test_asking_again_right_after_each_turn_finds_it(memory: PersonaMemory) -> None:
    """What was kept is extended by each new turn, vectors or not."""
    for number in range(12):
        memory.observe(
            [
                (
                    "user",
                    f"Room {number} has a piano.",
                )
            ],
            user_id="ana",
            resent=False,
        )
        assert any(f"Room {number} " in hit.text for hit in memory.search(f"piano in room {number}", user_id="ana"))
        if number == 5:
            memory.flush()
