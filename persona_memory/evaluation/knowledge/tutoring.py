"""Turns to mastery: a simulated tutor picks the next topic, and the student works on it, until all is mastered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from persona_memory.evaluation.knowledge import wordings as say
from persona_memory.evaluation.knowledge.lessons import (
    BEGIN,
    BETWEEN,
    Line,
    despair_or_claim,
    exercise,
    explanation,
    request,
)
from persona_memory.evaluation.knowledge.playing import found, opened, shown, tell
from persona_memory.evaluation.knowledge.readers import OURS
from persona_memory.evaluation.knowledge.students import MASTERED, Student, enrol
from persona_memory.evaluation.settings import Settings
from persona_memory.knowledge import fold_topics
from persona_memory.knowledge.topics import BEYOND_A_SLIP
from persona_memory.types import Topic, TopicEvidence, TopicStatus

BY_CHANCE, IN_TURN, ORACLE = "at random", "round-robin", "by the hidden mastery"
FAULTLESS, GAPS_FIRST = "ours, evidence read without fault", "gaps first, evidence read without fault"
COURSE: Final = 5
"""Topics that are to be mastered."""
LONGEST: Final = 60
"""Turns after which the tutor gives up; who has not mastered all by then counts with this many."""
HALF_WAY: Final = 20
A_DAY: Final = 5
"""Turns a day, on every other day."""
URGENT: Final[Mapping[TopicStatus, int]] = {"gap": 0, "learning": 1, "discussed": 2, "unseen": 3, "familiar": 4}


@dataclass(frozen=True, slots=True)
class Taught:
    """One student with one tutor.

    Attributes:
        turns: until all topics were mastered at the same time, at most `LONGEST`.
        reached: whether they were.
        half_way: topics that were mastered after `HALF_WAY` turns, as a share.
    """

    user_id: str
    turns: int
    reached: bool
    half_way: float


Pick = Callable[[int, datetime], str]
"""The topic of the turn of this number, which begins at this moment."""


def teach(settings: Settings, number: int, seed: int, tutor: str) -> dict[str, Any]:
    """The student of this number with this tutor, as `Taught` in JSON values."""
    student, random = enrol(number, seed=seed), Random(f"course {seed} {number}")
    course = sorted(random.sample(sorted(student.skills), COURSE))
    random.shuffle(course)
    if tutor == OURS:
        return asdict(_by_our_map(settings, student, course, random))
    heard: list[TopicEvidence] = []

    def hear(lines: Sequence[Line], at: datetime) -> None:
        heard.extend(shown(lines, at=at, after=len(heard)))

    pick = _picks(tutor, student, course, heard, Random(f"tutor {seed} {number}"))
    return asdict(_taught(student, course, pick, hear, random))


def _by_our_map(settings: Settings, student: Student, course: Sequence[str], random: Random) -> Taught:
    """With the map of a memory that hears every turn as soon as it is over."""
    with opened(settings) as (memory, clock):

        def known(now: datetime) -> dict[str, Topic]:
            return found(memory.knowledge(user_id=student.user_id, now=now).topics, course)

        def hear(lines: Sequence[Line], at: datetime) -> None:
            clock.now = at
            tell(memory, clock, lines, user_id=student.user_id, thread_id=at.isoformat())

        return _taught(student, course, ByMap(course, known), hear, random)


class ByMap:
    """A tutor with a map: in turn, but what is known beyond a slip comes last; or what the map calls most urgent.

    Args:
        known: the map at a moment.
        gaps_first: by status, of several alike the one that is known least.
    """

    def __init__(
        self, course: Sequence[str], known: Callable[[datetime], Mapping[str, Topic]], *, gaps_first: bool = False
    ) -> None:
        self._known, self._gaps_first = known, gaps_first
        self._last = {topic: place - len(course) for place, topic in enumerate(course)}

    def __call__(self, turn: int, now: datetime) -> str:
        """The topic to work on next."""
        known = self._known(now)
        topic = min(self._last, key=lambda one: self._urgency(one, known.get(one)))
        self._last[topic] = turn
        return topic

    def _urgency(self, name: str, topic: Topic | None) -> tuple[float, float]:
        at_hand = 0.0 if topic is None else topic.p_known * (topic.retrievability or 1.0)
        if self._gaps_first:
            return URGENT["unseen" if topic is None else topic.status], at_hand
        return at_hand >= BEYOND_A_SLIP, self._last[name]


def _picks(tutor: str, student: Student, course: Sequence[str], heard: Sequence[TopicEvidence], random: Random) -> Pick:
    """The tutors without a memory."""
    if tutor == BY_CHANCE:
        return lambda turn, now: random.choice(course)
    if tutor == IN_TURN:
        return lambda turn, now: course[turn % len(course)]
    if tutor in (FAULTLESS, GAPS_FIRST):
        return ByMap(
            course, lambda now: {one.name: one for one in fold_topics(heard, now=now)}, gaps_first=tutor == GAPS_FIRST
        )
    return lambda turn, now: min(course, key=lambda topic: student.skills[topic].mastery(now))


def _taught(
    student: Student,
    course: Sequence[str],
    pick: Pick,
    hear: Callable[[Sequence[Line], datetime], None],
    random: Random,
) -> Taught:
    """Turn by turn: the tutor picks, explains and sets an exercise, the student answers, and what was said is heard."""
    half_way = 0.0
    for turn in range(LONGEST):
        day, place = divmod(turn, A_DAY)
        at = BEGIN + timedelta(days=2 * day) + 10 * place * BETWEEN
        topic = pick(turn, at)
        hear(_turn(student, topic, at, random), at)
        mastered = [student.skills[one].mastery(at) >= MASTERED for one in course]
        if turn + 1 <= HALF_WAY:
            half_way = sum(mastered) / len(course)
        if all(mastered):
            return Taught(student.user_id, turn + 1, True, half_way)
    return Taught(student.user_id, LONGEST, False, half_way)


def _turn(student: Student, topic: str, at: datetime, random: Random) -> list[Line]:
    """One topic: it is set, taken up, tried and marked; what went wrong is explained."""
    lines = [
        Line("user", random.choice(say.NEXT)),
        Line("assistant", f"Let's look at {topic}."),
        request(topic, random),
    ]
    lines += exercise(student, topic, at, random)
    if lines[-1].kind == "wrong":
        lines.append(explanation(student, topic, at, random))
    lines += despair_or_claim(student, topic, at, random)
    return lines
