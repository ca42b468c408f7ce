"""Text to index words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.words import stem, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She's running 2 marathons!", ["run", "2", "marathon"]),
        ("What is the", []),
        ("東京都", ["東京", "京都"]),
        ("猫", ["猫"]),
        ("東京でkaraoke", ["東京", "京で", "karaok"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어를", ["한국어를"]),
        ("\uff26\uff35\uff2c\uff2c", ["full"]),
        ("snake_case", ["snak", "cas"]),
        ("don’t can't", []),
        ("", []),
        ("👍 … —", []),
    ],
)  # fmt: skip
def test_words_of_any_script(text: str, expected: list[str]) -> None:
    """Words are folded and stemmed, digits kept, stop words dropped, and unspaced scripts cut into pairs."""
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bought", "buy"),
        ("Painted", "painting"),
        ("cities", "city"),
        ("hiking", "hike"),
        ("swimming", "swims"),
        ("children", "child"),
        ("café", "CAFE"),
        ("İstanbul", "istanbul"),
        ("שָׁלוֹם", "שלום"),
        ("Straße", "strasse"),
    ],
)
def test_forms_of_one_word_meet(one: str, other: str) -> None:
    """A question finds a turn that uses another form, case or spelling of the same word."""
    assert tokens(one) == tokens(other) != []


@pytest.mark.parametrize("word", ["bus", "glass", "sing", "ring", "red", "bed", "was", "us", "ти", "2024s"])
def test_short_words_are_not_cut_to_nothing(word: str) -> None:
    """What only looks like an ending stays."""
    assert stem(word) == word


@given(st.text(max_size=200))
def test_tokens_never_fail_and_are_never_empty_words(text: str) -> None:
    """Any text gives words of at least one character, none of them with a space."""
    assert all(word and not word.isspace() for word in tokens(text))


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_line_break_separates_texts(one: str, other: str) -> None:
    """Words do not depend on what stands in the next line."""
    assert tokens(f"{one}\n{other}") == tokens(one) + tokens(other)
