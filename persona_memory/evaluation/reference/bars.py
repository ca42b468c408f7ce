"""The bars of a reference model: does it read, and only read? People, values and phrasings that training never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from persona_memory.evaluation.progress import Watch
from persona_memory.evaluation.reference.answering import Item, exact, item, log_likelihoods, question
from persona_memory.evaluation.reference.rows import Coder
from persona_memory.evaluation.report import Row, Score, Table
from persona_memory.evaluation.statistics import difference, mean
from persona_memory.world.contexts import interaction_pair, pair, scene
from persona_memory.world.forms import Phrasing
from persona_memory.world.frozen import SEED
from persona_memory.world.pools import is_held_out
from persona_memory.world.questions import KINDS
from persona_memory.world.slots import SLOTS
from persona_memory.world.speech import answer
from persona_memory.world.values import UNKNOWN, Kind, Question, Split

BARS: dict[Kind, float] = {"open": 0.95, "updated": 0.95, "unknown": 0.95, "yes_no": 0.9, "two_hop": 0.9}
"""What a kind of question is to reach with the right conversation in context; the others are shown without a bar."""
PHRASINGS: dict[str, Phrasing] = {"seen phrasing": "train", "new combinations": "combined", "new phrasing": "test"}


def in_context(
    model: Any, codes: Coder, *, count: int, watch: Watch, split: Split = "test", new: Phrasing = "test"
) -> Table:
    """Exact answers with the right conversation in context, by kind of question; `count` questions in each cell.

    Args:
        new: the phrasing of the last column: "dev" while choosing, "test" for the last measurement.
    """
    phrasings = {**PHRASINGS, "new phrasing": new}
    rows = []
    for kind in watch.track(KINDS, "questions in context", total=len(KINDS)):
        cells: dict[str, Score | str] = {"bar": f"{BARS[kind]:.2f}" if kind in BARS else ""}
        right: dict[str, list[float]] = {}
        for name, phrasing in phrasings.items():
            scenes = [scene(kind, SEED + place, split=split, phrasing=phrasing) for place in range(count)]
            right[name] = [float(ok) for ok in exact(model, [item(codes, one) for one in scenes], pad=codes.pad)]
            cells[name] = mean(right[name])
            if phrasing == "train":
                rare = [ok for ok, one in zip(right[name], scenes, strict=True) if _held_out(one.question)]
                cells["held-out values"] = mean(rare)
        cells["new less seen"] = difference(right["new phrasing"], right["seen phrasing"])
        rows.append(Row(kind, cells))
    columns = (*phrasings, "new less seen", "held-out values", "bar")
    return Table("With the conversation in context", columns, tuple(rows), plot="seen phrasing")


def _held_out(asked: Question) -> bool:
    slot = SLOTS[asked.key.slot]
    return asked.value is not None and is_held_out(slot.name, slot.pool, asked.value)


def without_context(model: Any, codes: Coder, *, count: int, split: Split = "test") -> Table:
    """What it does when it cannot know: chance between right and wrong, abstention, and nonsense told from sense."""
    pairs = [pair(SEED + place, split=split, phrasing="train") for place in range(count)]
    chosen = _beats(
        log_likelihoods(model, [_claimed(codes, one) for one, _ in pairs], pad=codes.pad),
        log_likelihoods(model, [_claimed(codes, one) for _, one in pairs], pad=codes.pad),
    )
    asked = [scene("open", SEED + place, split=split, phrasing="train").question for place in range(count)]
    unknown = [question(codes, one.text, one.answer.removesuffix(f"{one.value}.") + f"{UNKNOWN}.") for one in asked]
    abstained = exact(model, unknown, pad=codes.pad)
    drifts = [interaction_pair(SEED + place, split=split) for place in range(count)]
    told, nonsense = (
        log_likelihoods(model, [(codes.after(cue), codes.answer(text)) for cue, text in one], pad=codes.pad)
        for one in zip(*drifts, strict=True)
    )
    return Table(
        "Without it",
        ("share", "bar"),
        (
            Row("chooses the right yes/no question of two", {"share": mean(chosen), "bar": ".45 to .55"}),
            Row("abstains from an open question", {"share": mean([float(one) for one in abstained]), "bar": "0.95"}),
            Row("finds a fact likelier than nonsense", {"share": mean(_beats(told, nonsense))}),
        ),
    )


def _claimed(codes: Coder, one: Question) -> Item:
    """A yes/no question with the answer that says yes to the value that it names."""
    return question(codes, one.text, answer(one.key, one.asked, verdict="yes"))


def _beats(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [float(mine > other) for mine, other in zip(ours, theirs, strict=True)]
