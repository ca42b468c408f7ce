"""What of a period is worth training on: drift, its alternatives, and a test that trains nothing where nothing drifts.

After SPRInG (arXiv 2601.09974). An interaction is a question q with an answer a: the
assistant's remark and the person's own words, or a pair that a teacher wrote of the turn before anything was selected.
Its drift score is

    S = −log p_adapter(a|q) + α · log p_base(a|q),

what the person's adapter finds surprising though the base finds it sensible. Of a pair the base may judge with the turn
before it; at α = 1, S is then what the turn tells that the adapter does not know (pointwise mutual information), and an
exception ("only today") tells nothing that lasts. The paper trains on the worthiest 30 % of each period, drift or none;
here the quota must also drift against the person's own earlier scores. All numbers come from the person alone and from
what was said before; what is kept of them names turns and holds no text.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

import numpy as np

from persona_memory.errors import InvalidInput
from persona_memory.types import Turn

FEW = 10
"""Earlier scores below which nobody can say what is usual for a person."""
MOST = 2_000
"""Marks of a kind that are kept of a person, the newest."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a person said, after what.

    Attributes:
        seq: of the person's turn.
        question: what the assistant had said just before; "" where the person spoke first.
        answer: the person's own words.
    """

    seq: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely an interaction is, in nats over all of the answer's tokens.

    Attributes:
        seq: of the person's turn.
        tokens: of the answer; 0 where the turn says nothing that could be learnt.
        adapted: −log p_adapter(a|q).
        base: −log p_base(a|q), or of the base that has read the turn, −log p_base(a|q, turn).
    """

    seq: int
    tokens: int
    adapted: float
    base: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A turn with the score that it got."""

    seq: int
    score: float


@dataclass(frozen=True, slots=True)
class Continual:
    """What is kept of a person from one period to the next: turn numbers and scores, no text.

    Attributes:
        arrived: of what was trained on, the scores when it came, before anything was selected.
        learnt: of the same turns, the scores by the adapter that was trained on them.
        residual: what the adapter explains worst of what it was trained on: the retrieval bank; texts are those of the
            turns.
        relevance: of earlier questions (their turns), the score of the best that was retrieved: the gate's measure.
    """

    arrived: tuple[Mark, ...] = ()
    learnt: tuple[Mark, ...] = ()
    residual: tuple[Mark, ...] = ()
    relevance: tuple[Mark, ...] = ()

    def without(self, turns: Collection[int]) -> Continual:
        """The same when these turns are erased."""
        gone, kinds = set(turns), (self.arrived, self.learnt, self.residual, self.relevance)
        return Continual(*(tuple(mark for mark in marks if mark.seq not in gone) for marks in kinds))

    def trained(self, arrived: Sequence[Mark], learnt: Sequence[Mark], *, buffer: int) -> Continual:
        """The same after a training.

        Marks of −∞, of turns that say nothing, are not kept.

        Args:
            arrived: marks of what was selected, from before the training.
            learnt: marks by the new adapter, of what was selected and of the old buffer.
            buffer: how many turns the new one keeps.
        """
        before, after = ([mark for mark in marks if math.isfinite(mark.score)] for marks in (arrived, learnt))
        chosen = {mark.seq for mark in before}
        return Continual(
            (*self.arrived, *before)[-MOST:],
            (*self.learnt, *(mark for mark in after if mark.seq in chosen))[-MOST:],
            worst_explained(after, buffer),
            self.relevance,
        )

    def asked(self, question: Mark) -> Continual:
        """The same after a question, marked with the score of the best that was retrieved for it."""
        return replace(self, relevance=(*self.relevance, question)[-MOST:])


def interactions(turns: Sequence[Turn]) -> list[Interaction]:
    """The user's turns, each with what the assistant said before it in the same session of the same thread."""
    said: dict[tuple[str, int], str] = {}
    found = []
    for turn in turns:
        place = turn.thread_id, turn.session
        if turn.role == "assistant":
            said[place] = turn.text
        elif turn.role == "user" and turn.text.strip():
            found.append(Interaction(turn.seq, said.get(place, ""), turn.text))
    return found


