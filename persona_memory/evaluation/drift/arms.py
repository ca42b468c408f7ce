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
BETWEEN = 0.15
"""Chosen on development people (docs/lab-log.md): where the base has read the turn, what is known scores nearly 0."""
By = Literal["nothing", "all", "random", "longest", "novelty", "oracle", "drift", "learned", "full"]
On = Literal["pair", "read", "words"]
Learned = tuple[float, float, float, float]
"""Intercept and weights of `LearnedDrift`."""
Score = Callable[[Sequence[Interaction]], Sequence[Scored]]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to keep an adapter up to date.

    Attributes:
        alpha: of the drift score.
        tested: whether the quota must drift; without the test it is always taken, as in the paper.
        between: where τ lies, see `persona_memory.adapters.threshold`.
        least: the share of the quota that must drift, see `persona_memory.adapters.select`.
        equal: its quota is what `OURS` was trained on in that period, not `SHARE`.
        replay: whether the residual buffer is trained on again.
        rehearse: experience replay: what is selected comes so often in an epoch, all else that is true so far once, and
            there are so many times fewer epochs; 0: only what is selected.
        anew: whether a new adapter is trained on all that is true, once the quota drifts, as consolidation does.
        on: what is scored: the pair that a teacher wrote of a turn, the same with the base having read the person's own
            words, or these words themselves.
        ratings: what the period's rated replies do: weigh in the selection, or be trained on as preferences (KTO).
    """

    by: By
    kind: RowKind = "baseline"
    alpha: float = 1.0
    tested: bool = True
    between: float = BETWEEN
    least: float = 0.0
    equal: bool = False
    replay: bool = False
    rehearse: int = 0
    anew: bool = False
    on: On = "pair"
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
OURS, BARE = "drift 30 %, turn read, rehearsed", "drift 30 %, turn read, not rehearsed"
PAPER, WORDS = "drift 30 %, α = .5", "drift 30 %, α = .5, on the words as said"
SERVED = "as consolidation does: α = 0, anew when it drifts"
STATIC, ALL, FULL, RANDOM = "static", "sequential, all", "retrained on current facts", "random, equal tokens"
_OURS = Arm("drift", "ours", on="read", rehearse=REHEARSE)
_EQUAL = Arm("random", equal=True, rehearse=REHEARSE)
_BARE = replace(_OURS, kind="ablation", rehearse=0)
_ABLATION = replace(_OURS, kind="ablation")
_PAPER = replace(_ABLATION, alpha=0.5, on="pair", between=0.5, least=0.5)
ARMS: Mapping[str, Arm] = {
    OURS: _OURS,
    STATIC: Arm("nothing"),
    ALL: Arm("all"),
    RANDOM: _EQUAL,
    "length, equal tokens": replace(_EQUAL, by="longest"),
    "embedding distance, equal tokens": replace(_EQUAL, by="novelty"),
    "drift 30 %, α = 0": replace(_PAPER, alpha=0.0),
    PAPER: _PAPER,
    "drift 30 %, α = 1": replace(_PAPER, alpha=1.0),
    "drift 30 %, α = ∞": replace(_PAPER, alpha=math.inf),
    WORDS: replace(_PAPER, on="words"),
    "drift 30 %, turn read, no test": replace(_ABLATION, tested=False),
    "drift 30 %, turn read, learned score": replace(_ABLATION, by="learned"),
    "drift 30 %, turn read, ratings weigh": replace(_ABLATION, ratings="selection"),
    "drift 30 %, turn read, ratings as preferences": replace(_ABLATION, ratings="preference"),
    BARE: _BARE,
    "drift 30 %, turn read, buffer replayed": replace(_BARE, replay=True),
    "random, equal tokens, not rehearsed": replace(_EQUAL, rehearse=0),
    "trained anew when it drifts": replace(_ABLATION, rehearse=0, anew=True),
    SERVED: replace(_PAPER, kind="ours", alpha=0.0, rehearse=0, anew=True),
    "oracle 30 %": replace(_OURS, by="oracle", kind="bound"),
    FULL: Arm("full", "bound"),
}
"""By name; `OURS` comes first, as others are given its tokens."""
FEW_ARMS = (OURS, SERVED, PAPER, STATIC, ALL, RANDOM, "oracle 30 %", FULL)
"""For other drift rates than the main one, and for a quick run."""
