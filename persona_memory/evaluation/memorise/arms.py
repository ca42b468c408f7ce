"""What is compared: how a person's conversations reach the weights, what stands in the prompt, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from persona_memory.adapters import LoraSpec
from persona_memory.evaluation.report import RowKind
from persona_memory.parametric import ANSWER_ONLY, SMALL, Settings, Weighting
from persona_memory.parametric.studying import Plan

Shown = Literal["", "oracle", "conversations", "pairs"]


@dataclass(frozen=True, slots=True)
class Study:
    """How an adapter is trained.

    Attributes:
        settings: of the training of a conversation, or of all.
        weighting: what a token counts; None for PLUM's.
        spec: the shape of the adapter.
        streamed: conversation by conversation, each from the weights of the one before, as PLUM does; else all that
            still holds at once, with updates, as this library does.
        negatives: whether pairs about what was not said are among it.
        readings: contexts of synthetic people.
        distil: likeliest next tokens, of the base that reads what a pair rests on, that are taught in place of the
            pair's own words (context distillation); 0: the words.
    """

    settings: Settings
    weighting: Weighting | None = None
    spec: LoraSpec = field(default_factory=LoraSpec)
    streamed: bool = True
    negatives: bool = True
    readings: int = 0
    distil: int = 0


@dataclass(frozen=True, slots=True)
class Arm:
    """One row.

    Attributes:
        study: the name of the adapter that answers; "" for the base.
        shown: what stands before the question; `k` of it.
        budget: tokens that it may take, packed and rendered as the library's recall does; 0: all of it, as it was said.
        lam: the weight of the stream without what is shown; 0 for one prompt.
    """

    kind: RowKind
    study: str = ""
    shown: Shown = ""
    k: int = 0
    budget: int = 0
    lam: float = 0.0

    @property
    def choice(self) -> str:
        """By which its k is chosen."""
        return f"{self.shown}, packed" if self.budget else self.shown


PLUM = Study(Settings(lr=SMALL.settings.lr, epochs=10))
"""At the same rate as ours."""
PLAIN, WEIGHTED, OURS = "plain CE (w = 1)", "weighted, w = 10", "our recipe"
FEW = (PLAIN, WEIGHTED, OURS)
"""The adapters that the requirements need."""
CHOSEN = -1
"""In place of k: the one that was best on development people."""
KS = (1, 2, 3, 5)
"""How many conversations or pairs are tried there."""
BUDGET = 150
"""Tokens for what is retrieved, of whichever kind: about what the right conversations take (the oracle)."""
TEACHER = 20
"""Likeliest next tokens that are distilled."""
PACKED = f"conversation-RAG, {BUDGET} tokens"


def studies(plan: Plan) -> dict[str, Study]:
    """All adapters by name; ours by this plan."""
    ours = Study(plan.settings, plan.weighting, spec=plan.spec, streamed=False, readings=plan.readings)
    weights = {f"weighted, w = {w}": replace(PLUM, weighting=Weighting(question=w, answer=w)) for w in (3, 10, 30)}
    return {
        PLAIN: replace(PLUM, weighting=Weighting(question=1, answer=1)),
        **weights,
        "w = 10, answer only": replace(PLUM, weighting=ANSWER_ONLY),
        "w = 10, without negatives": replace(PLUM, negatives=False),
        **{
            f"w = 10, {n} epoch{'s' * (n > 1)}": replace(PLUM, settings=replace(PLUM.settings, epochs=n))
            for n in (1, 5, 20)
        },
        OURS: ours,
        f"{OURS}, all layers": replace(ours, spec=LoraSpec()),
        f"{OURS}, questions weighted, too": replace(ours, weighting=None),
        f"{OURS}, without readings": replace(ours, readings=0),
        f"{OURS}, without negatives": replace(ours, negatives=False),
        f"{OURS}, streamed": replace(ours, streamed=True),
        f"{OURS}, only tokens with p < .5": replace(ours, settings=replace(plan.settings, threshold=0.5)),
        f"{OURS}, distilled from context": replace(ours, distil=TEACHER),
    }


def arms(studied: Mapping[str, Study]) -> dict[str, Arm]:
    """All rows by name."""
    return {
        "no memory": Arm("baseline"),
        "Q/A-RAG@3": Arm("baseline", shown="pairs", k=3),
        "Q/A-RAG, chosen k": Arm("baseline", shown="pairs", k=CHOSEN),
        "conversation-RAG@3": Arm("baseline", shown="conversations", k=3),
        "conversation-RAG, chosen k": Arm("baseline", shown="conversations", k=CHOSEN),
        f"Q/A-RAG, {BUDGET} tokens": Arm("baseline", shown="pairs", k=CHOSEN, budget=BUDGET),
        PACKED: Arm("baseline", shown="conversations", k=CHOSEN, budget=BUDGET),
        **{name: Arm(_kind(name), name) for name in studied},
        f"{OURS} + conversations, one prompt": Arm("ours", OURS, "conversations", CHOSEN),
        f"{OURS} + conversations, two streams": Arm("ours", OURS, "conversations", CHOSEN, lam=0.5),
        "oracle: the right conversations": Arm("bound", shown="oracle"),
    }


def _kind(study: str) -> RowKind:
    return "ours" if study == OURS else "ablation" if study.startswith(OURS) else "baseline"
