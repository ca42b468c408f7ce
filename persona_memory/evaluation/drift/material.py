"""What a person of the synthetic world says period by period, as a model reads it, and what is asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from persona_memory import world
from persona_memory.adapters import Interaction
from persona_memory.parametric import BaseModel, Encoded, Example, Weighting, encode
from persona_memory.parametric import said as read_as_said
from persona_memory.world.forms import Phrasing
from persona_memory.world.people import other_value
from persona_memory.world.speech import answer, say
from persona_memory.world.values import Key, Label, Split

ANSWERS = Weighting(question=0.0, answer=1.0, rest=0.0)
"""Answers count as much as what the person says: both are learnt."""

RATED, WRONG = 0.5, 0.1
"""The share of remarks for which the person rates a reply that gives what they state, and of wrong ratings."""

READINGS, FACTS_READ = 24, 2
"""Scenes of training people that keep reading alive while adapters are trained, and facts in each."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Something that the person said.

    Attributes:
        told: with what the assistant had said before; `seq` counts the person's remarks from 0.
        read: the words as they are scored.
        pair: what a teacher writes of it before anything is selected: the value asked for; nothing of noise.
        heard: the same after the words.
        lesson: what is trained where it is selected: the words themselves and pairs about what they state, once-only
            exceptions included: a selector has to leave them out, not the teacher.
        rated: a reply with the value that it states, where the person rated one before the period's end: up where that
            holds, down where it was so once only; a tenth of them the other way.
    """

    told: Interaction
    label: Label
    period: int
    day: int
    key: Key | None
    value: str | None
    read: Encoded
    pair: tuple[Encoded, ...]
    heard: tuple[Encoded, ...]
    lesson: tuple[Encoded, ...]
    rated: tuple[Encoded, ...] = ()

    @property
    def tokens(self) -> int:
        """Of the lesson: what it counts in the quota."""
        return sum(map(len, self.lesson))


@dataclass(frozen=True, slots=True)
class Fact:
    """What is true of the person: since which period it was known, and since which it is so."""

    key: Key
    value: str
    told: int
    changed: int
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A lasting shift or a one-off: a question with the answer that it gives and the one that held before."""

    label: Label
    period: int
    until: int
    now: Encoded
    before: Encoded


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """One person.

    Attributes:
        said: by period, in order.
        facts: what is true after the last period.
        questions, replies: for each of the facts a question in the split's own phrasing, and its answer.
        asked: the same as the model reads them.
        changes: what shifted, or was so once only, in periods after the first.
    """

    id: str
    said: tuple[tuple[Said, ...], ...]
    facts: tuple[Fact, ...]
    questions: tuple[str, ...]
    replies: tuple[str, ...]
    asked: tuple[Encoded, ...]
    changes: tuple[Change, ...]

    @property
    def first(self) -> list[int]:
        """Places of the facts that were told in the first period and have held since."""
        return [place for place, fact in enumerate(self.facts) if fact.changed == 0]


