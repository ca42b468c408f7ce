"""Forgetting by FSRS-6, with time as an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from fsrs import Card, Rating, Scheduler
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.knowledge.forgetting import Grade, Review, Strength, fold_reviews, retrievability, reviews_of

START = datetime(2025, 3, 1, 9, tzinfo=UTC)
GRADES: list[Grade] = ["again", "hard", "good", "easy"]
HISTORIES = st.lists(st.tuples(st.sampled_from(GRADES), st.integers(-5, 400)), min_size=1, max_size=10)


def folded(history: list[tuple[Grade, int]]) -> Strength:
    """The strength after reviews on these days."""
    strength = fold_reviews(Review(grade, START + timedelta(days=day)) for grade, day in history)
    assert strength is not None
    return strength


def test_nothing_was_reviewed_nothing_is_held() -> None:
    """No review, no strength."""
    assert fold_reviews([]) is None


def test_the_fold_is_that_of_the_fsrs_package() -> None:
    """Stability and difficulty of three reviews."""
    scheduler, card = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False), Card(card_id=1)
    for rating, day in ((Rating.Good, 0), (Rating.Good, 4), (Rating.Again, 20)):
        card, _ = scheduler.review_card(card, rating, START + timedelta(days=day))
    strength = folded([("good", 0), ("good", 4), ("again", 20)])
    assert (strength.stability, strength.difficulty) == (card.stability, card.difficulty)


def test_after_as_many_days_as_its_stability_nine_in_ten_are_recalled() -> None:
    """R(0) = 1, R(S) = 0.9; and whole days agree with the package."""
    strength = Strength(7.0, 5.0, START)
    assert retrievability(strength, START) == 1
    assert retrievability(strength, START + timedelta(days=7)) == pytest.approx(0.9)
    card = Card(card_id=1, stability=7.0, difficulty=5.0, last_review=START)
    later = START + timedelta(days=30)
    assert retrievability(strength, later) == pytest.approx(Scheduler().get_card_retrievability(card, later))


@given(HISTORIES, st.floats(0, 4000), st.floats(0.001, 4000))
def test_retrievability_falls_with_time(history: list[tuple[Grade, int]], days: float, more: float) -> None:
    """Always above 0, never above 1, and less the later one asks."""
    strength = folded(history)
    sooner = retrievability(strength, strength.last + timedelta(days=days))
    later = retrievability(strength, strength.last + timedelta(days=days + more))
    assert 0 < later < sooner <= 1


@given(HISTORIES)
def test_a_clock_that_was_set_back_does_no_harm(history: list[tuple[Grade, int]]) -> None:
    """Reviews dated before their predecessor count as made with it; asking before the last review gives 1."""
    strength = folded(history)
    assert strength.last == max(START + timedelta(days=day) for _, day in history)
    assert strength.stability > 0
    assert retrievability(strength, strength.last - timedelta(days=9)) == 1


def test_other_time_zones_mean_the_same_moment() -> None:
    """fsrs itself takes UTC only."""
    east = START.astimezone(timezone(timedelta(hours=9)))
    assert fold_reviews([Review("good", east)]) == fold_reviews([Review("good", START)])


def test_asking_is_no_review_before_there_is_something_to_forget() -> None:
    """Later it says that it was forgotten."""
    asked = reviews_of([("asked", START), ("confused", START), ("mentioned", START)])
    assert asked == []
    again = reviews_of([("asked", START), ("explained", START), ("asked", START)])
    assert [review.grade for review in again] == ["hard", "again"]
