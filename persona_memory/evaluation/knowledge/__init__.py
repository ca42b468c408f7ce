"""T5, the world's part: both maps of the knowledge state against students whose truth is known at every moment.

    persona-memory eval knowledge

Simulated students of programming and maths talk through a real memory; each map is read online, after every session,
never looking ahead. Needs no data and no model; with --model the model learns in place of the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from persona_memory.evaluation.knowledge import tables
from persona_memory.evaluation.knowledge.playing import AT_RANDOM, BY_MAP, IN_ORDER, NEVER, Played, play, played_from
from persona_memory.evaluation.knowledge.readers import OURS, READ, SHOWN
from persona_memory.evaluation.knowledge.tutoring import (
    BY_CHANCE,
    FAULTLESS,
    GAPS_FIRST,
    IN_TURN,
    ORACLE,
    Taught,
    teach,
)
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings

ASKING = (NEVER, AT_RANDOM, IN_ORDER, BY_MAP)
TUTORS = (BY_CHANCE, IN_TURN, OURS, FAULTLESS, GAPS_FIRST, ORACLE)


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run: students, half of each domain, for every seed."""

    people: int = 40
    seeds: int = 3


QUICK = Plan(people=6, seeds=1)
QUICK_PART = f"first {QUICK.people} students"


def run(settings: Settings) -> Report:
    """Topic statuses, probabilities, questions about the person, and turns to mastery."""
    return measure(settings, QUICK if settings.quick else Plan())


def measure(settings: Settings, plan: Plan) -> Report:
    """The same, of this size."""
    people = [(number, settings.seed + seed) for seed in range(plan.seeds) for number in range(plan.people)]
    played: dict[str, list[Played]] = {asking: [] for asking in ASKING}
    taught: dict[str, list[Taught]] = {tutor: [] for tutor in TUTORS}
    for number, seed in settings.watch.track(people, "students", total=len(people)):
        for asking in ASKING:
            told = partial(play, settings, number, seed, asking)
            played[asking].append(played_from(settings.checkpoint.get(f"{asking} {seed} {number}", told)))
        for tutor in TUTORS:
            course = partial(teach, settings, number, seed, tutor)
            taught[tutor].append(Taught(**settings.checkpoint.get(f"tutor {tutor} {seed} {number}", course)))
    talked, seed = played[NEVER], settings.seed
    made = (
        *(tables.statuses(talked, source, seed) for source in (READ, SHOWN)),
        tables.parts(talked, seed),
        tables.readings(talked),
        *(tables.probabilities(talked, source) for source in (READ, SHOWN)),
        tables.profile(played, seed),
        tables.mastery(taught, seed),
    )
    title = "What a student knows, and what is unknown about them (T5)"
    return Report("knowledge", title, made, tables.notes(len(people), settings))
