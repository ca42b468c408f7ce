"""How able a person is, apart from any one topic: a Gaussian belief, moved by every answer at a constant cost.

An answer to topics of difficulty logit d is right with probability σ(d + θ + δ), where θ is the person's ability and δ
what is special to the person with these topics. Both beliefs are Gaussian and take the answer in by one step of an
extended Kalman filter (a Laplace approximation): with p the expectation, v and u the variances, W = p (1 − p),

    θ ← θ + v (y − p) / (1 + W (v + u)),   v ← v − v² W / (1 + W (v + u)) + drift

and δ alike. With u = 0 and a constant variance this is the Elo rating of Pelánek (2016); the variance makes the first
answers count most. The drift lets the person change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

CERTAIN: Final = 1e-6
LEAST_VARIANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Belief:
    """A Gaussian over a logit."""

    mean: float
    variance: float


def logit(p: float) -> float:
    """log(p / (1 − p)), with p kept off 0 and 1."""
    p = min(max(p, CERTAIN), 1 - CERTAIN)
    return math.log(p / (1 - p))


def sigmoid(x: float) -> float:
    """1 / (1 + e^−x), for x of any size."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def assimilate(
    belief: Belief, expected: float, correct: bool, *, others: float = 0.0, drift: float = 0.0, weight: float = 1.0
) -> Belief:
    """The belief after an answer.

    Args:
        belief: before it.
        expected: the probability of a right answer, as everything together foretold it.
        correct: what came.
        others: variance of what else went into the expectation.
        drift: variance that the next answer's distance adds.
        weight: how much the answer tells, from 0 (nothing) to 1 (as much as a graded one).
    """
    information = weight * expected * (1 - expected)
    total = 1 + information * (belief.variance + others)
    mean = belief.mean + belief.variance * weight * (correct - expected) / total
    variance = belief.variance - belief.variance**2 * information / total
    return Belief(mean, max(variance, LEAST_VARIANCE) + drift)


def shifted(prior: float, ability: float, share: float) -> float:
    """A topic's mastery before any evidence of it, for a person of this ability: logit prior + share · θ."""
    return sigmoid(logit(prior) + share * ability)
