"""Simulated students whose knowledge of every topic is known at every moment: learning, slips, guesses, forgetting.

What is hidden is on purpose not what the library assumes: understanding is a share of a topic, where Bayesian knowledge
tracing has known and unknown, and it fades by half-lives (Settles & Meeder 2016), where FSRS has a power law.

    mastery(t) = level · 2^(−days since practice / half-life)
    p(right)   = mastery (1 − slip) + (1 − mastery) guess
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final, Literal

from persona_memory.types import TopicStatus
from persona_memory.world.pools import CLOSED

Domain = Literal["programming", "maths"]
TOPICS: Final[Mapping[Domain, tuple[str, ...]]] = {
    "programming": CLOSED["code_topic"],
    "maths": CLOSED["maths_topic"],
}
STATUSES: Final[tuple[TopicStatus, ...]] = ("unseen", "discussed", "learning", "familiar", "gap")
MASTERED: Final = 0.7
"""Mastery from which a topic is familiar."""
GAP: Final = 0.4
"""Understanding below which a topic that was worked on is a gap: more exercises would go wrong than right."""
FIRST_HALF_LIFE: Final = 12.0
SECONDS_PER_DAY: Final = 86_400


@dataclass(slots=True)
class Skill:
    """What a student has of one topic.

    Attributes:
        level: share of the topic that was ever understood, in [0, 1]; it does not fade.
        half_life: days after which half of it is gone if nothing is done.
        practised: when it was last worked on with the assistant; None: not yet, what is known has sat for long.
        raised: it came up. worked: it was asked about, explained, tried, claimed or despaired of.
    """

    level: float
    half_life: float = FIRST_HALF_LIFE
    practised: datetime | None = None
    raised: bool = False
    worked: bool = False

    def mastery(self, now: datetime) -> float:
        """Share of the topic that is at hand at `now`, in [0, 1]."""
        if self.practised is None:
            return self.level
        days = max(0.0, (now - self.practised).total_seconds()) / SECONDS_PER_DAY
        return self.level * math.pow(2.0, -days / self.half_life)

    def status(self, now: datetime) -> TopicStatus:
        """What is true of the topic at `now`, whether or not it showed.

        As the library means its words, but of the hidden mastery: forgetting alone makes `learning`, never `gap`.
        """
        if not self.raised:
            return "unseen"
        if not self.worked:
            return "discussed"
        if self.mastery(now) >= MASTERED:
            return "familiar"
        return "gap" if self.level < GAP else "learning"


@dataclass(slots=True)
class Student:
    """One student and what they hide.

    Attributes:
        pace: share of what is missing that one explanation adds on average.
        pride: how much better than true they think of themselves, on mastery's scale.
    """

    user_id: str
    domain: Domain
    pace: float
    slip: float
    guess: float
    pride: float
    random: Random
    skills: dict[str, Skill] = field(default_factory=dict)

    def p_right(self, topic: str, now: datetime) -> float:
        """The probability that an exercise on the topic is answered rightly at `now`."""
        mastery = self.skills[topic].mastery(now)
        return mastery * (1 - self.slip) + (1 - mastery) * self.guess

    def answer(self, topic: str, now: datetime) -> bool:
        """Whether the answer to an exercise is right; trying it teaches, too, more so where the answer was right."""
        right = self.random.random() < self.p_right(topic, now)
        self._practise(topic, now, share=0.6, firmer=2.0 if right else 1.3)
        return right

    def listen(self, topic: str, now: datetime) -> None:
        """Hear the topic explained."""
        self._practise(topic, now, share=1.0, firmer=1.4)

    def feel(self, topic: str, now: datetime) -> float:
        """How well they think they know the topic, on mastery's scale."""
        return self.skills[topic].mastery(now) + self.pride + self.random.gauss(0, 0.1)

    def hear_of(self, topic: str, *, worked: bool = True) -> None:
        """The topic comes up; `worked` says that it is more than a mention."""
        skill = self.skills[topic]
        skill.raised = True
        skill.worked |= worked

    def _practise(self, topic: str, now: datetime, *, share: float, firmer: float) -> None:
        skill = self.skills[topic]
        skill.level += (1 - skill.level) * min(1.0, self.pace * share * self.random.uniform(0.3, 1.7))
        skill.half_life *= firmer
        skill.practised = now
        self.hear_of(topic)


def enrol(number: int, *, seed: int) -> Student:
    """The student of this number: every second one of programming, the others of maths, before the first session.

    Topics differ in difficulty, alike for all students; most are hardly known at first, some rather well.
    """
    random = Random(f"student of knowledge {seed} {number}")
    domain: Domain = "programming" if number % 2 == 0 else "maths"
    student = Student(
        user_id=f"{domain}-{seed}-{number}",
        domain=domain,
        pace=random.uniform(0.12, 0.4),
        slip=random.uniform(0.03, 0.12),
        guess=random.uniform(0.05, 0.25),
        pride=random.gauss(0.0, 0.12),
        random=random,
    )
    ability = random.gauss(0, 0.8)
    for topic in TOPICS[domain]:
        hard = Random(f"difficulty of {topic}").gauss(0, 0.7)
        student.skills[topic] = Skill(1 / (1 + math.exp(-random.gauss(ability - hard - 0.9, 0.9))))
    return student
