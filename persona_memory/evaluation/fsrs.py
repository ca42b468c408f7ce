"""Predicting whether a card is remembered: forgetting by FSRS-6 on one learner's reviews.

Each review is foretold from the card's earlier reviews only. The first half of the reviews may personalise the second.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation.logistic import Array, fit, sigmoid
from persona_memory.evaluation.prediction import auc, binned_rmse, calibration_error, losses
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.knowledge.ability import logit
from persona_memory.knowledge.forgetting import (
    DECAY,
    FACTOR,
    SECONDS_PER_DAY,
    Grade,
    Review,
    Strength,
    fold_reviews,
    retrievability,
)

GRADES: Final[dict[str, Grade]] = {"1": "again", "2": "hard", "3": "good", "4": "easy"}
QUICK_REVIEWS: Final = 1500
QUICK_PART = f"first {QUICK_REVIEWS:,} reviews"
LEAST: Final = 20
"""Reviews a day or more after the last; fewer say nothing, and one half may have none."""
_FORMAT: Final = "a CSV as FSRS's optimizer reads it: card_id, review_rating (1 to 4), review_time (ISO 8601)"
COLUMNS: Final = ("log loss", "ECE", "RMSE (bins)", "AUC")


@dataclass(frozen=True, slots=True)
class Foretold:
    """A review of a card that was seen before.

    Attributes:
        recalled: whether it was.
        days: since the last review.
        strength: what the earlier reviews left.
        last: the grade before.
        reviews: how many came before.
        lapses: how many of them were "again".
    """

    card: str
    recalled: bool
    days: float
    strength: Strength
    expected: float
    last: Grade
    reviews: int
    lapses: int


def read(path: Path) -> tuple[tuple[str, Review], ...]:
    """Reviews in order of time, each with its card, from a CSV of card_id, review_rating, review_time.

    Args:
        path: the file, or a folder: then its first .csv.

    Raises:
        ImportFileError: there is no such file, it is no CSV, a column is missing, or a value is not what it should be.
    """
    file = next(iter(sorted(path.glob("*.csv"))), None) if path.is_dir() else path
    if file is None or not file.is_file():
        missing = "there is no .csv in it" if file is None else "is not there"
        raise ImportFileError(str(path.resolve() if file is None else file), None, f"{missing}; expected {_FORMAT}")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = [_review(row, number, file) for number, row in enumerate(csv.DictReader(lines), start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportFileError(str(file), None, f"is no CSV in UTF-8 ({error}); expected {_FORMAT}") from error
    if not found:
        raise ImportFileError(str(file), None, f"has no reviews; expected {_FORMAT}")
    return tuple(sorted(found, key=lambda one: one[1].at))


def _review(row: Mapping[str, str], number: int, file: Path) -> tuple[str, Review]:
    try:
        at = datetime.fromisoformat(row["review_time"])
        grade, card = GRADES[row["review_rating"]], row["card_id"]
    except (KeyError, TypeError, ValueError) as error:
        told = ", ".join(f"{name} {row.get(name)!r}" for name in ("card_id", "review_rating", "review_time"))
        raise ImportFileError(str(file), number, f"no review ({told}); expected {_FORMAT}") from error
    return card, Review(grade, at if at.tzinfo else at.replace(tzinfo=UTC))


def foretell(reviews: Sequence[tuple[str, Review]]) -> list[Foretold]:
    """What the library expects of each review but every card's first."""
    cards: dict[str, list[Review]] = {}
    found = []
    for card, review in reviews:
        before = cards.setdefault(card, [])
        strength = fold_reviews(before)
        if strength is not None:
            days = (review.at - strength.last).total_seconds() / SECONDS_PER_DAY
            lapses = sum(one.grade == "again" for one in before)
            expected = retrievability(strength, review.at)
            recalled = review.grade != "again"
            found.append(Foretold(card, recalled, days, strength, expected, before[-1].grade, len(before), lapses))
        before.append(review)
    return found


