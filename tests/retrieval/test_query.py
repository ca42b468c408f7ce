"""What a message asks memory for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval import understand
from tests.retrieval.people import talk

NOW = datetime(2024, 5, 1, tzinfo=UTC)
LAST = talk("I booked a table at the Vesuvio trattoria", "Nice! Shall I look up their vegetarian dishes?")


@pytest.mark.parametrize(
    "text",
    [
        "ok thanks",
        "Hello!",
        "good morning",
        "That's great, thank you so much!",
        "👍",
        "...",
        "",
        "how are you?",
        "have a nice day",
        "Thanks Caroline!",
        "no",
        "lol",
        "Sure, thanks",
    ],
)
def test_courtesy_asks_for_nothing(text: str) -> None:
    """Nothing is looked up or embedded for it, not even after a question."""
    query = understand(text, LAST, speakers=["Caroline"], now=NOW)
    assert query.terms == {}
    assert query.embed_text == ""


@pytest.mark.parametrize("text", ["that one", "And the other?", "why?", "yes please", "Which ones?", "is it open?"])
def test_a_message_that_points_back_is_read_with_the_last_turns(text: str) -> None:
    """Their words count, the older the less, below its own; their text is embedded before it."""
    query = understand(text, LAST, now=NOW)
    assert 0 < query.terms["vesuvio"] < query.terms["vegetarian"] < 1
    assert query.embed_text.endswith(text)
    assert "Vesuvio" in query.embed_text
    assert all(weight == 1 for word, weight in query.terms.items() if word == "open")


@pytest.mark.parametrize(
    "text", ["Where do I live?", "What is the name of that little restaurant in Porto?", "what is my dog called?"]
)
def test_a_message_that_stands_for_itself_is_not_mixed_with_others(text: str) -> None:
    """Questions of their own keep their own words only, even where they hold a pronoun."""
    query = understand(text, LAST, now=NOW)
    assert "vesuvio" not in query.terms
    assert query.embed_text == text


def test_yes_means_something_only_after_a_question() -> None:
    """After a statement it is courtesy."""
    told = talk("I booked a table", "Nice! Enjoy the evening.")
    assert understand("yes please", told, now=NOW).terms == {}


def test_speakers_are_recognised_by_any_part_of_their_name() -> None:
    """In any case; their name then counts little among the words."""
    query = understand("when did ana see the doctor?", speakers=["Ana Costa", "Ben"], now=NOW)
    assert query.speakers == {"Ana Costa"}
    assert query.terms["ana"] < 0.5 < query.terms["doctor"]
    assert understand("the banana bread", speakers=["Ana"], now=NOW).speakers == frozenset()


def test_a_name_alone_asks_for_the_person() -> None:
    """ "Caroline?" is a question; "Thanks Caroline" is not."""
    query = understand("Caroline?", speakers=["Caroline"], now=NOW)
    assert query.embed_text == "Caroline?"
    assert query.terms


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("What did I say about Rome?", "user"),
        ("what's my favourite tea", "user"),
        ("What did you recommend for dinner?", "assistant"),
        ("your suggestion about the list you gave me", "assistant"),
        ("you've already told me", "assistant"),
        ("Can you list what I brought up?", "user"),
        ("Could you list the capitals?", None),
        ("Who is the president of Peru?", None),
    ],
)
def test_whose_words_are_asked_for(text: str, whose: str | None) -> None:
    """ "I" means the user's own words, "you suggested" the assistant's."""
    assert understand(text, now=NOW).asks_for == whose


def test_time_is_only_looked_for_with_a_now() -> None:
    """Without one, "yesterday" has no meaning."""
    assert understand("what did I do yesterday?", now=NOW).when is not None
    assert understand("what did I do yesterday?").when is None


def test_words_of_time_count_less_than_others() -> None:
    """Turns seldom say when they are said."""
    query = understand("Where did I climb in March?", now=NOW)
    assert 0 < query.terms["march"] < query.terms["climb"] == 1


def test_of_a_huge_message_beginning_and_end_count() -> None:
    """200 kB cost no more than a page, and the question at the end is not lost."""
    query = understand("Rust " + "filler " * 30_000 + "where is my kayak?", now=NOW)
    assert {"rust", "kayak"} <= query.terms.keys()
    assert len(query.embed_text) < 2_100


@given(st.text(max_size=100), st.lists(st.text(max_size=30), max_size=4))
def test_any_message_is_understood(text: str, before: list[str]) -> None:
    """Never an error; weights lie in (0, 1]; what is not embedded has no words either."""
    query = understand(text, talk(*before), speakers=before, now=NOW)
    assert all(0 < weight <= 1 for weight in query.terms.values())
    assert query.embed_text or not query.terms
