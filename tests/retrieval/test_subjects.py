"""Whom questions and texts are about."""

from __future__ import annotations

import pytest

from persona_memory.retrieval.query import understand
from persona_memory.retrieval.subjects import is_aside


@pytest.mark.parametrize(
    "text",
    [
        "My sister lives in Oslo.",
        "Their friend Tom works at a bakery",
        "My friend Tom lives in Berlin and loves it there.",
        "If I lived in Paris, I'd eat croissants.",
        "I would keep bees if I had a garden.",
        "Imagine I lived in Madrid.",
        "I wish I were allergic to work.",
        "My sister lives in Oslo. She is a nurse.",
        "Oh, and my neighbour's dog is called Basil.",
    ],
)
def test_what_tells_of_others_or_only_supposes_is_an_aside(text: str) -> None:
    """All of it does."""
    assert is_aside(text)


@pytest.mark.parametrize(
    "text",
    [
        "I live in Lisbon.",
        "Lives in Lisbon",
        "Has a sister called Ana",
        "My sister lives with me in Oslo.",
        "My sister lives in Oslo. I live in Lisbon.",
        "My sister and I share a flat.",
        "If it rains I take the tram.",
        "My favourite colour is green.",
        "Je vis à Lisbonne.",
        "Our family moved to Porto.",
        "My family name is Silva.",
        "Imagine, I got the job at Google!",
        "I wish you would answer shortly.",
        "My manager position starts on Monday.",
        "",
    ],
)
def test_what_tells_of_the_person_is_none(text: str) -> None:
    """Nor is what the rules do not see."""
    assert not is_aside(text)


def test_a_memory_may_say_she_of_the_person() -> None:
    """An extraction model writes in the third person."""
    assert is_aside("She works as a nurse.")
    assert not is_aside("She works as a nurse.", said=False)
    assert is_aside("Their sister works as a nurse.", said=False)


@pytest.mark.parametrize(
    ("question", "of_self"),
    [
        ("Where do I live?", True),
        ("What is my dog called?", True),
        ("Where does my sister live?", False),
        ("Do I have a brother?", False),
        ("What did you tell me about Rome?", False),
        ("Who lives in Oslo?", False),
    ],
)
def test_a_question_is_about_the_person_where_it_mentions_nobody_else(question: str, of_self: bool) -> None:
    """What asks for the assistant's words is not."""
    assert understand(question).of_self is of_self
