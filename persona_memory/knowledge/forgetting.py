"""Forgetting by FSRS-6: how likely it is that something learnt would still be recalled.

With stability S in days and t days since the last review (METHODS §2; the `fsrs` package computes S and difficulty):

    R(t) = (1 + F · t / S)^D,   D = -0.1542,   F = 0.9^(1/D) - 1

so that R(0) = 1 and R(S) = 0.9. `fsrs` counts whole days; here t is a real number, so that R falls within a day, too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from persona_memory.types import EvidenceKind

if TYPE_CHECKING:
    from fsrs import Scheduler

DECAY: Final = -0.1542
FACTOR: Final = 0.9 ** (1 / DECAY) - 1
SECONDS_PER_DAY: Final = 86_400

Grade = Literal["again", "hard", "good", "easy"]

GRADES: Final[dict[EvidenceKind, Grade | None]] = {
    "correct": "good",
    "claimed": "good",  # said, not shown: it counts little as mastery, but it shows that the topic is present
    "explained": "hard",  # fresh in mind, though nothing was asked of it
    "asked": "again",
    "confused": "again",
    "wrong": "again",
    "mentioned": None,
}
"""The FSRS grade of each kind of evidence; None is no review."""

NOTHING_TO_FORGET: Final[frozenset[EvidenceKind]] = frozenset({"asked", "confused"})
"""Before the first review these are no reviews: one cannot have forgotten what one never learnt."""


@dataclass(frozen=True, slots=True)
class Review:
    """One moment at which something was recalled, well or badly."""

    grade: Grade
    at: datetime


@dataclass(frozen=True, slots=True)
class Strength:
    """What the reviews have left behind.

    Attributes:
        stability: days until retrievability falls to 0.9.
        difficulty: from 1 (easy) to 10.
        last: when it was last reviewed.
    """

    stability: float
    difficulty: float
    last: datetime


def fold_reviews(reviews: Iterable[Review]) -> Strength | None:
    """Stability and difficulty after these reviews, in the order given; None without any.

    A review that is dated before the one in front of it (a clock that was set back) counts as made at the same time.
    """
    from fsrs import Card, Rating

    ratings = {"again": Rating.Again, "hard": Rating.Hard, "good": Rating.Good, "easy": Rating.Easy}
    scheduler, card = _scheduler(), None
    for review in reviews:
        at = review.at.astimezone(UTC)
        if card is None:
            card = Card(card_id=0, due=at)
        elif card.last_review is not None:
            at = max(at, card.last_review)
        card, _ = scheduler.review_card(card, ratings[review.grade], at)
    if card is None or card.stability is None or card.difficulty is None or card.last_review is None:
        return None
    return Strength(card.stability, card.difficulty, card.last_review)


def retrievability(strength: Strength, now: datetime) -> float:
    """The probability of recall at `now`, in (0, 1]; 1 when `now` is not after the last review."""
    days = max(0.0, (now - strength.last).total_seconds()) / SECONDS_PER_DAY
    return float((1 + FACTOR * days / strength.stability) ** DECAY)


def reviews_of(evidence: Iterable[tuple[EvidenceKind, datetime]]) -> list[Review]:
    """The reviews among a topic's evidence, in order."""
    reviews: list[Review] = []
    for kind, at in evidence:
        grade = GRADES[kind]
        if grade is not None and (reviews or kind not in NOTHING_TO_FORGET):
            reviews.append(Review(grade, at))
    return reviews


@functools.lru_cache(maxsize=1)
def _scheduler() -> Scheduler:
    """FSRS-6 with default parameters and without steps or fuzz: these only plan due dates, which nobody asks for."""
    from fsrs import Scheduler

    return Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
