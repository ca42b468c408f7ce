"""Bayesian knowledge tracing as METHODS §2 writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.errors import InvalidInput
from persona_memory.knowledge import bkt
from persona_memory.knowledge.priors import shipped
from persona_memory.types import EvidenceKind

KINDS: list[EvidenceKind] = ["mentioned", "asked", "explained", "wrong", "correct", "claimed", "confused"]
PROBABILITY = st.floats(0, 1)
MODELS = st.builds(bkt.BKT, PROBABILITY, PROBABILITY, st.floats(0, 0.4), st.floats(0, 0.3))


def test_the_formula_by_hand() -> None:
    """Guess .2, slip .1, transit .15, from .5."""
    model = bkt.BKT(prior=0.5, transit=0.15, guess=0.2, slip=0.1)
    assert bkt.posterior(0.5, True, model) == pytest.approx(0.45 / (0.45 + 0.10))
    assert bkt.posterior(0.5, False, model) == pytest.approx(0.05 / (0.05 + 0.40))
    assert bkt.learn(0.5, model) == pytest.approx(0.575)
    assert bkt.p_correct(0.5, model) == pytest.approx(0.55)
    assert bkt.update(0.5, True, model) == pytest.approx(bkt.learn(0.45 / 0.55, model))


def test_an_exercise_on_several_topics_takes_the_mean_of_their_masteries() -> None:
    """And there is none on no topic."""
    model = shipped().bkt
    assert bkt.p_correct_together([0.2, 0.8], model) == pytest.approx(bkt.p_correct(0.5, model))
    with pytest.raises(InvalidInput, match="at least one"):
        bkt.p_correct_together([], model)


@pytest.mark.parametrize(
    ("name", "value"), [("guess", 0.5), ("slip", 0.4), ("prior", -0.1), ("transit", 1.1), ("guess", float("nan"))]
)
def test_parameters_out_of_range_are_refused(name: str, value: float) -> None:
    """With the name and what is allowed."""
    given_parameters = {"prior": 0.5, "transit": 0.1, "guess": 0.2, "slip": 0.1, name: value}
    with pytest.raises(InvalidInput, match=name):
        bkt.BKT(**given_parameters)


@given(PROBABILITY, MODELS, st.booleans(), PROBABILITY)
def test_mastery_stays_a_probability(p: float, model: bkt.BKT, correct: bool, weight: float) -> None:
    """For any parameters, answers and weights, certain ones included."""
    for value in (
        bkt.posterior(p, correct, model, weight=weight),
        bkt.update(p, correct, model, weight=weight),
        bkt.p_correct(p, model),
    ):
        assert 0 <= value <= 1 + 1e-12


@given(st.lists(st.sampled_from(KINDS), max_size=40), MODELS)
def test_any_evidence_keeps_mastery_a_probability(kinds: list[EvidenceKind], model: bkt.BKT) -> None:
    """However long the history."""
    p = model.prior
    for kind in kinds:
        p = bkt.observe(p, kind, model)
        assert 0 <= p <= 1 + 1e-12


@given(st.floats(0.01, 0.99), MODELS)
def test_a_right_answer_never_lowers_and_a_wrong_one_never_raises_the_posterior(p: float, model: bkt.BKT) -> None:
    """Since guess + slip is below 1."""
    assert bkt.posterior(p, True, model) >= p - 1e-12
    assert bkt.posterior(p, False, model) <= p + 1e-12


@given(st.floats(0.01, 0.99), PROBABILITY, PROBABILITY)
def test_weight_lies_between_nothing_and_a_graded_answer(p: float, low: float, high: float) -> None:
    """More weight moves mastery further in the same direction; weight 0 not at all."""
    model, (low, high) = shipped().bkt, sorted((low, high))
    assert bkt.posterior(p, True, model, weight=0) == pytest.approx(p)
    assert bkt.posterior(p, True, model, weight=low) <= bkt.posterior(p, True, model, weight=high) + 1e-12
    assert bkt.posterior(p, False, model, weight=low) >= bkt.posterior(p, False, model, weight=high) - 1e-12


def test_soft_evidence_says_less_than_an_answer() -> None:
    """A claim counts less than a right answer, confusion less than a mistake, a mention not at all."""
    p, model = 0.4, shipped().bkt
    assert p < bkt.observe(p, "claimed", model) < bkt.observe(p, "correct", model)
    assert bkt.posterior(p, False, model) < bkt.observe(p, "confused", model) < p
    assert bkt.observe(p, "mentioned", model) == p
    assert bkt.observe(p, "explained", model) == bkt.learn(p, model)
