"""The arms: by what each chooses what to train on, and how much that may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from persona_memory.adapters import (
    AtRandom,
    Drift,
    Interaction,
    Labelled,
    LearnedDrift,
    Novelty,
    Scored,
    WithFeedback,
    Worth,
    longest,
)
from persona_memory.evaluation.report import RowKind

SHARE = 0.3
"""The quota: of a period's tokens."""
By = Literal["nothing", "all", "random", "longest", "novelty", "oracle", "drift", "learned", "full"]
Learned = tuple[float, float, float, float]
"""Intercept and weights of `LearnedDrift`."""
Score = Callable[[Sequence[Interaction]], Sequence[Scored]]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to keep an adapter up to date.

    Attributes:
        alpha: of the drift score.
        tested: whether the quota must drift; without the test it is always taken, as in the paper.
        equal: its quota is what `OURS` was trained on in that period, not `SHARE`.
        replay: whether the residual buffer is trained on again.
        rehearse: experience replay: what is selected comes so often in an epoch, all else that is true so far once, and
            there are so many times fewer epochs; 0: only what is selected.
        anew: whether a new adapter is trained on all that is true, once the quota drifts, as consolidation does.
        on: what is scored: the pair that a teacher wrote of a turn, or the person's own words.
        ratings: what the period's rated replies do: weigh in the selection, or be trained on as preferences (KTO).
    """

    by: By
    kind: RowKind = "baseline"
    alpha: float = 1.0
    tested: bool = True
    equal: bool = False
    replay: bool = False
    rehearse: int = 0
    anew: bool = False
    on: Literal["pair", "words"] = "pair"
    ratings: Literal["", "selection", "preference"] = ""

    @property
    def scores(self) -> bool:
        """Whether it needs the adapter's and the base's likelihoods."""
        return self.by in ("drift", "learned")

    @property
    def streams(self) -> int:
        """How many models read what is scored."""
        return 1 if self.by == "drift" and (self.alpha == 0 or math.isinf(self.alpha)) else 2

    def worth(
        self,
        score: Score,
        before: Sequence[str] = (),
        *,
        seed: int,
        drifts: frozenset[int],
        embed: Embed,
        learned: Learned,
        rated: Mapping[int, float],
    ) -> Worth:
        """What it chooses by; `before` is what was said in earlier periods, `rated` a factor by turn."""
        if self.ratings == "selection":
            return WithFeedback(Drift(score, self.alpha), rated)
        if self.by == "drift":
            return Drift(score, self.alpha)
        if self.by == "learned":
            return LearnedDrift(score, *learned)
        if self.by == "novelty":
            return Novelty(embed, before)
        if self.by == "oracle":
            return Labelled(drifts)
        return longest if self.by == "longest" else AtRandom(seed)


Embed = Callable[[list[str]], Sequence[Sequence[float]]]

REHEARSE = 3
"""Chosen on development people (docs/lab-log.md)."""
OURS, BARE = "drift 30 %, α = .5, rehearsed", "drift 30 %, α = .5, not rehearsed"
WORDS = "drift 30 %, α = .5, on the words as said"
STATIC, ALL, FULL, RANDOM = "static", "sequential, all", "retrained on current facts", "random, equal tokens"
_OURS = Arm("drift", "ours", alpha=0.5, rehearse=REHEARSE)
_EQUAL = Arm("random", equal=True, rehearse=REHEARSE)
_BARE = replace(_OURS, kind="ablation", rehearse=0)
_ABLATION = replace(_OURS, kind="ablation")
ARMS: Mapping[str, Arm] = {
    OURS: _OURS,
    STATIC: Arm("nothing"),
    ALL: Arm("all"),
    RANDOM: _EQUAL,
    "length, equal tokens": replace(_EQUAL, by="longest"),
    "embedding distance, equal tokens": replace(_EQUAL, by="novelty"),
    "drift 30 %, α = 0": replace(_ABLATION, alpha=0.0),
    "drift 30 %, α = 1": replace(_ABLATION, alpha=1.0),
    "drift 30 %, α = ∞": replace(_ABLATION, alpha=math.inf),
    WORDS: replace(_ABLATION, on="words"),
    "drift 30 %, α = .5, no test": replace(_ABLATION, tested=False),
    "drift 30 %, learned score": replace(_ABLATION, by="learned"),
    "drift 30 %, α = .5, ratings weigh": replace(_ABLATION, ratings="selection"),
    "drift 30 %, α = .5, ratings as preferences": replace(_ABLATION, ratings="preference"),
    BARE: _BARE,
    "drift 30 %, α = .5, buffer replayed": replace(_BARE, replay=True),
    "random, equal tokens, not rehearsed": replace(_EQUAL, rehearse=0),
    "trained anew when it drifts": replace(_ABLATION, rehearse=0, anew=True),
    "oracle 30 %": replace(_OURS, by="oracle", kind="bound"),
    FULL: Arm("full", "bound"),
}
"""By name; `OURS` comes first, as others are given its tokens."""
FEW_ARMS = (OURS, STATIC, ALL, RANDOM, BARE, "oracle 30 %", FULL)
"""For other drift rates than the main one, and for a quick run."""
