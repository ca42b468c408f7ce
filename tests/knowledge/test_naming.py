"""Which names of a topic mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.knowledge.naming import canonical, mentioned, name_key

SAME = [
    ("Linear Algebra", "linear algebra"),
    ("derivatives", "the derivative"),
    ("machine-learning", "Machine Learning"),
    ("ML", "machine learning"),
    ("Machine learning (ML)", "ML"),
    ("loops in Python", "Python loop"),
    ("the laws of motion", "motion laws"),
    ("history of art", "art history"),
    ("Bayes' theorem", "Bayes theorem"),
    ("how to integrate by parts", "integrate by parts"),
    ("the concept of recursion", "recursion"),
    ("OOP", "object-oriented programming"),
    ("maths", "Math"),
    ("matrices", "matrix"),
    ("classes", "class"),
    ("hypotheses", "hypothesis"),
    ("categories", "category"),
    ("regexes", "regular expressions"),
    ("factorisation", "factorization"),
    ("  spaced   out ", "spaced out"),
]
DIFFERENT = [
    ("linear algebra", "algebra"),
    ("algebra", "abstract algebra"),
    ("binary to decimal", "decimal to binary"),
    ("C", "C++"),
    ("C++", "C#"),
    ("Java", "JavaScript"),
    ("statistics", "static"),
    ("bias", "bia"),
    ("calculus", "calculation"),
    ("python basics", "python"),
    ("differential equations", "partial differential equations"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_that_mean_the_same_are_merged(one: str, other: str) -> None:
    """In both directions; the name that is in use stays."""
    assert canonical(one, ["tennis", other]) == other
    assert canonical(other, [one]) == one


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_mean_different_things_are_not(one: str, other: str) -> None:
    """Nor the other way round."""
    assert canonical(one, [other]) == one
    assert canonical(other, [one]) == other


def test_an_embedder_decides_what_strings_cannot() -> None:
    """Above its threshold only, and never between a topic and a part of it."""
    close = {("steepest descent", "gradient descent"): 0.95, ("algebra", "linear algebra"): 0.99, ("rain", "snow"): 0.5}

    def similar(one: str, other: str) -> float:
        return close[(one, other)]

    assert canonical("steepest descent", ["gradient descent"], similar=similar) == "gradient descent"
    assert canonical("algebra", ["linear algebra"], similar=similar) == "algebra"
    assert canonical("rain", ["snow"], similar=similar) == "rain"
    assert canonical("rain", ["snow"], similar=similar, threshold=0.4) == "snow"


@pytest.mark.parametrize("name", ["", "  ", "?!", "the", "学习", "🎉", "in of in", "of"])
def test_odd_names_do_no_harm(name: str) -> None:
    """They mean themselves."""
    assert canonical(name, ["loops"]) == " ".join(name.split())


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=4))
def test_a_name_in_use_is_found_again(name: str, others: list[str]) -> None:
    """Whatever it looks like, a second time it is the same topic."""
    first = canonical(name, others)
    assert canonical(first, [*others, first]) == canonical(name, [*others, first])
    assert name_key(name) == name_key(f" {name} ")


def test_topics_are_found_in_a_text_by_their_words() -> None:
    """Whole words, singular or plural."""
    assert mentioned(["loops", "C++", "art"], "I wrote a loop in C++ to start.") == ("loops", "C++")
