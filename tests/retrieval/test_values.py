"""Figures in what people say: of which kind, which value, of what."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.values import MOST, figures


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("My snack budget is $1,200.", "money", "$1200"),
        ("I spent 50 dollars.", "money", "50dollars"),
        ("Coverage is at 78%.", "share", "78%"),
        ("We meet at 4:30 PM.", "clock", "4:30pm"),
        ("The deadline is April 5th.", "date", "apr5"),
        ("It is due on 5 April.", "date", "apr5"),
        ("The sessions run July 12-15.", "date", "jul12-15"),
        ("My library has 4,500 sources.", "count", "4500"),
        ("I have ten cards.", "count", "10"),
        ("It takes 6-9 months.", "count", "6-9"),
        ("The webinar was rescheduled.", "moved", "rescheduled"),
    ],
)
def test_a_figure_has_a_kind_and_one_spelling(text: str, kind: str, value: str) -> None:
    """So that "$1,200" and "$1200" are the same."""
    assert [(one.kind, one.value) for one in figures(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text", ["I was born in 1984.", "Use v1.2.3 of it.", "I scored 8/10.", "```\nx = 5\n```", "Hi!"]
)
def test_years_versions_fractions_and_code_are_no_figures(text: str) -> None:
    """They are hardly ever what changes."""
    assert figures(text) == ()


def test_the_words_around_tell_what_a_figure_is_of() -> None:
    """Those of its own sentence; of a count also the unit."""
    (cards,) = figures("I like trains. My gallery shows 10 project cards. It rains.")
    assert cards.about == {"galleri", "show", "project", "card"}
    assert cards.unit == {"project"}


@pytest.mark.parametrize("text", ["My target was adjusted to 1,350 words.", "The new deadline is May 3."])
def test_words_of_change_before_a_figure_are_noticed(text: str) -> None:
    """They tell that it was something else before."""
    assert figures(text)[0].changed
    assert not figures("The deadline is May 3.")[0].changed


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """Never an error, and never more figures than are looked at."""
    assert len(figures(text)) <= MOST


@pytest.mark.parametrize("text", ["1" * 100_000, "1," * 50_000, "1.1" * 50_000, "may " * 50_000, "$1 " * 50_000])
def test_a_huge_text_costs_no_more_than_its_beginning(text: str) -> None:
    """No pattern goes over it again and again."""
    started = time.perf_counter()
    figures(text)
    assert time.perf_counter() - started < 1
