"""Stretches of time that questions name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.retrieval.dates import Interval, named_time


def interval(text: str, now: datetime) -> Interval | None:
    found = named_time(text, now)
    return found and found[0]


NOW = datetime(2023, 10, 22, 10, 30, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("on 2023-05-07", "2023-05-07", "2023-05-07"),
        ("on October 13, 2022", "2022-10-13", "2022-10-13"),
        ("on 3rd of June, 2021", "2021-06-03", "2021-06-03"),
        ("on May 3", "2023-05-03", "2023-05-03"),
        ("on Nov 3", "2022-11-03", "2022-11-03"),
        ("yesterday", "2023-10-21", "2023-10-21"),
        ("today", "2023-10-22", "2023-10-22"),
        ("5 days ago", "2023-10-17", "2023-10-17"),
        ("two weeks ago", "2023-10-05", "2023-10-11"),
        ("in May", "2023-05-01", "2023-05-31"),
        ("In December?", "2022-12-01", "2022-12-31"),
        ("last February", "2023-02-01", "2023-02-28"),
        ("in February 2024", "2024-02-01", "2024-02-29"),
        ("last summer", "2023-06-01", "2023-08-31"),
        ("last autumn", "2022-09-01", "2022-11-30"),
        ("in the winter of 2021", "2021-12-01", "2022-02-28"),
        ("last week", "2023-10-09", "2023-10-15"),
        ("this week", "2023-10-16", "2023-10-22"),
        ("this weekend", "2023-10-21", "2023-10-22"),
        ("last weekend", "2023-10-14", "2023-10-15"),
        ("last month", "2023-09-01", "2023-09-30"),
        ("last year", "2022-01-01", "2022-12-31"),
        ("in 2021", "2021-01-01", "2021-12-31"),
    ],
)
def test_expressions_of_time(text: str, first: str, last: str) -> None:
    """Each names whole days, relative to a Sunday in October 2023."""
    found = interval(f"What did I do {text}, please", NOW)
    assert found is not None
    assert (f"{found[0]:%Y-%m-%d %H:%M}", f"{found[1]:%Y-%m-%d %H:%M}") == (f"{first} 00:00", f"{last} 23:59")


@pytest.mark.parametrize(
    "text",
    [
        "May I ask something?",
        "it may rain",
        "they march on",
        "room 2021",
        "I have 2000 books",
        "when did I move?",
        "2023-02-31",
        "",
        "999999999999 years ago",
    ],
)
def test_what_only_looks_like_time_is_none(text: str) -> None:
    """A modal verb, a number or an impossible day is no stretch of time."""
    assert interval(text, NOW) is None


@given(st.text(max_size=80), st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_any_text_gives_an_interval_or_none(text: str, now: datetime) -> None:
    """Never an error, and the beginning is before the end."""
    found = interval(text, now)
    assert found is None or found[0] < found[1]


PHRASES = (
    "yesterday|last week|this weekend|last month|in May|last summer|on February 29|3 months ago|2024-02-29|in 1999"
)


@given(
    st.sampled_from(PHRASES.split("|")),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_phrases_work_at_any_time(phrase: str, now: datetime) -> None:
    """Leap days, turns of the year and ends of months are no special case."""
    found = interval(phrase, now)
    assert found is None or found[0] < found[1]
    assert found is not None or "29" in phrase


def test_intervals_are_in_the_time_zone_of_now() -> None:
    """Yesterday in Tokyo begins at Tokyo's midnight."""
    tokyo = timezone(timedelta(hours=9))
    found = interval("yesterday", datetime(2024, 1, 1, 1, tzinfo=tokyo))
    assert found is not None
    assert found[0] == datetime(2023, 12, 31, tzinfo=tokyo)


def test_the_words_that_name_the_time_come_with_it() -> None:
    """The question's other words can then be told from them."""
    found = named_time("Where did I go in May 2022 with Ben?", NOW)
    assert found is not None
    assert found[1] == "may 2022"
