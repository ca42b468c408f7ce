"""What of a period is worth training on, and when nothing is."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.adapters import (
    AtRandom,
    Continual,
    Drift,
    Interaction,
    Labelled,
    Mark,
    Novelty,
    Scored,
    WithFeedback,
    drift_score,
    interactions,
    longest,
    select,
    threshold,
    worst_explained,
)
from persona_memory.adapters.drift import FEW, MOST, quantile
from persona_memory.errors import InvalidInput
from persona_memory.types import Role, Turn

AT = datetime(2026, 11, 29, tzinfo=UTC)
FRESH = [Interaction(seq, "", "x" * seq) for seq in range(1, 11)]


def turn(seq: int, role: Role, text: str, *, thread: str = "t", session: int = 0) -> Turn:
    return Turn(seq, thread, session, role, text, AT)


def test_the_drift_score_is_that_of_the_paper() -> None:
    """S = −log p_adapter + α · log p_base, by token or in all; the ends of α are the streams alone."""
    one = Scored(7, tokens=4, adapted=10.0, base=6.0)
    assert drift_score(one, alpha=0) == pytest.approx(2.5)
    assert drift_score(one, alpha=0.5) == pytest.approx((10 - 3) / 4)
    assert drift_score(one) == pytest.approx(1.0)
    assert drift_score(one, per_token=False) == pytest.approx(4.0)
    assert drift_score(one, alpha=math.inf) == pytest.approx(-1.5)


def test_an_interaction_is_what_the_assistant_said_before_and_the_users_words() -> None:
    """Of the same session and thread; what others say is not the person's, and the future is not looked at."""
    turns = [
        turn(1, "user", "Hello"),
        turn(2, "assistant", "Where do you live?"),
        turn(3, "assistant", "Elsewhere?", thread="other"),
        turn(4, "user", "In Porto."),
        turn(5, "user", "  "),
        turn(6, "user", "And in Lyon.", session=1),
        turn(7, "assistant", "Since when?", session=1),
    ]
    found = interactions(turns)
    assert found == [
        Interaction(1, "", "Hello"),
        Interaction(4, "Where do you live?", "In Porto."),
        Interaction(6, "", "And in Lyon."),
    ]
    for end in range(len(turns)):
        assert interactions(turns[:end]) == found[: len(interactions(turns[:end]))]


def test_the_worthiest_that_fit_the_quota_are_trained_on() -> None:
    """Thirty per cent of the tokens, the worthiest first; one that is too long leaves room for others."""
    worths = [1, 9, 2, 8, 3, 7, 4, 6, 5, 10]
    chosen = select(FRESH, worths, [10] * 10)
    assert chosen.chosen == (10, 2, 4)
    assert select(FRESH, worths, [10] * 9 + [90]).chosen == (2, 4, 6, 8, 9)
    assert select(FRESH, worths, [10] * 10, budget=10).chosen == (10,)
    assert select(FRESH, worths, [10] * 10, budget=5).chosen == ()


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 50)), max_size=30), st.floats(-5, 5), st.floats(0.01, 1))
def test_a_selection_never_exceeds_its_quota(found: list[tuple[float, int]], tau: float, share: float) -> None:
    """And nothing below the threshold is in it."""
    fresh = [Interaction(seq, "", "x") for seq in range(len(found))]
    tokens = [size for _, size in found]
    made = select(fresh, [worth for worth, _ in found], tokens, share=share, tau=tau)
    assert sum(tokens[seq] for seq in made.chosen) <= share * sum(tokens)
    assert all(found[seq][0] > tau for seq in made.chosen)
    assert len(set(made.chosen)) == len(made.chosen)


def test_a_period_without_drift_trains_nothing() -> None:
    """The quota alone would train on three of ten."""
    worths = [-2.0 + seq / 20 for seq in range(10)]
    made = select(FRESH, worths, [10] * 10, tau=-1.0)
    assert made.chosen == ()
    assert made.reason == "no drift: of the 3 worthiest of 10 interactions 0 are above -1; 2 are needed"
    assert len(select(FRESH, worths, [10] * 10).chosen) == 3


def test_one_exception_is_no_drift_and_half_a_quota_is() -> None:
    """Only what lies above the threshold is trained on then."""
    calm = [-1.0] * 8
    assert select(FRESH, [9.0, -1.0, *calm], [10] * 10, tau=0.0).chosen == ()
    made = select(FRESH, [9.0, 8.0, *calm], [10] * 10, tau=0.0)
    assert made.chosen == (1, 2)
    assert made.reason == "2 of the 3 worthiest of 10 interactions drift: they are above 0"


def test_the_threshold_lies_between_what_is_learnt_and_what_was_new() -> None:
    """By the medians of the person's own marks; without enough of them there is none."""
    arrived = [Mark(seq, 1.0 + 0.1 * seq) for seq in range(FEW + 1)]  # median 1.5
    learnt = [Mark(seq, -3.5) for seq in range(FEW + 1)]
    state = Continual().trained(arrived, learnt, buffer=0)
    assert threshold(state) == pytest.approx(-1.0)
    assert threshold(state, between=0.9) == pytest.approx(1.0)
    assert threshold(Continual()) == threshold(state.without([0, 1])) == -math.inf


