"""The stretch of time that a question names: "in May", "13 October 2023", "yesterday", "two weeks ago"."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import datetime, timedelta

Interval = tuple[datetime, datetime]
"""From the first instant to the last, both inclusive, in the time zone of the `now` it was worked out from."""

MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""First month of each season, on the northern half of the globe."""

NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "few": 3, "couple of": 2}


def named_time(text: str, now: datetime) -> tuple[Interval, str] | None:
    """The stretch of time that the text names, with the words that name it; the most precise expression counts.

    A month or season without a year is the latest one that has begun by `now`. "may" is a month only where it looks
    like one ("in May", "May 3", "May 2023").
    """
    plain = text.casefold()
    for pattern, read in RULES:
        for match in pattern.finditer(plain):
            found = read(match, now)
            if found is not None:
                return found, match.group()
    return None


def _iso(match: re.Match[str], now: datetime) -> Interval | None:
    return _day(int(match["year"]), int(match["month"]), int(match["day"]), now)


def _dated(match: re.Match[str], now: datetime) -> Interval | None:
    """A day of a month, with or without a year."""
    month = _number(match["month"])
    year = int(match["year"]) if match["year"] else _latest_year(month, now, int(match["day"]))
    return _day(year, month, int(match["day"]), now)


def _month(match: re.Match[str], now: datetime) -> Interval:
    month = _number(match["month"])
    return _months(int(match["year"]) if match["year"] else _latest_year(month, now), month, 1, now)


def _season(match: re.Match[str], now: datetime) -> Interval:
    """Three months. "Last summer" in August is the summer before."""
    first = SEASONS[match["season"]]
    year = int(match["year"]) if match["year"] else _latest_year(first, now)
    found = _months(year, first, 3, now)
    if match["which"] == "last" and not match["year"] and found[1] >= now:
        return _months(year - 1, first, 3, now)
    return found


def _ago(match: re.Match[str], now: datetime) -> Interval | None:
    """A number of units ago, half a unit wide on either side; days are whole days."""
    count, unit = match["count"], match["unit"]
    days = (int(count) if count.isdigit() else NUMBERS[count]) * UNIT_DAYS[unit]
    if days > 36_500:
        return None
    middle, slack = now - timedelta(days=days), UNIT_DAYS[unit] // 2
    return _whole_days(middle - timedelta(days=slack), middle + timedelta(days=slack))


def _relative(match: re.Match[str], now: datetime) -> Interval:
    which, unit = match["which"], match["unit"]
    if unit == "weekend":
        saturday = now - timedelta(days=(now.weekday() - 5) % 7 + (7 if which == "last" and now.weekday() >= 5 else 0))
        return _whole_days(saturday, saturday + timedelta(days=1))
    if unit == "week":
        monday = now - timedelta(days=now.weekday() + (7 if which == "last" else 0))
        return _whole_days(monday, monday + timedelta(days=6))
    if unit == "year":
        return _months(now.year - (which == "last"), 1, 12, now)
    months = now.year * 12 + now.month - 1 - (which == "last")
    return _months(months // 12, months % 12 + 1, 1, now)


def _day_word(match: re.Match[str], now: datetime) -> Interval:
    back = {"today": 0, "tonight": 0, "yesterday": 1, "last night": 1}[match.group()]
    return _whole_days(now - timedelta(days=back), now - timedelta(days=back))


def _year(match: re.Match[str], now: datetime) -> Interval:
    return _months(int(match["year"]), 1, 12, now)


UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}

RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Interval | None]], ...] = (
    (re.compile(rf"\b{_YEAR}-(?P<month>[01]\d)-(?P<day>[0-3]\d)\b"), _iso),
    (re.compile(rf"\b{_DAY} (?:of )?(?P<month>{_MONTH})\b\.?(?:,? {_YEAR})?"), _dated),
    (re.compile(rf"\b(?P<month>{_MONTH})\.? {_DAY}\b(?!\d)(?:,? {_YEAR})?"), _dated),
    (re.compile(r"\b(?:today|tonight|yesterday|last night)\b"), _day_word),
    (re.compile(rf"\b(?P<count>\d+|{'|'.join(NUMBERS)}) (?P<unit>day|week|month|year)s? ago\b"), _ago),
    (re.compile(rf"\b(?P<month>{_MONTH})\.?,?(?: of)? {_YEAR}\b"), _month),
    (re.compile(rf"\b(?:in|during|since|last|this|of|early|late|mid) (?P<month>{_MONTH})\b(?P<year>)"), _month),
    (re.compile(rf"\b(?P<month>{'|'.join(m for m in MONTHS if m not in ('march', 'may'))})\b(?P<year>)"), _month),
    (
        re.compile(
            rf"\b(?:(?P<which>last|this|in|during|in the) )(?P<season>{'|'.join(SEASONS)})(?: (?:of )?{_YEAR})?\b"
        ),
        _season,
    ),
    (re.compile(r"\b(?P<which>last|this) (?P<unit>weekend|week|month|year)\b"), _relative),
    (re.compile(rf"\b(?:in|during|since|of|year|for|throughout) {_YEAR}\b"), _year),
)  # most precise first


def _number(name: str) -> int:
    return next(i for i, month in enumerate(MONTHS, 1) if month.startswith(name[:3]))


def _latest_year(month: int, now: datetime, day: int = 1) -> int:
    """The year in which that month (and day) was last reached."""
    return now.year if (month, day) <= (now.month, now.day) else now.year - 1


def _day(year: int, month: int, day: int, now: datetime) -> Interval | None:
    """One day, or None where the calendar has no such day."""
    if not (1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return None
    at = now.replace(year=year, month=month, day=day)
    return _whole_days(at, at)


def _months(year: int, month: int, count: int, now: datetime) -> Interval:
    last = year * 12 + month - 1 + count - 1
    end_year, end_month = last // 12, last % 12 + 1
    first = now.replace(year=year, month=month, day=1)
    return _whole_days(first, now.replace(year=end_year, month=end_month, day=monthrange(end_year, end_month)[1]))


def _whole_days(first: datetime, last: datetime) -> Interval:
    """From the first day's midnight to the last day's end."""
    return (
        first.replace(hour=0, minute=0, second=0, microsecond=0),
        last.replace(hour=23, minute=59, second=59, microsecond=999_999),
    )
