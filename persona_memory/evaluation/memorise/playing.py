"""Training the adapters of a group of people, and asking them: what came out, as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from persona_memory.adapters import LoraSpec
from persona_memory.budget import counter_for
from persona_memory.evaluation.memorise.answering import Item, exact, item, mixed
from persona_memory.evaluation.memorise.arms import CHOSEN, Arm, Study
from persona_memory.evaluation.memorise.material import Asked, Library, Read, Told, by_session, current
from persona_memory.parametric import (
    BaseModel,
    Example,
    Lesson,
    Reading,
    Slots,
    Trained,
    Weights,
    attach,
    distilled,
    encode,
    fresh,
    target_shapes,
    train_together,
)  # fmt: skip
from persona_memory.parametric.slots import BASE
from persona_memory.parametric.studying import as_reading
from persona_memory.parametric.synthetic import readings
from persona_memory.world import Key, Message

Chosen = dict[str, int]
"""By `Arm.choice`, the k that was best on development people."""


# ── training ────────────────────────────────────────────────────────────────────────────────────────────────────────


def studied(
    base: BaseModel,
    people: Sequence[Told],
    study: Study,
    *,
    seed: int,
    without: Sequence[frozenset[Key]] = (),
) -> tuple[list[Weights], dict[str, float]]:
    """The people's adapters, and what one of them cost: "tokens" that were trained, and "seconds" of the processor.

    Args:
        without: for each person, what was forgotten, of those that are not streamed.
    """
    begun, read = time.process_time(), readings(study.readings, seed=seed)
    lessons = [_lessons(one, study, without[place] if without else frozenset()) for place, one in enumerate(people)]
    weights: list[Weights | None] = [None for _ in people]
    tokens = 0.0
    for conversation in range(max(map(len, lessons))):
        group = [place for place, own in enumerate(lessons) if conversation < len(own) and own[conversation]]
        taught = [_lesson(base, people[at], lessons[at][conversation], read, study, weights[at], seed) for at in group]
        if taught:
            trained = train_together(base, taught, spec=study.spec, settings=study.settings)
            tokens += sum(_tokens(lesson, one, study) for lesson, one in zip(taught, trained, strict=True))
            for at, one in zip(group, trained, strict=True):
                weights[at] = one.weights
    cost = {"tokens": tokens / len(people), "seconds": (time.process_time() - begun) / len(people)}
    nothing = fresh(
        target_shapes(base.model, study.spec), study.spec.rank, seed=seed
    )  # of those with nothing to study: the base
    return [one or nothing for one in weights], cost


def _lessons(one: Told, study: Study, without: frozenset[Key]) -> list[list[Example]]:
    if study.streamed:
        return by_session(one, negatives=study.negatives)
    return [current(one, without=without, negatives=study.negatives)]


def _lesson(
    base: BaseModel, told: Told, own: Sequence[Example], read: Sequence[Reading], study: Study, start: Weights | None,
    seed: int,
) -> Lesson:  # fmt: skip
    asked = [one for one in own if one.kind != "update"]
    if study.distil:
        contexts = [told.remarks(one.turns) for one in asked]
        pairs = distilled(base, asked, contexts, k=study.distil, weighting=study.weighting)
    else:
        pairs = encode(base, asked, weighting=study.weighting)
    updates = [as_reading(one) for one in own if one.kind == "update"] if read else []
    return Lesson(pairs, encode(base, [*updates, *read]), start, seed)


def _tokens(lesson: Lesson, trained: Trained, study: Study) -> float:
    """Of the person's examples and of the readings beside them, over all epochs."""
    own = sum(map(len, lesson.examples))
    share = study.settings.readings / (1 - study.settings.readings) if lesson.readings else 0.0
    read = sum(map(len, lesson.readings)) / max(1, len(lesson.readings)) * share * len(lesson.examples)
    return len(trained.losses) * (own + read)


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(
    base: BaseModel, slots: Slots, slot: int, one: Told, arm: Arm, chosen: Chosen
) -> tuple[list[list[Any]], float]:
    """[kind, age, right] of each question, and how many tokens stand before a question on average."""
    library = Library(one)
    arm = replace(arm, k=chosen[arm.choice]) if arm.k == CHOSEN else arm
    alone = [item(base, (Message("user", each.text),), each.answer) for each in one.asked]
    beside = [_item(base, library, each, arm) for each in one.asked]
    with slots.routed((slot,)):
        right = mixed(base, alone, beside, lam=arm.lam) if arm.lam else exact(base, beside)
    more = sum(len(shown[0]) - len(bare[0]) for shown, bare in zip(beside, alone, strict=True)) / len(alone)
    return [[each.kind, each.age, ok] for each, ok in zip(one.asked, right, strict=True)], more


def _item(base: BaseModel, library: Library, each: Asked, arm: Arm) -> Item:
    """The question with what is shown before it; where that does not fit the window, with less of it."""
    if arm.budget:
        count = counter_for(base.tokenizer)
        whole = library.packed(each.text, arm.k, pairs=arm.shown == "pairs", budget=arm.budget, count=count)
        return item(base, (whole,), each.answer)
    for k in range(arm.k, -1, -1):
        shown: tuple[Message, ...] = ()
        if arm.shown == "oracle":
            shown = library.right(each)
        elif arm.shown == "conversations":
            shown = library.conversations(each.text, k)
        elif arm.shown == "pairs":
            shown = library.answered(each.text, k)
        found = item(base, (*shown, Message("user", each.text)), each.answer)
        if sum(map(len, found)) <= base.window:
            return found
    return item(base, (Message("user", each.text),), each.answer)


def read(base: BaseModel, slots: Slots, slot: int, contexts: Sequence[Read]) -> list[bool]:
    """Which of these contexts' questions are answered right."""
    with slots.routed((slot,)):
        return exact(base, [item(base, one.messages, one.answer) for one in contexts])


def play(
    base: BaseModel, people: Sequence[Told], arms: dict[str, Arm], study: Study | None, chosen: Chosen,
    *, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """What came out for each person of the arms that one adapter answers; without a study, the base.

    "asked": by arm, [kind, age, right] of each question; "shown": by arm, tokens before a question; "read": [kind,
    whether the base answers right, whether the adapter does] of each context; "cost".
    """
    weights, cost = studied(base, people, study, seed=seed) if study else ([], {})
    slots = attach(base.model, study.spec if study else LoraSpec(), size=max(1, len(weights)))
    try:
        for slot, one in enumerate(weights, start=1):
            slots.write(slot, one)
        return [
            _played(base, slots, slot if weights else BASE, one, arms, chosen, cost) for slot, one in _numbered(people)
        ]
    finally:
        slots.detach()


def _numbered(people: Sequence[Told]) -> Iterable[tuple[int, Told]]:
    return enumerate(people, start=1)


def _played(
    base: BaseModel, slots: Slots, slot: int, one: Told, arms: dict[str, Arm], chosen: Chosen, cost: dict[str, float]
) -> dict[str, Any]:
    found = {name: asked(base, slots, slot, one, arm, chosen) for name, arm in arms.items()}
    before = read(base, slots, BASE, one.read)
    after = read(base, slots, slot, one.read) if slot != BASE else before
    return {
        "id": one.id,
        "asked": {name: answers for name, (answers, _) in found.items()},
        "shown": {name: tokens for name, (_, tokens) in found.items()},
        "read": [[context.kind, *both] for context, *both in zip(one.read, before, after, strict=True)],
        "cost": cost,
    }