def test_a_person_whom_nothing_changes_for_is_not_trained_again() -> None:
    """Period after period scores like what is learnt: the threshold stays where it is."""
    state, trained = Continual(), 0
    for period in range(6):
        fresh = [Interaction(100 * period + seq, "", "x") for seq in range(40)]
        worths = [(0.0 if period == 0 else -2.0) + worth for worth in AtRandom(3)(fresh)]
        made = select(fresh, worths, [1] * 40, tau=threshold(state))
        if made.chosen:
            trained += 1
            marks = {one.seq: worth for one, worth in zip(fresh, worths, strict=True)}
            arrived = [Mark(seq, marks[seq]) for seq in made.chosen]
            state = state.trained(arrived, [Mark(seq, marks[seq] - 2) for seq in made.chosen], buffer=5)
    assert trained == 1


def test_alternatives_order_interactions_each_in_its_way() -> None:
    """By length, by chance that a seed repeats, by known labels, by drift."""
    assert longest(FRESH) == [float(seq) for seq in range(1, 11)]
    assert AtRandom(1)(FRESH) == AtRandom(1)(FRESH) != AtRandom(2)(FRESH)
    assert AtRandom(1)(FRESH[3:]) == AtRandom(1)(FRESH)[3:]
    assert select(FRESH, Labelled({2, 3})(FRESH), [1] * 10, budget=10).chosen == (2, 3)

    def score(fresh: object) -> list[Scored]:
        return [Scored(one.seq, 2, float(one.seq), 1.0) for one in FRESH]

    assert Drift(score, alpha=1.0)(FRESH) == [(seq - 1) / 2 for seq in range(1, 11)]
    assert Drift(score, alpha=0.0, per_token=False)(FRESH) == [float(seq) for seq in range(1, 11)]


def test_novelty_is_the_distance_to_what_was_said_before() -> None:
    """In earlier periods and in this one, never later."""
    places = {"north": [0.0, 1.0], "east": [2.0, 0.0], "both": [1.0, 1.0]}
    fresh = [Interaction(seq, "", word) for seq, word in enumerate(["east", "north", "east", "both"])]
    found = Novelty(lambda texts: [places[text] for text in texts])(fresh)
    assert found == pytest.approx([1, 1, 0, 1 - 1 / math.sqrt(2)])
    known = Novelty(lambda texts: [places[text] for text in texts], before=["north"])(fresh)
    assert known[1] == pytest.approx(0)


def test_feedback_counts() -> None:
    """What was confirmed comes before its likes, what was rated down to nothing is never trained on."""
    fresh = FRESH[:3]
    worths = WithFeedback(lambda _: [1.0, 1.5, 9.0], {1: 2.0, 3: 0.0})(fresh)
    assert worths == pytest.approx([1 + math.log(2), 1.5, -math.inf])
    made = select(fresh, worths, [1, 1, 1], budget=3)
    assert made.chosen == (1, 2)


def test_the_buffer_keeps_what_is_explained_worst() -> None:
    """Of a turn that was scored again the newer score counts."""
    old = [Mark(1, 5.0), Mark(2, 4.0), Mark(3, 3.0)]
    assert worst_explained([*old, Mark(1, 0.5), Mark(9, 3.5)], 2) == (Mark(2, 4.0), Mark(9, 3.5))
    assert worst_explained(old, 0) == ()


def test_a_training_renews_the_buffer_and_the_measure() -> None:
    """The old buffer is scored again with what was selected; only what was selected becomes part of the measure."""
    state = Continual(residual=(Mark(1, 5.0), Mark(2, 4.0)))
    after = state.trained(
        [Mark(7, 0.0), Mark(8, 0.1)], [Mark(1, 0.2), Mark(2, 4.5), Mark(7, 2.0), Mark(8, -1.0)], buffer=2
    )
    assert after.residual == (Mark(2, 4.5), Mark(7, 2.0))
    assert after.learnt == (Mark(7, 2.0), Mark(8, -1.0))
    assert after.arrived == (Mark(7, 0.0), Mark(8, 0.1))


def test_what_is_kept_names_turns_and_an_erasure_takes_them_out() -> None:
    state = Continual((Mark(1, 0.5), Mark(2, 1.5)), (Mark(2, 0.0),), (Mark(2, 2.5),), (Mark(3, 7.0),))
    assert state.without([2, 3]) == Continual((Mark(1, 0.5),))


def test_the_oldest_marks_go_first() -> None:
    """A person's state does not grow for ever."""
    state = Continual()
    for seq in range(MOST + 1):
        state = state.asked(Mark(seq, 0.0))
    assert len(state.relevance) == MOST
    assert state.relevance[0].seq == 1


def test_quantiles_lie_between_values_and_need_some() -> None:
    """As numpy's."""
    assert quantile([1, 2, 3, 4], 0.5) == 2.5
    for values, level in (([], 0.5), ([1.0], 1.5)):
        with pytest.raises(InvalidInput, match="no quantile"):
            quantile(values, level)
