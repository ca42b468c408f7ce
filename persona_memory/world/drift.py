"""A person's history: dated sessions over several periods, in which some of what is true changes by a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from persona_memory.world.forms import Phrasing
from persona_memory.world.people import BEGIN
from persona_memory.world.questions import KINDS, ask, study
from persona_memory.world.slots import SLOTS
from persona_memory.world.telling import Telling
from persona_memory.world.values import Domain, Interaction, Key, Kind, Label, Person, Question

FIRST: Mapping[Label, float] = {"new": 0.8, "repeat": 0.05, "one_off": 0.05, "noise": 0.1}
LATER: Mapping[Label, float] = {"new": 0.3, "repeat": 0.25, "shift": 0.2, "one_off": 0.1, "noise": 0.15}
CALM: Mapping[Label, float] = {"repeat": 0.6, "one_off": 0.1, "noise": 0.3}
"""What is said in the first period, in later ones, and in one without drift, by how often."""
LASTING: frozenset[Label] = frozenset({"new", "repeat", "shift"})
"""What an adapter is to learn: a one-off is over tomorrow."""
DRIFTS: frozenset[Label] = frozenset({"new", "shift"})
"""What an adapter does not know yet."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a history is and what it is made of.

    Attributes:
        periods: each of `sessions` sessions with `sayings` interactions, spread evenly over `days`.
        calm: the periods, from 0, in which nothing new is said and nothing changes.
        questions: how many of each kind are asked after a session, where that many can be.
        views: how many positive and as many negative pairs to study there are for each fact that a session is about.
        domains: what the person talks about: leave one out to hold it out for meta-learning.
        drift: the share of what is said in later periods that is new or a shift, in `LATER`'s proportion.
    """

    periods: int = 5
    sessions: int = 4
    sayings: int = 10
    days: int = 30
    calm: frozenset[int] = frozenset({2})
    questions: int = 2
    views: int = 3
    domains: tuple[Domain, ...] = ("chit-chat", "programming", "maths")
    drift: float = 0.5

    def labels(self, period: int) -> Mapping[Label, float]:
        """What is said in a period, by how often."""
        if period in self.calm or not period:
            return CALM if period in self.calm else FIRST
        drifts = sum(LATER[label] for label in DRIFTS)
        scale = {True: self.drift / drifts, False: (1 - self.drift) / (1 - drifts)}
        return {label: often * scale[label in DRIFTS] for label, often in LATER.items()}


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation of a day, and what can be asked after it: answers are true of that day.

    Attributes:
        pairs: question/answer pairs about what this session was about, to be studied; `questions` are about all so far.
    """

    number: int
    period: int
    on: date
    interactions: tuple[Interaction, ...]
    questions: tuple[Question, ...]
    pairs: tuple[Question, ...]


def history(
    person: Person,
    schedule: Schedule,
    *,
    seed: int,
    phrasing: Phrasing = "train",
    asked: Phrasing | None = None,
    studied: Phrasing | None = None,
) -> tuple[Session, ...]:
    """The person's sessions in order; the same for the same seed.

    Args:
        asked: the phrasing of the questions; None for that of what is said.
        studied: the phrasing of the pairs to study; None for that of what is said.
    """
    random = Random(f"history|{person.id}|{seed}")
    telling = Telling(person, random, phrasing, keys=keys_of(person, schedule.domains))
    sessions = []
    for number in range(schedule.periods * schedule.sessions):
        period = number // schedule.sessions
        on = BEGIN + timedelta(days=number * schedule.days // schedule.sessions)
        telling.begin_session(number, on)
        said = _sayings(telling, schedule, period)
        questions = _questions(telling, schedule.questions, Random(f"asked|{person.id}|{seed}|{number}"), asked)
        lasting = dict.fromkeys(one.key for one in said if one.key is not None and one.label in LASTING)
        drawing = Random(f"study|{person.id}|{seed}|{number}")
        pairs = study(telling, lasting, drawing, views=schedule.views, phrasing=studied)
        sessions.append(Session(number, period, on, said, questions, pairs))
    return tuple(sessions)


def keys_of(person: Person, domains: tuple[Domain, ...]) -> tuple[Key, ...]:
    """What the person has facts about in these domains."""
    return tuple(fact.key for fact in person.facts if SLOTS[fact.key.slot].domain in domains)


def _sayings(telling: Telling, schedule: Schedule, period: int) -> tuple[Interaction, ...]:
    labels = schedule.labels(period)
    before, wanted = len(telling.interactions), schedule.sayings
    for label in telling.random.choices(tuple(labels), tuple(labels.values()), k=50 * wanted):
        if len(telling.interactions) - before == wanted:
            break
        telling.tell(label)
    return tuple(telling.interactions[before:])


def _questions(telling: Telling, each: int, random: Random, phrasing: Phrasing | None) -> tuple[Question, ...]:
    kinds: list[Kind] = [kind for kind in KINDS for _ in range(each)]
    asked = [ask(telling, kind, random, phrasing=phrasing) for kind in kinds]
    return tuple(dict.fromkeys(question for question in asked if question is not None))
