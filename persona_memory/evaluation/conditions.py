"""What a model under test is told of the person before it answers: nothing, all, plain retrieval, ours, parts of ours.

All but the full history keep to the same budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from persona_memory.budget import estimate
from persona_memory.evaluation.histories import with_recall
from persona_memory.evaluation.rankings import Prepared
from persona_memory.evaluation.report import RowKind
from persona_memory.evaluation.systems import systems, told
from persona_memory.memory import DEFAULT_BUDGET, PersonaMemory
from persona_memory.protocols import TokenCounter

Condition = Literal[
    "none", "full", "BM25", "dense", "hybrid RRF", 'hybrid RRF, of "speaker: turn"', "ours", "recall", "profile"
]
CONDITIONS: Mapping[Condition, tuple[str, RowKind]] = {
    "none": ("no memory", "baseline"),
    "full": ("full history, cut to the window", "baseline"),
    "BM25": ("BM25", "baseline"),
    "dense": ("dense", "baseline"),
    "hybrid RRF": ("hybrid RRF", "baseline"),
    "ours": ("ours: profile and recall", "ours"),
    "recall": ("without profile", "ablation"),
    "profile": ("without recall", "ablation"),
}
"""How each is called in reports, and what its row is."""

NAMED: Condition = 'hybrid RRF, of "speaker: turn"'
"""The strongest plain retrieval where speakers have names."""

SHORT: Mapping[Condition, str] = {
    **{name: title.partition(":")[0].partition(",")[0] for name, (title, _) in CONDITIONS.items()},
    NAMED: "hybrid RRF, named",
}
"""As columns."""

PERSON = "person"
"""Whose memory it is."""

_PLAIN = {system.name: system for system in systems(named=True)}


def conditions(*, named: bool) -> dict[Condition, tuple[str, RowKind]]:
    """The conditions of a run; `named`: where speakers have names, as `systems` takes it."""
    found = list(CONDITIONS.items())
    place = list(CONDITIONS).index("ours")
    more: dict[Condition, tuple[str, RowKind]] = {NAMED: (NAMED, "baseline")} if named else {}
    return {**dict(found[:place]), **more, **dict(found[place:])}


@dataclass(frozen=True, slots=True)
class Known:
    """What was said up to now, in both forms.

    Attributes:
        memory: what has learnt from it; None where no answer of ours is asked for.
        turns: the same, ready for plain retrieval; None where nothing was said.
        now: when the questions are asked; None for the present.
        count: the tokens that the memory counts, so that the budget is the same for plain retrieval.
    """

    memory: PersonaMemory | None
    turns: Prepared | None
    now: datetime | None = None
    count: TokenCounter = estimate


def with_what_is_known(
    condition: Condition, asked: str, known: Known, *, question: str, place: int
) -> Sequence[Mapping[str, str]]:
    """The messages that ask the model, with what this condition puts beside them; "full" is the caller's.

    Args:
        asked: the message that the model answers.
        question: what is looked for in the memory.
        place: of the question among those that `known.turns` is prepared for.
    """
    if condition in ("ours", "recall", "profile") and known.memory is not None:
        recall = asdict(known.memory.recall(question, user_id=PERSON, max_tokens=DEFAULT_BUDGET, now=known.now))
        left_out = {"recall": "profile_text", "profile": "memory_text"}.get(condition)
        return with_recall(asked, {**recall, left_out: ""} if left_out else recall)
    if condition in _PLAIN and known.turns is not None:
        return with_recall(asked, {"memory_text": told(_PLAIN[condition], known.turns, place, count=known.count).text})
    return with_recall(asked, {})


def parked(memory: PersonaMemory) -> int:
    """How often learning has given up."""
    return sum(job.state == "parked" and job.kind in ("learn", "optimize") for job in memory.jobs())


def remark(given_up: int) -> tuple[str, ...]:
    """What a reader has to know about what was not learnt; nothing where all was."""
    if not given_up:
        return ()
    return (f"Learning gave up {given_up} times, for want of a usable answer: ours lacks what would have been learnt.",)
