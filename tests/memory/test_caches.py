"""What the read path keeps is bounded, and never stale."""

from __future__ import annotations

import pytest

from persona_memory import PersonaMemory, reading, writing
from persona_memory.budget import tokens
from persona_memory.ledger import Person, index, people
from persona_memory.retrieval import words

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


def test_new_questions_do_not_fill_the_memory(open_memory: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of the texts that they bring up counts, too: as much is kept after many laps as after one."""
    monkeypatch.setattr(reading, "CACHED_ROWS", 120)
    monkeypatch.setattr(reading, "PERSON_ROWS", 1)
    monkeypatch.setattr(reading, "STILL_READ", 1)
    memory = open_memory()
    things = ("cats", "tea", "boats", "maps", "chess")
    for number in range(12):
        said = [("user", f"In {2000 + place} I had {place} {thing}.") for place, thing in enumerate(things)]
        memory.observe([*said, ("assistant", "You had cats, tea, boats, maps and chess.")], user_id=f"u{number}")
    kept = []
    for thing in things:
        for number in range(12):
            assert memory.recall(f"How many {thing} in 2001 to 2004?", user_id=f"u{number}").hits
        states = list(memory._reading._states.values())
        kept.append(sum(len(one.view) + one.view.remembered + one.texts.rows for one in states))
    assert max(kept) <= 120, kept
    assert any(one.view.remembered and one.texts.rows for one in states)


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
    assert not any("Miso" in text for text in after.inert)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_words_that_the_process_remembers_of_everybody_go_with_an_erasure(open_memory: Open, elsewhere: bool) -> None:
    """Whoever said them; and when another process erases, with the next look at the person."""
    memory = open_memory()
    memory.observe([("user", "My cat is called Zzyzx."), ("user", "I live in Porto.")], user_id="ana")
    memory.recall("What is my cat called?", user_id="ana")
    assert any("zzyzx" in word for word in words.PIECES)
    assert any("Zzyzx" in word for word in tokens.PIECES)
    (open_memory() if elsewhere else memory).forget(["t1"], user_id="ana")
    memory.recall("Where do I live?", user_id="ana")
    assert not any("zzyzx" in word.casefold() for memo in (words.PIECES, tokens.PIECES) for word in memo)


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


def test_a_recall_writes_nothing_and_how_turns_fitted_is_written_with_what_is_said_next(memory: PersonaMemory) -> None:
    """A turn that did not fit counts at once for this process, and for all others once the person has said more."""
    ana = Person(memory._ledger.namespace, "ana")

    def written() -> tuple[bool, ...]:
        with memory._ledger.read() as connection:
            return people.counters(connection, ana).overflows

    memory.observe([("user", f"My {name} bicycle is in the cellar.") for name in ("red", "blue")], user_id="ana")
    first, second = (memory.recall("Where is my bicycle?", user_id="ana", max_tokens=5) for _ in range(2))
    assert (first.route.overflows, second.route.overflows, written()) == (1, 2, ())
    memory.observe([("user", "Thanks.")], user_id="ana")
    assert written() == (True, True)


def test_what_is_remembered_of_threads_is_bounded_and_goes_with_what_is_forgotten(
    open_memory: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads heard long ago make room, and are still known; an erasure takes what was remembered with it."""
    monkeypatch.setattr(writing, "REMEMBERED", 30)
    memory = open_memory()
    said = [("user", f"Fact {number}.") for number in range(20)]
    for _ in range(2):
        for thread in ("t1", "t2"):
            seen = memory.observe(said, user_id="ana", thread_id=thread)
            assert memory._writing._threads.currsize <= 30
    assert seen.duplicates == len(said)
    held = "".join(piece for one in memory._writing._threads.values() for pieces in one._hashes for piece in pieces)
    assert "Fact" not in held  # ids and hashes only: whoever erases words elsewhere need not know of these
    memory.delete_user(user_id="ana")
    assert len(memory._writing._threads) == 0
