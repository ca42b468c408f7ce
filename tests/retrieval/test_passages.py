"""A long text is told by the passage that says what is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval import passage, tokens
from tests.budget.texts import mixed

FILLER = "We talked about the weather for a while, and then about the neighbours. " * 40


def test_it_begins_with_the_sentence_that_holds_what_is_asked_for() -> None:
    """Wherever in the text that is."""
    text = FILLER + "In the end Ines chose the blue bicycle with seven gears. " + FILLER
    at = passage(text, {"bicycl": 2.0, "gear": 2.0})
    assert text[at:].startswith("In the end Ines chose")


def test_words_near_one_another_count_for_more_than_one_of_them_alone() -> None:
    """And a word that is said often does not count more often."""
    text = "Rain! " * 50 + FILLER + "The bicycle was blue. " + FILLER + "The blue bicycle has gears. " + FILLER
    assert text[passage(text, {"bicycl": 1.0, "gear": 1.0, "rain": 1.5}) :].startswith("The blue bicycle has gears.")


def test_of_equal_passages_the_first_is_taken() -> None:
    """Texts usually say a thing before they discuss it."""
    said = "The bicycle was blue. "
    text = FILLER + said + FILLER + said
    assert passage(text, {"bicycl": 1.0}) == len(FILLER)


def test_a_text_that_says_nothing_of_it_is_told_from_the_start() -> None:
    """Found by meaning, say."""
    assert passage(FILLER, {"bicycl": 1.0}) == passage(FILLER, {}) == passage("", {"bicycl": 1.0}) == 0


def test_scripts_without_spaces_have_passages_too() -> None:
    """Characters that stand together are looked for in stretches of the text."""
    text = "今日は天気がいいですね。" * 200 + "青い自転車を買いました。" + "今日は天気がいいですね。" * 200
    at = passage(text, dict.fromkeys(tokens("自転車"), 1.0))
    assert "自転車" in text[at : at + 120]


@given(mixed, st.dictionaries(st.sampled_from(["bread", "stor", "i", "東京"]), st.floats(0.1, 5), max_size=3))
def test_it_is_always_a_place_of_the_text(text: str, worth: dict[str, float]) -> None:
    """Law: whatever the text."""
    assert 0 <= passage(text, worth) <= len(text)
