"""What a recall tells first where little can be told."""

from __future__ import annotations

import pytest

from persona_memory import PersonaMemory


def told(memory: PersonaMemory, *texts: str) -> None:
    """The person says each in a conversation of its own, and all is learnt."""
    for place, text in enumerate(texts):
        memory.observe([("user", text)], user_id="ana", thread_id=f"t{place}")
    memory.flush(timeout=30)


def test_what_was_said_again_in_other_words_leaves_room_for_what_was_not(memory: PersonaMemory) -> None:
    """One of four ways to say the same, then what else there is; with room for all, all of them."""
    same = (
        "I love hiking in the mountains.",
        "Hiking in the mountains is what I love most.",
        "I really love to hike in the mountains.",
        "I love going hiking up mountains.",
    )
    other = ("On a mountain hike I need a slow pace because of my knee.", "Jo joins me on every mountain hike.")
    told(memory, *same, *other)
    few = memory.recall("Plan a mountain hike for me.", user_id="ana", max_tokens=210)
    assert few.tokens <= 210
    assert {hit.text for hit in few.hits} >= set(other)
    assert any("ove" in hit.text for hit in few.hits)
    all_of_it = memory.recall("Plan a mountain hike for me.", user_id="ana", max_tokens=2000)
    assert {hit.text for hit in all_of_it.hits} >= {*same, *other}


@pytest.mark.parametrize(
    ("own", "others", "question"),
    [
        (
            "My home is a small flat by the river in Lisbon, and I live alone.",
            ("If I lived in Paris, I would live near the Seine.", "My sister lives in Oslo."),
            "Where do I live?",
        ),
        (
            "These days I work at a school as a teacher of chemistry, mostly in the evenings.",
            ("My sister works as a nurse and loves her work.", "If I worked as a pilot, I'd see the world."),
            "What do I work as?",
        ),
        (
            "My dog Rex is six now.",
            ("My neighbour's dog is called Basil.", "If I had a second dog, it would be called Luna."),
            "What is my dog called?",
        ),
    ],
)
def test_the_persons_own_facts_come_before_those_of_others_and_imagined_ones(
    memory: PersonaMemory, own: str, others: tuple[str, ...], question: str
) -> None:
    """However much of the question the others say again."""
    told(memory, *others, own)
    hits = memory.recall(question, user_id="ana", max_tokens=800).hits
    first = min(place for place, hit in enumerate(hits) if hit.sources == (len(others) + 1,))
    assert all(place > first for place, hit in enumerate(hits) if hit.text in others)


def test_who_asks_of_others_hears_of_others(memory: PersonaMemory) -> None:
    """The sister's home answers the question for it."""
    told(memory, "I live in Lisbon.", "My sister lives in Oslo.")
    assert "Oslo" in memory.recall("Where does my sister live?", user_id="ana").hits[0].text
