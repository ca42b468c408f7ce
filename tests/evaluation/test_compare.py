"""What counts as right, wrong, missed, stale and alike."""

from __future__ import annotations

import pytest

from persona_memory.evaluation.people.asking import holds
from persona_memory.evaluation.people.compare import Counts, alike, counts, differing, similarity, stale
from persona_memory.evaluation.people.measures import from_counts


@pytest.mark.parametrize(
    ("found", "true", "same"),
    [
        ("nurse", "a nurse", True),
        ("Mia", "daughter Mia", True),
        ("works as a nurse", "nurse", True),
        (31, "31", True),
        ("dog Rex", "dog Max", False),
        ("colour: green", "colour: blue", False),
        ("piano teacher", "maths teacher", False),
        ("Porto", "Lisbon", False),
    ],
)
def test_values_are_alike_by_their_words(found: str | int, true: str, same: bool) -> None:
    """Articles and endings do not matter; a value that shares half of its words is another one."""
    assert alike(found, true) is same


def test_an_instruction_may_be_worded_freely() -> None:
    """A style that holds the true one's words says the same; a like does not."""
    assert alike("length: keep answers short", "short", field="preference.styles")
    assert not alike("length: keep answers short", "short", field="preference.likes")


def test_items_are_right_wrong_or_missed() -> None:
    """Each true item is matched once; what stands in the wrong field is both wrong and missed."""
    golden = {"demographics.location": ("Porto",), "demographics.languages": ("Dutch", "Greek")}
    learnt = {
        "demographics.location": ("Lisbon",),
        "demographics.languages": ("Greek", "Greek"),
        "health.allergies": ("x",),
    }
    found = counts(learnt, golden)
    assert found == Counts(right=1, wrong=3, missed=2)
    assert found.precision == 0.25
    assert found.recall == pytest.approx(1 / 3)
    assert Counts().f1 == 1


def test_a_taste_in_a_neighbouring_field_is_missed_but_not_wrong() -> None:
    """Whether hiking is an interest or a like, people would not agree."""
    golden = {"personality.interests": ("hiking",)}
    assert counts({"preference.likes": ("hiking",)}, golden) == Counts(0, 0, 1)
    assert counts({"preference.dislikes": ("hiking",)}, golden) == Counts(0, 1, 1)
    told = [("preference.dislikes", "hiking")]
    assert counts({"preference.dislikes": ("hiking",)}, {}, tolerated=told) == Counts()


def test_similarity_goes_from_nothing_to_ten() -> None:
    """Over all fields that either side holds."""
    golden = {"demographics.name": ("Ana",), "preference.likes": ("jazz",)}
    assert similarity(golden, golden) == similarity({}, {}) == 10
    assert similarity({"demographics.name": ("Ana",)}, golden) == 5
    assert similarity({"demographics.age": (31,)}, golden) == 0


def test_what_is_true_no_more_is_stale_while_it_shows() -> None:
    """Per value that has changed."""
    assert stale({"demographics.location": ("Porto",)}, [("demographics.location", "Porto")]) == [True]
    assert stale({"demographics.location": ("Lyon",)}, [("demographics.location", "Porto")]) == [False]
    assert differing({"a": ("X ", "y")}, {"a": ("y", "x"), "b": (1,)}) == {"b"}


def test_micro_scores_count_items() -> None:
    """F1 of all items together: 2 right / (2 right + wrong + missed)."""
    scores = from_counts([Counts(3, 1, 0), Counts(1, 0, 2)], seed=0)
    assert scores["precision"].value == pytest.approx(4 / 5)
    assert scores["recall"].value == pytest.approx(4 / 6)
    assert scores["F1"].value == pytest.approx(8 / 11)


@pytest.mark.parametrize(
    ("text", "true", "old", "good"),
    [
        ("- location: Porto", ("Porto",), (), True),
        ("nothing", ("Porto",), (), False),
        ("- 2025-01-01 user: I live in Ghent\n- location: Porto", ("Porto",), ("Ghent",), True),
        ("- location: Porto\n- 2025-02-01 user: I live in Ghent", ("Porto",), ("Ghent",), False),
        ("- location: Porto\n- 2025-02-01 user (has since changed): I live in Ghent", ("Porto",), ("Ghent",), True),
        ("- favourites: colour: green, colour: blue", ("colour: blue",), ("colour: green",), False),
        ("- languages: Dutch", ("Dutch", "Greek"), (), False),
        ("- age: 31", (31,), (), True),
    ],
)
def test_a_prompt_holds_what_is_true_now(
    text: str, true: tuple[str | int, ...], old: tuple[str, ...], good: bool
) -> None:
    """All true values, and no old one after them or beside them, unless it is marked as changed."""
    assert holds(text, true, old) is good