def material(base: BaseModel, split: Split, number: int, schedule: world.Schedule, *, seed: int) -> Material:
    """The person of this split and number with a history of this seed, through the base's template."""
    someone = world.person(split, number)
    sessions = world.history(someone, schedule, seed=seed)
    random, rates = Random(f"drift|{someone.id}|{seed}"), Random(f"ratings|{someone.id}|{seed}")
    said: list[list[Said]] = [[] for _ in range(schedule.periods)]
    true: dict[Key, Fact] = {}
    changes: list[tuple[Label, int, Key, str, str]] = []
    for session in sessions:
        for one in session.interactions:
            told, period, key = Interaction(int(one.id), one.cue, one.text), session.period, one.key
            pairs = [] if key is None or one.value is None else list(_pairs(random, key, one.value, split))
            lesson = (read_as_said(base, told), *encode(base, pairs, weighting=ANSWERS))
            day = session.on.toordinal()
            heard = tuple(beside_notes(base, pair.question, pair.answer, [one.text]) for pair in pairs[:1])
            rated = encode(base, _rated(rates, pairs[0], one.label) if pairs else ())
            said[period].append(
                Said(told, one.label, period, day, key, one.value, lesson[0], lesson[1:2], heard, lesson, tuple(rated))
            )
            if key is None or one.value is None:
                continue
            if period and one.label in ("shift", "one_off"):
                changes.append((one.label, period, key, one.value, true[key].value))
            if one.label == "new":
                true[key] = Fact(key, one.value, period, period, told.seq)
            elif one.label == "shift":
                true[key] = Fact(key, one.value, true[key].told, period, told.seq)
    facts = tuple(true.values())
    questions = tuple(say(random, split, "open", fact.key) for fact in facts)
    replies = tuple(answer(fact.key, fact.value) for fact in facts)
    asked = encode(base, map(_example, questions, replies), weighting=ANSWERS)
    periods = tuple(map(tuple, said))
    return Material(
        someone.id, periods, facts, questions, replies, tuple(asked), tuple(_changes(base, changes, random, split))
    )


def _pairs(random: Random, key: Key, value: str, split: Split) -> Iterator[Example]:
    for _ in range(2):
        yield _example(say(random, "train", "open", key), answer(key, value))
    yield _example(say(random, "train", "yes_no", key, value), answer(key, value, verdict="yes"))
    wrong = other_value(random, key, split, value)
    yield _example(say(random, "train", "yes_no", key, wrong), answer(key, value, verdict="no"))


def _rated(random: Random, pair: Example, label: Label) -> Iterator[Example]:
    if random.random() < RATED:
        good = (label != "one_off") != (random.random() < WRONG)
        yield replace(pair, kind="up" if good else "down")


def _example(question: str, reply: str) -> Example:
    return Example("positive", question, reply, ())


def _changes(
    base: BaseModel, changes: Sequence[tuple[Label, int, Key, str, str]], random: Random, phrasing: Phrasing
) -> Iterator[Change]:
    for place, (label, period, key, value, old) in enumerate(changes):
        later = (at for name, at, other, *_ in changes[place + 1 :] if other == key and name == "shift")
        question = say(random, phrasing, "open", key)
        pairs = [_example(question, answer(key, one)) for one in (value, old)]
        now, before = encode(base, pairs, weighting=ANSWERS)
        yield Change(label, period, next(later, 1 << 30), now, before)


def true_after(one: Material, period: int) -> list[Said]:
    """The remarks that last said what is true after this period, one for each fact."""
    said = (each for some in one.said[: period + 1] for each in some)
    return list({each.key: each for each in said if each.label in ("new", "shift")}.values())


def readings(base: BaseModel, *, seed: int) -> list[Encoded]:
    """Questions of all kinds about training people with what was said before them: answers are held near the base's."""
    kinds = world.KINDS
    scenes = [
        world.scene(
            kinds[place % len(kinds)], seed * READINGS + place, split="train", phrasing="train", facts=FACTS_READ
        )
        for place in range(READINGS)
    ]
    return [_reading(base, one) for one in scenes]


def _reading(base: BaseModel, scene: world.Scene) -> Encoded:
    messages = [*(one.plain() for one in scene.messages), {"role": "assistant", "content": scene.question.answer}]
    ids, mask = base.assistant_tokens(messages)
    begin = len(base.encode(messages[:-1]))
    answered = [inside and place >= begin for place, inside in enumerate(mask)]
    places = tuple(place for place, inside in enumerate(answered) if inside)
    return Encoded(tuple(ids), tuple(map(float, answered)), places, near_base=True)


def beside_notes(base: BaseModel, question: str, reply: str, notes: Sequence[str]) -> Encoded:
    """A question with remarks as the lines of a system message, and its answer, which counts."""
    shown = "\n".join(f"- {note}" for note in notes)
    return encode(base, [_example(question, reply)], weighting=ANSWERS, system=shown)[0]
