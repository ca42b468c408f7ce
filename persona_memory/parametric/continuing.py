"""Going on from an adapter: whether what came since drifts, what is trained on then, what stays for retrieval.

SPRInG (arXiv 2601.09974) on the pairs that a teacher wrote; its parts by themselves: `persona_memory.adapters.drift`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from persona_memory.adapters import Mark, worst_explained
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.curriculum import Settings
from persona_memory.parametric.encoding import ANSWER_ONLY, encode
from persona_memory.parametric.scoring import likelihoods
from persona_memory.parametric.slots import Slots
from persona_memory.protocols import Drifted, Example

QUOTA = 0.3
"""SPRInG's share of a period that is trained on."""


def rehearsed(
    settings: Settings, told: Sequence[Example], drifted: Sequence[int], *, times: int
) -> tuple[Settings, list[Example]]:
    """What a training that goes on has in an epoch: what drifts so many `times`, all else once; and its settings.

    A chain of trainings on selections alone forgets what is not repeated (docs/drift.md).
    """
    new = [one for one in told if not set(drifted).isdisjoint(one.turns)]
    known = [one for one in told if set(drifted).isdisjoint(one.turns)]
    return replace(settings, epochs=max(1, settings.epochs // times)), [*new * times, *known]


def residual(pairs: Sequence[Example], learnt: Sequence[float], most: int) -> list[int]:
    """The turns of the pairs that the adapter explains worst, worst first: SPRInG's residual buffer.

    Args:
        learnt: what each pair scores, see `scores`.
    """
    marks = [
        Mark(seq, score)
        for score, one in sorted(zip(learnt, pairs, strict=True), key=lambda of: of[0])
        for seq in one.turns
    ]
    return [mark.seq for mark in worst_explained(marks, most)]


def scores(base: BaseModel, slots: Slots, slot: int, pairs: Sequence[Example]) -> Sequence[float]:
    """−log p(answer | question) in nats a token, of each pair.

    When a fact comes nothing knows it but the base; what is later said lies between that and what it scores once it is
    learnt, see `drifts`.
    """
    found = likelihoods(base, slots, [(slot, one) for one in encode(base, pairs, weighting=ANSWER_ONLY)])
    return [one.nats / one.tokens for one in found]


def drifts(fresh: Sequence[Example], scored: Sequence[float], surprise: Mapping[str, float]) -> Drifted:
    """Whether what was said surprises the adapter: at least half of the most surprising 30 % score above τ.

    τ lies half way between what a fact scored once it was learnt and when it came (`persona_memory.adapters.threshold`
    with α = 0, as the pairs are a teacher's: what the base finds senseless no teacher writes).

    Args:
        fresh: pairs about what was said.
        scored: what each scores.
        surprise: medians of the adapter's own pairs, when they came and once they were learnt.
    """
    tau = (surprise["arrived"] + surprise["learnt"]) / 2
    most_surprising = sorted(zip(scored, fresh, strict=True), key=lambda of: -of[0])
    quota = most_surprising[: max(1, round(QUOTA * len(scored)))]
    above = [one for score, one in quota if score > tau]
    told = f"of the {len(quota)} most surprising of {len(scored)} new pairs {len(above)} score above {tau:.2f} nats"
    turns = tuple(sorted({seq for one in above for seq in one.turns}))
    return Drifted(2 * len(above) >= len(quota), told, turns)
