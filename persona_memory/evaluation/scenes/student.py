"""A student: topics of programming or maths not understood at first, then practised, in the end mastered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal

from persona_memory.evaluation.people.oracle import Topics
from persona_memory.evaluation.scenes.chitchat import answer_labels, answers_of
from persona_memory.evaluation.scenes.script import SESSIONS, Conversation, Course, Line, Need, Scene
from persona_memory.types import EvidenceKind

Subject = Literal["programming", "maths"]

TOPICS: dict[Subject, tuple[str, ...]] = {
    "programming": (
        "recursion", "list comprehensions", "pointers", "inheritance", "regular expressions", "binary search",
        "unit testing", "closures", "hash tables", "async functions",
    ),
    "maths": (
        "fractions", "quadratic equations", "derivatives", "logarithms", "matrix multiplication", "probability trees",
        "integration by parts", "long division", "vectors", "the chain rule",
    ),
}  # fmt: skip
LOST = ("I don't understand {t} at all.", "I'm completely lost with {t}.", "{T}: I just don't get it.")
ASKING = (
    "Can you explain {t} to me?",
    "Could you walk me through {t} step by step?",
    "I have to revise {t}, help me please.",
)
WRONG = (
    "I got the homework on {t} wrong again.",
    "I failed the quiz on {t}.",
    "My answers about {t} were all wrong today.",
)
RIGHT = (
    "I solved every exercise on {t} today!",
    "I got the question about {t} right.",
    "My solution for {t} was correct this time.",
)
SURE = ("I understand {t} now.", "I think I've finally got the hang of {t}.", "{T}? I know that now.")
SHOWN: dict[EvidenceKind, tuple[str, ...]] = {
    "confused": LOST, "asked": ASKING, "wrong": WRONG, "correct": RIGHT, "claimed": SURE,
}  # fmt: skip
PRACTISE = "Give me an exercise on {t} that fits where I stand."
NOTES = "What did I find hard about {t}?"
SMALL_TALK = ("Hi, let's get started.", "School was long today.", "Thanks, that helped!", "Okay, see you next time.")

TOPICS_EACH = 4
STEPS = 4
"""Sessions from "I don't get it" to "I understand": lost, practising, right, sure."""
BEGIN = datetime(2025, 9, 1, 16, 0, tzinfo=UTC)
EVERY = timedelta(days=3)


def student(count: int, subject: Subject, *, seed: int = 0) -> list[Scene]:
    """`count` students of the subject; each works on four topics, one begun after the other."""
    return [_scene(number, subject, Random(f"student {subject} {seed} {number}")) for number in range(count)]


def _scene(number: int, subject: Subject, random: Random) -> Scene:
    topics = random.sample(TOPICS[subject], TOPICS_EACH)
    begun = dict(zip(topics, sorted(random.sample(range(1, SESSIONS - STEPS + 2), TOPICS_EACH)), strict=True))
    sessions = range(1, SESSIONS + 1)
    conversations = tuple(_conversation(session, begun, random) for session in sessions)
    courses = tuple(Course(topic, first, first + STEPS - 1) for topic, first in begun.items())
    answers = answers_of({}, random)
    shown: Topics = {
        _say(template, topic): (topic, kind) for topic in begun for kind, all_ in SHOWN.items() for template in all_
    }
    return Scene(
        f"{subject}-{number}", subject, conversations, answers, courses, labels=answer_labels(answers), topics=shown
    )


def _conversation(session: int, begun: dict[str, int], random: Random) -> Conversation:
    lines = [Line(random.choice(SMALL_TALK[:2]))]
    for topic, first in begun.items():
        step = session - first
        if 0 <= step < STEPS:
            lines += [Line(_said(random, template, topic)) for template in _step(step)]
        if step == 1:
            lines.append(Line(_say(PRACTISE, topic), Need((topic,), (), first)))
        if step >= STEPS and session == SESSIONS:
            lines.append(Line(_say(NOTES, topic), Need((topic,), (), first + STEPS - 1)))
    lines.append(Line(random.choice(SMALL_TALK[2:])))
    return Conversation(session, BEGIN + (session - 1) * EVERY, tuple(lines))


def _step(step: int) -> tuple[tuple[str, ...], ...]:
    return ((LOST, ASKING), (ASKING, WRONG), (RIGHT,), (RIGHT, SURE))[step]


def _said(random: Random, templates: tuple[str, ...], topic: str) -> str:
    return _say(random.choice(templates), topic)


def _say(template: str, topic: str) -> str:
    return template.format(t=topic, T=topic[:1].upper() + topic[1:])
