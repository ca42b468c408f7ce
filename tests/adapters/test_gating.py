"""Whether what was retrieved is read: by what was so before, never by what comes later."""

from __future__ import annotations

import math

import pytest

from persona_memory.adapters import Found, LearnedGate, Mark, QuantileGate, opened
from persona_memory.adapters.drift import FEW

EARLIER = [Mark(seq, float(seq)) for seq in range(20)]
BEST = Found(1, 15.0)


def test_the_gate_opens_above_the_persons_own_quantile() -> None:
    """The third quartile of 0 … 19 is 14.25."""
    gate = QuantileGate(0.75)
    assert gate(Found(1, 14.3), EARLIER) == 1
    assert gate(Found(1, 14.2), EARLIER) == 0
    assert gate(Found(1, 14.2), EARLIER[:15]) == 1


def test_while_little_was_asked_any_match_opens_it() -> None:
    """And none never does."""
    gate = QuantileGate()
    assert gate(Found(1, 0.1), EARLIER[: FEW - 1]) == 1
    assert gate(Found(1, 0.0), EARLIER[: FEW - 1]) == 0
    assert gate(Found(1, 0.1), EARLIER[:FEW]) == 0


def test_the_two_best_are_read_where_each_passes() -> None:
    """Best first, the newer of equals first; nothing read is confidence 0."""
    found = [Found(3, 15.0), Found(4, 16.0), Found(5, 15.0), Found(6, 2.0)]
    made = opened(found, EARLIER, QuantileGate())
    assert [item.seq for item in made.items] == [4, 5]
    assert made.confidence == 1
    assert [item.seq for item in opened(found[::3], EARLIER, QuantileGate()).items] == [3]
    assert opened([Found(1, 2.0)], EARLIER, QuantileGate()) == opened([], EARLIER, QuantileGate())


def test_a_learned_gate_gives_the_logistic_of_its_features() -> None:
    """Score, recency and overlap; the probability is the confidence."""
    gate = LearnedGate(intercept=-1.0, score=0.2, recency=0.5, overlap=2.0)
    item = Found(1, 5.0, age=3.0, overlap=0.5)
    logit = -1 + 0.2 * 5 - 0.5 * math.log(4) + 2 * 0.5
    assert gate(item, ()) == pytest.approx(1 / (1 + math.exp(-logit)))
    assert gate(Found(1, 5.0, age=300.0, overlap=0.5), ()) < gate(item, ()) < gate(Found(1, 5.0, 3.0, 1.0), ())
    assert gate(Found(1, 0.0, overlap=0.0), ()) == 0
    assert opened([item], (), gate).confidence == gate(item, ())
