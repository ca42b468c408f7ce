"""Forgetting measured on made-up reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fsrs import Card, Rating, Scheduler

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.fsrs import foretell, read, whole_days

START = datetime(2025, 3, 1, 9, tzinfo=UTC)


def reviews(folder: Path, *, cards: int = 30) -> Path:
    """A CSV of six reviews of each card, some on the same day."""
    random = np.random.default_rng(0)
    lines = ["card_id,review_rating,review_time,review_duration"]
    for card in range(cards):
        at = START + timedelta(hours=card)
        for _ in range(6):
            lines.append(f"{card},{random.choice([1, 3, 3, 3])},{at.isoformat()},4000")
            at += timedelta(days=float(random.choice([0.01, 1.3, 4.6, 12.2])))
    path = folder / "reviews.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_every_review_but_the_first_is_foretold_from_those_before(tmp_path: Path) -> None:
    """Whole days are the package's own retrievability."""
    found = foretell(read(reviews(tmp_path, cards=2)))
    assert len(found) == 10
    scheduler, card = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False), Card(card_id=1)
    own = [review for name, review in read(reviews(tmp_path, cards=2)) if name == "0"]
    mine = iter(one for one in found if one.card == "0")
    for number, review in enumerate(own):
        if number:
            assert whole_days(next(mine)) == pytest.approx(scheduler.get_card_retrievability(card, review.at))
        rating = Rating.Again if review.grade == "again" else Rating.Good
        card, _ = scheduler.review_card(card, rating, review.at)


def test_the_whole_evaluation_runs_on_a_file_or_its_folder(tmp_path: Path) -> None:
    """The person's own fit is in the tables that have a first half."""
    path = reviews(tmp_path)
    report = run("fsrs", Settings(data=path))
    assert [len(table.rows) for table in report.tables] == [4, 4, 3]
    assert run("fsrs", Settings(data=tmp_path)).tables == report.tables


def test_what_is_no_review_is_said_with_its_line(tmp_path: Path) -> None:
    """A rating that does not exist."""
    path = reviews(tmp_path)
    path.write_text(path.read_text() + "9,7,2025-03-01T09:00:00+00:00,1\n")
    with pytest.raises(InvalidInput, match="line 182"):
        run("fsrs", Settings(data=path))
