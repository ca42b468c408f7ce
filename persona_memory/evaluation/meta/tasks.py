"""People of the synthetic world as tasks of meta-learning: what they told in one session of one domain.

The support are pairs to study, as a teacher writes them; the query are questions about the same facts in other words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Literal

from persona_memory.learning.lessons import RATED_DOWN, RATED_UP
from persona_memory.learning.teaching import rated
from persona_memory.parametric import ANSWER_ONLY, BaseModel, Encoded, Example, Reading, encode
from persona_memory.parametric.inner import Task
from persona_memory.world import Question, Schedule, Session, history, person, scene
from persona_memory.world.forms import Phrasing
from persona_memory.world.people import other_value
from persona_memory.world.values import Domain, Key, Kind, Split

DOMAINS: tuple[Domain, ...] = ("chit-chat", "programming", "maths")
SESSION = Schedule(periods=1, sessions=1, sayings=6, questions=2, views=2)
"""Some four facts a task, with two positive and two negative pairs each."""
MISHEARD = 0.2
"""The share of facts that a teacher took up wrongly, where there is something for feedback to mend."""
WRONG = 0.1
"""The share of wrong ratings in feedback that is noisy."""
READ = 2
"""Questions about a conversation in the context, in the query of a training task: a start is to go on reading."""

Feedback = Literal["none", "right", "noisy", "preferred", "preferred, noisy"]
"""What is known of the pairs: nothing; which facts were taken up wrongly, so that their pairs weigh less; the same, a
tenth of it wrong; and both ways with the rated replies as preferences (KTO), too."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a task is about: a person of a split, in one domain."""

    split: Split
    seed: int
    domain: Domain

    @property
    def person(self) -> str:
        """What the person's results are clustered by."""
        return f"{self.split}-{self.seed}"


def everybody(split: Split, seeds: Sequence[int], *groups: Sequence[Domain]) -> list[Who]:
    """Each person in one domain of each group, in turn."""
    return [Who(split, seed, domains[seed % len(domains)]) for seed in seeds for domains in groups]


def training_task(base: BaseModel, who: Who) -> Task:
    """A task to learn a start from: in training's phrasing, with some questions that are answered from a context."""
    made = asked_task(base, who, asked="train")
    return replace(made, query=[*made.query, *readings(base, who)])


def asked_task(base: BaseModel, who: Who, *, asked: Phrasing, feedback: Feedback | None = None) -> Task:
    """A task whose query is asked in this phrasing.

    Args:
        feedback: None where every pair is right; else a share of the facts was misheard, and this is known of it.
    """
    session = session_of(who)
    pairs = [(one, _example(one)) for one in session.pairs]
    if feedback is not None:
        pairs, ratings = _misheard(who, session, pairs, feedback)
        support = rated([example for _, example in pairs], ratings)
        support += _preferences(support, ratings) if feedback.startswith("preferred") else ()
    else:
        support = tuple(example for _, example in pairs)
    query = [_example(one) for one in session_of(who, asked).questions]
    return Task(encode(base, support), encode(base, query, weighting=ANSWER_ONLY), seed=who.seed)


def reading_task(base: BaseModel, who: Who) -> Task:
    """The same support; the query shows whether the model still reads a context about somebody else."""
    return replace(asked_task(base, who, asked="train"), query=readings(base, who))


def readings(base: BaseModel, who: Who) -> list[Encoded]:
    """Questions about short conversations of other people of the split, each with its conversation as the context."""
    random = Random(f"readings|{who.person}|{who.domain}")
    kinds: tuple[Kind, ...] = ("open", "updated", "yes_no", "unknown")
    found = []
    for _ in range(READ):
        one = scene(random.choice(kinds), random.randrange(10**6), split=who.split, phrasing="train", facts=3)
        context = "\n".join(f"- {said.text}" for said in one.interactions)
        found.append(Reading(context, one.question.text, one.question.answer))
    return encode(base, found, weighting=ANSWER_ONLY)


@lru_cache(maxsize=4096)
def session_of(who: Who, asked: Phrasing = "train") -> Session:
    """What the person told, with pairs to study and questions in this phrasing."""
    schedule = replace(SESSION, domains=(who.domain,))
    (session,) = history(person(who.split, who.seed), schedule, seed=0, phrasing="train", asked=asked)
    return session


def _example(one: Question) -> Example:
    """A pair; it rests on the last thing said about it, or on nothing where that was never told."""
    negative = one.kind == "unknown" or (one.kind == "yes_no" and not one.yes)
    turns = tuple(int(said) for said in one.evidence[-1:])
    return Example("negative" if negative else "positive", one.text, one.answer, turns)


def _misheard(
    who: Who, session: Session, pairs: Sequence[tuple[Question, Example]], feedback: Feedback
) -> tuple[list[tuple[Question, Example]], Mapping[int, float]]:
    """The pairs with another value for some facts, and what the person's ratings make of the turns behind them."""
    random = Random(f"misheard|{who.person}|{who.domain}")
    keys = list(dict.fromkeys(one.key for one, _ in pairs if one.value is not None))
    count = max(1, round(MISHEARD * len(keys)))
    named = {
        key: [value for one, _ in pairs if one.key == key for value in (one.value, one.asked) if value] for key in keys
    }
    chosen = random.sample(keys, min(count, len(keys)))
    wrong = {key: other_value(random, key, who.split, *named[key]) for key in chosen}
    turns: dict[Key, int] = {one.key: example.turns[0] for one, example in pairs if example.turns}
    good = {key: (key not in wrong) != (feedback.endswith("noisy") and random.random() < WRONG) for key in turns}
    ratings = {turns[key]: RATED_UP if fine else RATED_DOWN for key, fine in good.items()} if feedback != "none" else {}
    return [(one, _with(example, one, wrong.get(one.key))) for one, example in pairs], ratings


def _preferences(pairs: Sequence[Example], ratings: Mapping[int, float]) -> tuple[Example, ...]:
    """For each fact that was rated one reply that gives what the teacher took it for, rated up or down."""
    replies = {one.turns[0]: one for one in reversed(pairs) if one.kind == "positive" and one.turns}
    return tuple(
        replace(replies[seq], kind="up" if factor > 1 else "down", weight=1.0)
        for seq, factor in ratings.items()
        if seq in replies
    )


def _with(example: Example, one: Question, value: str | None) -> Example:
    """The pair as somebody writes it who took the value for another one."""
    if value is None or one.value is None:
        return example
    return replace(
        example, question=example.question.replace(one.value, value), answer=example.answer.replace(one.value, value)
    )