# ── how much an interaction is worth ────────────────────────────────────────────────────────────────────────────────


class Worth(Protocol):
    """How much each interaction of a period is worth training on; the order is what counts."""

    def __call__(self, fresh: Sequence[Interaction], /) -> Sequence[float]:
        """A number for each, −∞ for what is never to be trained on."""


def drift_score(one: Scored, *, alpha: float = 1.0, per_token: bool = True) -> float:
    """S = −log p_adapter + α · log p_base, in nats per token or in all; at α = ∞ log p_base alone.

    −∞ where there is nothing to learn.
    """
    if not one.tokens:
        return -math.inf
    score = -one.base if math.isinf(alpha) else one.adapted - alpha * one.base
    return score / one.tokens if per_token else score


@dataclass(frozen=True, slots=True)
class Drift:
    """By drift score. `score` is the model's: `partial(persona_memory.parametric.score, base, slots, slot)`."""

    score: Callable[[Sequence[Interaction]], Sequence[Scored]]
    alpha: float = 1.0
    per_token: bool = True

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """S of each."""
        return [drift_score(one, alpha=self.alpha, per_token=self.per_token) for one in self.score(fresh)]


@dataclass(frozen=True, slots=True)
class LearnedDrift:
    """By a logistic of both likelihoods, fitted on people who are nobody's users: b + w₁·adapted + w₂·base + w₃·ln n.

    `adapted` and `base` are −log p in nats per token, n the answer's tokens. The worth is the logit, so that τ = 0 is
    even odds. One α cannot tell noise from news: the adapter knows neither; the base can find one of them unusual.
    """

    score: Callable[[Sequence[Interaction]], Sequence[Scored]]
    intercept: float
    adapted: float
    base: float
    length: float

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """The logit of each."""
        weights = np.array([self.adapted, self.base, self.length])
        scored = self.score(fresh)
        return [float(np.dot(features(one), weights)) + self.intercept if one.tokens else -math.inf for one in scored]


def features(one: Scored) -> tuple[float, float, float]:
    """What `LearnedDrift` weighs: −log p per token by adapter and base, ln of the tokens."""
    return one.adapted / one.tokens, one.base / one.tokens, math.log(one.tokens)


@dataclass(frozen=True, slots=True)
class Novelty:
    """By distance: 1 − the greatest cosine with what was said before, in earlier periods (`before`) and in this one."""

    embed: Callable[[list[str]], Sequence[Sequence[float]]]
    before: Sequence[str] = ()

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """In [0, 2]; 1 for the very first."""
        vectors = np.asarray(self.embed([*self.before, *(one.answer for one in fresh)]), dtype=float)  # (m + n, d)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        cosines, first = vectors @ vectors.T, len(self.before)
        return [1 - float(cosines[at, :at].max(initial=0.0)) for at in range(first, len(vectors))]


def longest(fresh: Sequence[Interaction], /) -> list[float]:
    """By length, in characters."""
    return [float(len(one.answer)) for one in fresh]


@dataclass(frozen=True, slots=True)
class AtRandom:
    """By chance; the same for the same seed, whatever else is there."""

    seed: int = 0

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """Uniform in [0, 1)."""
        return [random.Random(f"{self.seed}/{one.seq}").random() for one in fresh]


@dataclass(frozen=True, slots=True)
class Labelled:
    """By what is known: the turns that drift. For evaluation."""

    drifts: Collection[int]

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """0 where it drifts; the others are never trained on."""
        return [0.0 if one.seq in self.drifts else -math.inf for one in fresh]


@dataclass(frozen=True, slots=True)
class WithFeedback:
    """Another worth with the person's feedback counted in.

    Attributes:
        ratings: by turn, a factor f ≥ 0 as in `rated`: above 1 where the person confirmed or corrected it. As S is the
            logarithm of a ratio of likelihoods, ln f is added to it; what was rated down to 0 is never trained on.
    """

    worth: Worth
    ratings: Mapping[int, float]

    def __call__(self, fresh: Sequence[Interaction], /) -> list[float]:
        """The other's worth + ln f."""
        factors = (self.ratings.get(one.seq, 1.0) for one in fresh)
        bonus = [math.log(factor) if factor > 0 else -math.inf for factor in factors]
        return [worth + more for worth, more in zip(self.worth(fresh), bonus, strict=True)]


