"""Time expressions as dates, seen from the day on which they are said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.learning.rules.times import resolve

MONDAY = datetime(2023, 5, 8, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I ran yesterday", "on 2023-05-07"),
        ("yesterday evening I ran", "on 2023-05-07"),
        ("I ran this morning", "on 2023-05-08"),
        ("the day before yesterday we met", "on 2023-05-06"),
        ("I ran two days ago", "on 2023-05-06"),
        ("about a week ago", "in the week of 2023-05-01"),
        ("three months ago", "in 2023-02"),
        ("ten years ago", "in 2013"),
        ("last Friday", "on 2023-05-05"),
        ("on Monday", "on 2023-05-01"),
        ("last Tues", "on 2023-05-02"),
        ("last week", "in the week of 2023-05-01"),
        ("last month", "in 2023-04"),
        ("last weekend", "on the weekend of 2023-05-06"),
        ("last summer", "in the summer of 2022"),
        ("on 3 May", "on 2023-05-03"),
        ("on June 15, 2020", "on 2020-06-15"),
        ("on the 4th of July", "on 2022-07-04"),
        ("in June", "in 2022-06"),
        ("back in March 2021", "in 2021-03"),
        ("in 2019", "in 2019"),
        ("on the 15th of last month", "on 2023-04-15"),
    ],
)
def test_the_past(text: str, label: str) -> None:
    """What is told of."""
    when = resolve(text, MONDAY, past=True)
    assert when is not None
    assert when.label == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("tomorrow", "on 2023-05-09"),
        ("tonight", "on 2023-05-08"),
        ("the day after tomorrow", "on 2023-05-10"),
        ("on Friday", "on 2023-05-12"),
        ("next Monday", "on 2023-05-15"),
        ("next week", "in the week of 2023-05-15"),
        ("this weekend", "on the weekend of 2023-05-13"),
        ("in two weeks", "in the week of 2023-05-22"),
        ("in June", "in 2023-06"),
        ("in March", "in 2024-03"),
        ("next year", "in 2024"),
        ("next summer", "in the summer of 2023"),
        ("on May 25", "on 2023-05-25"),
    ],
)
def test_the_future(text: str, label: str) -> None:
    """What is planned."""
    when = resolve(text, MONDAY, past=False)
    assert when is not None
    assert when.label == label


@pytest.mark.parametrize(
    "text",
    ["", "some time", "on 31 June", "a thousand years ago", "every Friday", "I may go", "march on", "the other day"],
)
def test_what_cannot_be_dated_is_not(text: str) -> None:
    """Vague, impossible or repeated times."""
    assert resolve(text, MONDAY, past=True) is None


def test_a_leap_day_is_only_in_leap_years() -> None:
    """29 February in another year falls back."""
    said = datetime(2024, 2, 29, tzinfo=UTC)
    when = resolve("a year ago", said, past=True)
    assert when is not None
    assert when.at.year == 2023


@given(st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["last", "next"]), st.integers(0, 6))
def test_last_and_next_weekdays_lie_within_a_week(moment: datetime, which: str, weekday: int) -> None:
    """On the right side, never on the same day."""
    day = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][weekday]
    said = moment.replace(tzinfo=UTC)
    when = resolve(f"{which} {day}", said, past=which == "last")
    assert when is not None
    distance = when.at.date() - said.date()
    assert when.at.weekday() == weekday
    assert timedelta(1) <= (distance if which == "next" else -distance) <= timedelta(7)


@given(st.text(max_size=60), st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.booleans())
def test_any_text_on_any_day_is_read_without_failing(text: str, moment: datetime, past: bool) -> None:
    """And the span is inside the text."""
    when = resolve(f"{text} 12 months ago", moment.replace(tzinfo=UTC), past=past)
    assert when is None or 0 <= when.start < when.end