def run(settings: Settings) -> Report:
    """Measure on a CSV of reviews, or the folder that holds it.

    Raises:
        InvalidInput: the file is missing or not in the format.
    """
    reviews = read(settings.data)
    if settings.quick:
        reviews = reviews[:QUICK_REVIEWS]
    found = foretell(reviews)
    if len(_spaced(found)) < LEAST:
        raise InvalidInput(
            f"{len(_spaced(found))} of {len(reviews)} reviews follow one of the same card by a day or more; "
            f"at least {LEAST} are needed to measure anything"
        )
    half = len(found) // 2
    known, asked = found[:half], found[half:]
    tables = [
        _table("second half, a day or more after the last review", _spaced(known), _spaced(asked), settings.seed),
        _table("second half, all reviews", known, asked, settings.seed),
        _table("first half, a day or more after the last review", [], _spaced(known), settings.seed),
    ]
    return Report("fsrs", "Forgetting: one learner's reviews", tuple(tables), _NOTES)


_NOTES: Final = (
    "Recalled: any grade but “again”. Reviews within a day of the last one are left out where the table says so, as "
    "FSRS's own benchmark does: they follow minutes after it.",
    "Whole days: the package `fsrs` with its default parameters, which counts whole days. Ours: the same strength, "
    "with time as a real number, so that retrievability falls within a day, too. Fitted to the person: a logistic "
    "regression on the first half's retrievability, time, last grade, lapses, stability and difficulty; it shows what "
    "there would be to gain, the library has no such thing.",
    "The constant is the first half's share of recalled reviews (in the last table the table's own). Log loss: 2,000 "
    "resamples of the cards.",
)


def _spaced(found: Sequence[Foretold]) -> list[Foretold]:
    return [one for one in found if one.days >= 1]


def whole_days(one: Foretold) -> float:
    """Retrievability as the package `fsrs` has it."""
    return float((1 + FACTOR * max(0, math.floor(one.days)) / one.strength.stability) ** DECAY)


def _table(title: str, known: Sequence[Foretold], asked: Sequence[Foretold], seed: int) -> Table:
    y = np.array([float(one.recalled) for one in asked])
    share = float(np.mean([one.recalled for one in (known or asked)]))
    systems: list[tuple[str, RowKind, Array]] = [
        ("constant", "baseline", np.full(len(y), share)),
        ("FSRS-6, default parameters, whole days", "baseline", np.array([whole_days(one) for one in asked])),
        ("ours", "ours", np.array([one.expected for one in asked])),
    ]
    if known:
        fitted = fit(_features(known), np.array([float(one.recalled) for one in known]))
        systems.append(("ours, fitted to the person", "bound", sigmoid(fitted.logits(_features(asked)))))
    cards = [one.card for one in asked]
    rows = tuple(Row(name, _cells(p, y, cards, seed), kind) for name, kind, p in systems)
    return Table(f"{title}: {len(y):,} reviews", COLUMNS, rows, plot="log loss")


def _cells(p: Array, y: Array, cards: Sequence[str], seed: int) -> dict[str, Score | str]:
    return {
        "log loss": mean(losses(p, y), cards, seed=seed),
        "ECE": Score(calibration_error(p, y)),
        "RMSE (bins)": Score(binned_rmse(p, y)),
        "AUC": Score(auc(p, y)),
    }


def _features(found: Sequence[Foretold]) -> NDArray[np.float64]:
    """What a person's own calibration rests on, shape (n, 10)."""
    rows = []
    for one in found:
        same_day, again = one.days < 0.5, one.last == "again"
        held = max(-9.0, min(9.0, logit(one.expected)))
        now = [held, same_day, same_day * held, same_day * again, math.log1p(one.days), again]
        held_by = [one.strength.difficulty, math.log(one.strength.stability)]
        rows.append([*now, *held_by, math.log1p(one.reviews), math.log1p(one.lapses)])
    return np.array(rows, dtype=float)
