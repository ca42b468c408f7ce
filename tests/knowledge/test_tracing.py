"""Knowledge tracing: one mixture of mastery, ability, difficulty, practice and recency."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.errors import InvalidInput
from persona_memory.knowledge import bkt
from persona_memory.knowledge.ability import Belief, assimilate, logit, shifted, sigmoid
from persona_memory.knowledge.priors import Link, SkillPrior, parse, shipped
from persona_memory.knowledge.tracing import FEATURES, GROUPS, Tracker

ANSWERS = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True), st.booleans()), max_size=25
)


def after(*answers: tuple[str, bool]) -> Tracker:
    """A tracker that has seen answers to one topic each."""
    tracker = Tracker()
    for topic, correct in answers:
        tracker.observe([topic], correct)
    return tracker


@given(ANSWERS, st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
def test_whatever_was_answered_all_is_a_probability(answers: list[tuple[list[str], bool]], asked: list[str]) -> None:
    """And asking changes nothing."""
    tracker = Tracker()
    for topics, correct in answers:
        tracker.observe(topics, correct)
    assert 0 < tracker.p_correct(asked) < 1
    assert all(0 <= tracker.p_known(topic) <= 1 for topic in asked)
    assert tracker.p_correct(asked) == tracker.p_correct(asked)


def test_right_answers_raise_what_is_expected_and_wrong_ones_lower_it() -> None:
    """On the topic, and less on one that is new."""
    good, bad = after(*[("loops", True)] * 6), after(*[("loops", False)] * 6)
    assert bad.p_correct(["loops"]) < 0.5 < good.p_correct(["loops"])
    assert bad.p_correct(["maps"]) < good.p_correct(["maps"])
    assert bad.p_known("maps") < good.p_known("maps")


def test_p_known_is_bkt_from_a_shifted_prior() -> None:
    """The first topic starts at the prior itself."""
    tracker, model = Tracker(), shipped().bkt
    assert tracker.p_known("loops") == pytest.approx(model.prior)
    tracker.observe(["loops"], True)
    assert tracker.p_known("loops") == pytest.approx(bkt.update(model.prior, True, model))
    assert tracker.p_known("maps") > model.prior


def test_softer_evidence_moves_what_is_believed_and_counts_as_no_answer() -> None:
    """A claim raises mastery and expectation, less than a right answer; a mention moves nothing at all."""
    fresh, claimed, right = Tracker(), Tracker(), after(("loops", True))
    claimed.see(["loops"], "mentioned")
    claimed.see(["loops"], "claimed")
    assert fresh.p_known("loops") < claimed.p_known("loops") < right.p_known("loops")
    assert fresh.p_correct(["loops"]) < claimed.p_correct(["loops"]) < right.p_correct(["loops"])
    assert fresh.p_known("maps") < claimed.p_known("maps") < right.p_known("maps")
    counted = [FEATURES.index(name) for group in ("practice", "recency", "form", "runs") for name in GROUPS[group]]
    assert [claimed.features(["loops"])[at] for at in counted] == [fresh.features(["loops"])[at] for at in counted]
    confused, wrong = Tracker(), after(("loops", False))
    confused.see(["loops"], "confused")
    assert wrong.p_known("loops") < confused.p_known("loops") < fresh.p_known("loops")
    assert confused.p_correct(["loops"]) < fresh.p_correct(["loops"])
    mentioned = Tracker()
    mentioned.see(["loops"], "mentioned")
    mentioned.observe(["maps"], True)
    assert mentioned.p_known("loops") == after(("maps", True)).p_known("loops")


def test_a_harder_skill_starts_lower_and_slopes_of_its_own_count() -> None:
    """Where the priors know the skill."""
    hard, slow = SkillPrior(difficulty=-1.0), SkillPrior(0.65, intercept=-0.5, slopes={"right": -0.2})
    priors = replace(shipped(), skills={"hard": hard, "slow": slow})
    tracker = Tracker(priors)
    assert tracker.p_known("hard") < tracker.p_known("other")
    for _ in range(3):
        tracker.observe(["slow"], True)
    plain = after(*[("slow", True)] * 3)
    by_hand = logit(plain.p_correct(["slow"])) - 0.5 - 0.2 * tracker.features(["slow"])[FEATURES.index("right")]
    assert logit(tracker.p_correct(["slow"])) == pytest.approx(by_hand, abs=0.02)


def test_no_topic_is_an_error() -> None:
    """It says what to pass."""
    for call in (
        lambda: Tracker().p_correct([]),
        lambda: Tracker().observe([], True),
        lambda: Tracker().see([], "asked"),
    ):
        with pytest.raises(InvalidInput, match="at least one"):
            call()


def test_an_answer_costs_the_same_after_many() -> None:
    """Nothing is recomputed from the history; the bound is generous for a busy machine."""
    tracker = after(*[(f"t{number % 50}", number % 3 > 0) for number in range(5000)])
    began = time.perf_counter()
    for _ in range(100):
        tracker.p_correct(["t1"])
        tracker.observe(["t1"], True)
    assert (time.perf_counter() - began) / 100 < 0.01


@given(st.floats(-3, 3), st.floats(0.01, 2), st.floats(0.01, 0.99), st.floats(0, 1))
def test_a_belief_moves_with_the_answer_and_gets_surer(mean: float, variance: float, p: float, weight: float) -> None:
    """A right answer never lowers it; without weight nothing moves."""
    belief = Belief(mean, variance)
    right, wrong = (assimilate(belief, p, correct, weight=weight) for correct in (True, False))
    assert wrong.mean <= mean <= right.mean
    assert right.variance <= variance
    assert assimilate(belief, p, True, weight=0).mean == mean


def test_ability_shifts_a_prior_and_none_leaves_it() -> None:
    """On the logit scale."""
    assert shifted(0.2, 0.0, 1.2) == pytest.approx(0.2)
    assert shifted(0.2, 1.0, 0.5) == pytest.approx(sigmoid(logit(0.2) + 0.5))
    assert 0 < shifted(0.2, -50, 1.2) < 1e-6


def test_the_shipped_priors_are_numbers_of_a_population_only() -> None:
    """A weight for every feature, and no skill."""
    priors = shipped()
    assert set(priors.weights) == set(FEATURES)
    assert not priors.skills
    assert parse(priors.to_json()) == priors


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"bkt": {"prior": 0.5, "speed": 1}}, {"colour": 3}, {"bkt": {"prior": 0.2, "guess": 0.9}}],
)
def test_priors_of_another_kind_are_refused(change: dict[str, object]) -> None:
    """Another version, a name too many, a number out of range."""
    with pytest.raises(InvalidInput):
        parse(json.dumps({**json.loads(shipped().to_json()), **change}))


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ("[1]", "version"), ('{"version": 1, "bkt": {}}', "lack .*weights")],
)
def test_what_is_no_file_of_priors_is_refused(text: str, said: str) -> None:
    """A broken file, another one, and one that was cut short."""
    with pytest.raises(InvalidInput, match=said):
        parse(text)


def test_a_link_counts_right_after_the_topics_that_it_names() -> None:
    """More after a right answer than after a wrong one, and not one answer later."""
    priors = replace(shipped(), links={(("a",), ("b",)): Link(-0.1, 0.5)})
    for correct, shift in ((True, 0.4), (False, -0.1)):
        linked, plain = Tracker(priors), Tracker()
        for tracker in (linked, plain):
            tracker.observe(["a"], correct)
        assert logit(linked.p_correct(["b"])) - logit(plain.p_correct(["b"])) == pytest.approx(shift)
        assert linked.p_correct(["c"]) == plain.p_correct(["c"])
        for tracker in (linked, plain):
            tracker.observe(["c"], correct)
        assert linked.p_correct(["b"]) == plain.p_correct(["b"])