# ── what is trained on ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a period is trained on: its turns, the worthiest first, none where it does not drift; and why."""

    chosen: tuple[int, ...]
    reason: str


def threshold(state: Continual, *, between: float = 0.5) -> float:
    """τ, above which something drifts for this person: between what they said once it is learnt, and when it came.

    τ = m(learnt) + `between` · (m(arrived) − m(learnt)), m the median of the person's own earlier marks; −∞ while there
    are fewer than `FEW`, as nobody knows yet what a learnt thing scores.
    """
    if len(state.arrived) < FEW or len(state.learnt) < FEW:
        return -math.inf
    arrived, learnt = (median(mark.score for mark in marks) for marks in (state.arrived, state.learnt))
    return learnt + between * (arrived - learnt)


def select(
    fresh: Sequence[Interaction],
    worths: Sequence[float],
    tokens: Sequence[int],
    *,
    budget: int | None = None,
    share: float = 0.3,
    tau: float = -math.inf,
    least: float = 0.5,
) -> Selection:
    """Of the worthiest interactions that fit the quota those that drift: their worth is above τ.

    Nothing where fewer than the share `least` of them do: by likelihoods alone an exception, which holds once only,
    looks like drift, so that half is asked of a quota. Where the base has read the turn (`Scored.base`), 0 will do.

    Args:
        fresh: the period's interactions, in order.
        worths: of each, by one `Worth`.
        tokens: of each, as they count in the quota.
        budget: the quota in tokens; `share` of the period's by default.
        share: see `budget`.
        tau: as `threshold` gives it, from marks by the same worth; −∞ for no test.
        least: see above.
    """
    left = int(share * sum(tokens)) if budget is None else budget
    taken: list[int] = []
    for place in sorted(range(len(fresh)), key=lambda place: (-worths[place], fresh[place].seq)):
        if tokens[place] <= left and worths[place] > -math.inf:
            taken.append(place)
            left -= tokens[place]
    above = [place for place in taken if worths[place] > tau]
    needed = max(1, math.ceil(least * len(taken)))
    drifts = len(above) >= needed
    chosen = tuple(fresh[place].seq for place in above) if drifts else ()
    return Selection(chosen, _reason(len(above), len(taken), len(fresh), tau, needed))


def _reason(above: int, taken: int, fresh: int, tau: float, needed: int) -> str:
    if not taken:
        return f"none of {fresh} interactions fits the quota"
    if math.isinf(tau):
        return f"the {taken} worthiest of {fresh} interactions, whether they drift or not"
    if above >= needed:
        return f"{above} of the {taken} worthiest of {fresh} interactions drift: they are above {tau:.3g}"
    return (
        f"no drift: of the {taken} worthiest of {fresh} interactions {above} are above {tau:.3g}; {needed} are needed"
    )


def worst_explained(marks: Sequence[Mark], most: int) -> tuple[Mark, ...]:
    """The residual buffer: the `most` marks with the highest scores under the newest adapter, worst first.

    `marks` are those of what was selected and of the old buffer; of a turn that comes twice the last one counts.
    """
    newest = {mark.seq: mark for mark in marks}
    return tuple(sorted(newest.values(), key=lambda mark: (-mark.score, mark.seq))[:most])


def quantile(values: Sequence[float], level: float) -> float:
    """The `level` quantile of the values, between the two nearest where it falls between.

    Raises:
        InvalidInput: the level is not in [0, 1], or there are no values.
    """
    if not 0 <= level <= 1 or not len(values):
        raise InvalidInput(
            f"no quantile {level!r} of {len(values)} values; pass a level in 0 … 1 and one value or more"
        )
    return float(np.quantile(np.asarray(values, dtype=float), level))
