"""Whether what was retrieved from the residual buffer is read, and how much it counts (SPRInG, arXiv 2601.09974).

The paper retrieves two items and uses them above a threshold that is a quartile of everybody's scores, those to come
included. Here the threshold is a running quantile of the person's own earlier scores. The gate is asked before anything
is read: closed, there is one stream and nothing is paid for the other. Its confidence sets λ: see
`persona_memory.parametric.lam_of`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from persona_memory.adapters.drift import FEW, Mark, quantile

TOP = 2
"""Items that are retrieved for a question."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item of the buffer that was retrieved for a question.

    Attributes:
        seq: of its turn.
        score: of the ranking, e.g. BM25's, ≥ 0.
        age: days since its turn, ≥ 0.
        overlap: the part of the question's information that its words account for, in [0, 1].
    """

    seq: int
    score: float
    age: float = 0.0
    overlap: float = 0.0


class Gate(Protocol):
    """How surely an item is relevant."""

    def __call__(self, item: Found, earlier: Sequence[Mark], /) -> float:
        """A confidence in [0, 1]; 0 leaves the item out.

        Args:
            item: what was retrieved.
            earlier: for the person's earlier questions, the score of the best item then.
        """


@dataclass(frozen=True, slots=True)
class QuantileGate:
    """Open above the running quantile of the person's earlier scores; open to any match while these are few."""

    level: float = 0.75

    def __call__(self, item: Found, earlier: Sequence[Mark], /) -> float:
        """1 or 0."""
        few = len(earlier) < FEW
        return float(item.score > (0.0 if few else quantile([mark.score for mark in earlier], self.level)))


@dataclass(frozen=True, slots=True)
class LearnedGate:
    """A logistic of score, recency and overlap: σ(b + w₁ · score − w₂ · ln(1 + age) + w₃ · overlap).

    Fitted on people who are nobody's users: its probability is calibrated, and λ follows it.
    """

    intercept: float
    score: float
    recency: float
    overlap: float

    def __call__(self, item: Found, earlier: Sequence[Mark], /) -> float:
        """The probability that the item says what is asked for; 0 where no word matches."""
        if item.score <= 0:
            return 0.0
        logit = self.intercept + self.score * item.score + self.overlap * item.overlap
        return 0.5 * (1 + math.tanh(0.5 * (logit - self.recency * math.log1p(item.age))))


@dataclass(frozen=True, slots=True)
class Opened:
    """What is read beside a question, best first, and the confidence of the best: 0 where nothing is read."""

    items: tuple[Found, ...]
    confidence: float


def opened(found: Sequence[Found], earlier: Sequence[Mark], gate: Gate) -> Opened:
    """Of the `TOP` best items those that the gate lets through."""
    best = sorted(found, key=lambda item: (-item.score, -item.seq))[:TOP]
    sure = [(gate(item, earlier), item) for item in best]
    return Opened(tuple(item for p, item in sure if p > 0), max((p for p, _ in sure), default=0.0))
