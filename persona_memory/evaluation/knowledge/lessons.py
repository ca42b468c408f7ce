"""What a simulated student and an assistant say to each other over months, what it shows, and what is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Literal

from persona_memory.evaluation.knowledge import wordings as say
from persona_memory.evaluation.knowledge.students import MASTERED, Student, enrol
from persona_memory.types import EvidenceKind, TopicStatus

SESSIONS: Final = 10
PLANNED: Final = 6
"""Topics of twelve that come up at all, one begun after the other."""
TOLD: Final = 4
"""Facts of nine that the person tells without being asked."""
BEGIN: Final = datetime(2025, 9, 1, 18, 0, tzinfo=UTC)
BREAKS: Final = (30, 200, 400)
"""Days of the one long break; after more than 182 a goal, after more than 365 a place may be old."""
BETWEEN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One message; `kind` is what it truly shows of `topic`."""

    role: Literal["user", "assistant"]
    text: str
    topic: str | None = None
    kind: EvidenceKind | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What is true of every topic of the student's domain at a moment.

    Attributes:
        fresh: right after a session; else right before the next, days later.
    """

    at: datetime
    fresh: bool
    status: Mapping[str, TopicStatus]
    mastery: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Attributes:
        tried: by topic, whether the first exercise of the session was answered rightly.
        told: by profile field, what the person told of themselves.
    """

    at: datetime
    lines: tuple[Line, ...]
    before: Moment
    after: Moment
    tried: Mapping[str, bool]
    told: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class History:
    """A student's sessions, and what is true of them by profile field."""

    student: Student
    sessions: tuple[Session, ...]
    facts: Mapping[str, str]


def history(number: int, *, seed: int) -> History:
    """The student of this number over `SESSIONS` sessions, all of it fixed before any memory hears it."""
    student = enrol(number, seed=seed)
    random = Random(f"history {seed} {number}")
    planned = random.sample(sorted(student.skills), PLANNED)
    begun = {topic: place for place, topic in enumerate(planned)}
    facts = {fact.field: random.choice(fact.values) for fact in say.FACTS}
    told = {field: random.randrange(SESSIONS) for field in random.sample(sorted(facts), TOLD)}
    long, at, sessions = random.randrange(SESSIONS // 2, SESSIONS), BEGIN, []
    for place in range(SESSIONS):
        at += timedelta(days=random.choice(BREAKS) if place == long else random.randint(1, 9))
        open_topics = [topic for topic, first in begun.items() if first <= place + 1]
        topics = random.sample(open_topics, min(len(open_topics), random.randint(2, 3)))
        now_told = {field: facts[field] for field, when in told.items() if when == place}
        sessions.append(_session(student, topics, now_told, at, random))
    return History(student, tuple(sessions), facts)


def _session(student: Student, topics: list[str], told: Mapping[str, str], at: datetime, random: Random) -> Session:
    before = moment(student, at, fresh=False)
    lines = [_line("user", random, say.HELLO), _line("assistant", random, say.WELCOME)]
    for fact in say.FACTS:
        if fact.field in told:
            lines += [_line("user", random, fact.telling, v=told[fact.field]), _line("assistant", random, say.NOTED)]
    if random.random() < 0.3:
        field, templates = random.choice(list(say.OF_OTHERS.items()))
        value = random.choice(next(fact.values for fact in say.FACTS if fact.field == field))
        lines += [_line("user", random, templates, v=value), _line("assistant", random, say.NOTED)]
    tried: dict[str, bool] = {}
    for topic in topics:
        for line in visit(student, topic, at + len(lines) * BETWEEN, random):
            lines.append(line)
            if line.kind in ("correct", "wrong") and line.role == "assistant":
                tried.setdefault(topic, line.kind == "correct")
    lines += [_line("user", random, say.BYE), _line("assistant", random, say.FAREWELL)]
    return Session(at, tuple(lines), before, moment(student, at + len(lines) * BETWEEN, fresh=True), tried, dict(told))


def moment(student: Student, at: datetime, *, fresh: bool) -> Moment:
    """What is true of every topic at `at`."""
    return Moment(
        at,
        fresh,
        {topic: skill.status(at) for topic, skill in student.skills.items()},
        {topic: skill.mastery(at) for topic, skill in student.skills.items()},
    )


def visit(student: Student, topic: str, now: datetime, random: Random) -> Iterator[Line]:
    """What is said about a topic in one session; the student learns by it."""
    if not student.skills[topic].worked and random.random() < 0.4:
        student.hear_of(topic, worked=False)
        yield _line("user", random, say.RAISING, topic, "mentioned")
        yield _line("assistant", random, say.NOTED)
        return
    felt = student.feel(topic, now)
    student.hear_of(topic)
    if random.random() < 0.15:
        passed = student.answer(topic, now)
        yield _line("user", random, say.PASSED if passed else say.FAILED, topic, "correct" if passed else "wrong")
        yield _line("assistant", random, say.PRAISING if passed else say.CHEERING)
    if felt < 0.35 and random.random() < 0.6:
        yield _line("user", random, say.LOST, topic, "confused")
        yield _line("assistant", random, say.CHEERING)
    if random.random() < max(0.1, 0.9 - felt):
        yield _line("user", random, say.ASKING, topic, "asked")
        yield explanation(student, topic, now, random)
    exercises = random.choice((0, 1, 1, 2))
    for number in range(exercises):
        yield request(topic, random) if not number else _line("user", random, say.NEXT)
        yield from exercise(student, topic, now, random)
    if student.feel(topic, now) >= MASTERED and random.random() < 0.35:
        yield _line("user", random, say.CLAIMING, topic, "claimed")
        yield _line("assistant", random, say.PRAISING)


def exercise(student: Student, topic: str, now: datetime, random: Random) -> Iterator[Line]:
    """An exercise, the answer and the verdict on it."""
    right = student.answer(topic, now)
    yield _line("assistant", random, say.POSING, topic)
    yield _line("user", random, say.TRYING)
    yield _line("assistant", random, say.RIGHT if right else say.WRONG, topic, "correct" if right else "wrong")


def explanation(student: Student, topic: str, now: datetime, random: Random) -> Line:
    """The assistant explains the topic, and the student learns by it."""
    student.listen(topic, now)
    return _line("assistant", random, say.EXPLAINING, topic, "explained")


def request(topic: str, random: Random) -> Line:
    """The student takes up a topic that they were given."""
    return _line("user", random, say.PRACTISING, topic, "mentioned")


def despair_or_claim(student: Student, topic: str, now: datetime, random: Random) -> Iterator[Line]:
    """What the student sometimes says of themselves after an exercise."""
    felt = student.feel(topic, now)
    if felt < 0.35 and random.random() < 0.3:
        yield _line("user", random, say.LOST, topic, "confused")
    elif felt >= MASTERED and random.random() < 0.25:
        yield _line("user", random, say.CLAIMING, topic, "claimed")


def _line(
    role: Literal["user", "assistant"], random: Random, templates: tuple[str, ...], topic: str = "",
    kind: EvidenceKind | None = None, *, v: str = "",
) -> Line:  # fmt: skip
    text = random.choice(templates).format(t=topic, T=topic[:1].upper() + topic[1:], n=random.randint(2, 20), v=v)
    return Line(role, text, topic or None, kind)
