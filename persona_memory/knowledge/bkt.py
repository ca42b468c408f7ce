"""Bayesian knowledge tracing (Corbett & Anderson 1995): how likely it is that a topic is mastered.

With guess g, slip s, transit T and mastery pL (METHODS §2):

    p(L | correct) = pL (1 - s) / (pL (1 - s) + (1 - pL) g)
    p(L | wrong)   = pL s       / (pL s       + (1 - pL) (1 - g))
    pL ← p + (1 - p) T
    p(correct)     = pL (1 - s) + (1 - pL) g

Evidence from dialogue is softer than an answer to an exercise, so it carries a weight w in [0, 1]: the likelihoods are
raised to the power w. w = 1 is the formula above, w = 0 leaves pL as it is. The parameters are fitted (`priors`), the
weights are not: no public data have both kinds of evidence of the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from persona_memory.errors import InvalidInput
from persona_memory.types import EvidenceKind

LARGEST_GUESS: Final = 0.4
LARGEST_SLIP: Final = 0.3


@dataclass(frozen=True, slots=True)
class BKT:
    """The four parameters, each a probability.

    Attributes:
        prior: mastery before any evidence.
        transit: chance to learn the topic at one opportunity.
        guess: chance of a right answer without mastery, at most 0.4.
        slip: chance of a wrong answer in spite of mastery, at most 0.3.

    Raises:
        InvalidInput: a value is out of range, or guess + slip is not below 1, where a right answer would count against
            mastery.
    """

    prior: float
    transit: float
    guess: float
    slip: float

    def __post_init__(self) -> None:
        limits = {"prior": 1.0, "transit": 1.0, "guess": LARGEST_GUESS, "slip": LARGEST_SLIP}
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= limit:
                raise InvalidInput(f"BKT's {name} is {value!r}; give a probability between 0 and {limit}")
        if self.guess + self.slip >= 1:
            raise InvalidInput(f"BKT's guess + slip is {self.guess + self.slip!r}; it has to be below 1")


GRADED: Final = 1.0
"""The weight of an answer that was marked right or wrong."""


@dataclass(frozen=True, slots=True)
class Observation:
    """How a kind of evidence counts.

    Attributes:
        correct: as a right answer, as a wrong one, or (None) as neither.
        weight: how much, from 0 (not at all) to 1 (as much as a graded answer).
        learns: the moment was also an opportunity to learn (pL moves by transit).
    """

    correct: bool | None
    weight: float
    learns: bool


OBSERVATIONS: Final[dict[EvidenceKind, Observation]] = {
    "correct": Observation(True, GRADED, learns=True),
    "wrong": Observation(False, GRADED, learns=True),  # a mistake that is talked about also teaches
    "claimed": Observation(True, 0.6, learns=False),  # people overrate what they know
    "confused": Observation(False, 0.6, learns=False),
    "asked": Observation(False, 0.25, learns=True),  # one also asks about what one half knows; an answer follows
    "explained": Observation(None, 0.0, learns=True),
    "mentioned": Observation(None, 0.0, learns=False),
}
"""Soft evidence: "asked", "claimed" and "confused" say less than an answer does, "explained" only gives a chance to
learn, and "mentioned" says nothing about mastery."""


def posterior(p: float, correct: bool, bkt: BKT, *, weight: float = 1.0) -> float:
    """Mastery after seeing an answer, before learning from it; `p` is the mastery before, all in [0, 1]."""
    known = p * ((1 - bkt.slip) if correct else bkt.slip) ** weight
    unknown = (1 - p) * (bkt.guess if correct else (1 - bkt.guess)) ** weight
    return known / (known + unknown) if known + unknown > 0 else p


def learn(p: float, bkt: BKT) -> float:
    """Mastery after one opportunity to learn."""
    return p + (1 - p) * bkt.transit


def p_correct(p: float, bkt: BKT) -> float:
    """The probability of a right answer to the next exercise."""
    return p * (1 - bkt.slip) + (1 - p) * bkt.guess


def p_correct_together(ps: Sequence[float], bkt: BKT) -> float:
    """The same for an exercise that touches several topics: from the mean of their masteries.

    Raises:
        InvalidInput: no topic is given.
    """
    if not ps:
        raise InvalidInput("an exercise without a topic has no mastery; pass at least one probability")
    return p_correct(sum(ps) / len(ps), bkt)


def update(p: float, correct: bool, bkt: BKT, *, weight: float = 1.0) -> float:
    """Mastery after an answer and what was learnt from it: `learn(posterior(p, correct))`."""
    return learn(posterior(p, correct, bkt, weight=weight), bkt)


def observe(p: float, kind: EvidenceKind, bkt: BKT) -> float:
    """Mastery after one piece of evidence from dialogue, as `OBSERVATIONS` says that it counts."""
    seen = OBSERVATIONS[kind]
    if seen.correct is not None:
        p = posterior(p, seen.correct, bkt, weight=seen.weight)
    return learn(p, bkt) if seen.learns else p
