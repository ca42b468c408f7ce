"""When something happens: "yesterday", "last Friday", "in June" as a date, seen from the day on which it is said."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from persona_memory.profile.english.lexicon import MONTHS, NUMBERS, WEEKDAYS, any_of, number
from persona_memory.profile.english.regex import Regex


@dataclass(frozen=True, slots=True)
class When:
    """A time expression and what it means.

    Attributes:
        start, end: its span in the text.
        at: the first moment of the day, week, month or year that is meant, in UTC.
        label: the same in words that stay true, e.g. "on 2023-05-07", "in the week of 2023-05-01", "in 2019".
    """

    start: int
    end: int
    at: datetime
    label: str


def resolve(text: str, said: datetime, *, past: bool) -> When | None:
    """The first time expression of the text, seen from `said`; None where there is none that can be dated.

    Args:
        past: whether the text tells of the past; decides what "on Friday" or "in June" means.
    """
    found: list[When] = []
    for pattern, build in _PATTERNS:
        match = pattern.search(text)
        built = build(match, _midnight(said), past) if match else None
        if match and built:
            found.append(When(match.start(), match.end(), *built))
    return min(found, key=lambda when: (when.start, -when.end), default=None)


def is_ahead(when: When, now: datetime) -> bool:
    """Whether the time is not over: the day of `now` itself counts, and of a month or a year the one that it is in."""
    today = _midnight(now)
    long = re.fullmatch(r"in \d{4}(-\d\d)?", when.label)
    return when.at >= (today if long is None else today.replace(day=1) if long[1] else today.replace(month=1, day=1))


Built = tuple[datetime, str] | None
_LONGER: Final = ("weekend", "week", "month", "year", "spring", "summer", "autumn", "fall", "winter")
_WEEKDAY: Final = rf"(?:{any_of(WEEKDAYS)}|mon|tues?|wed|thurs?|thu|fri|sat|sun)\b"
_COUNT: Final = rf"(\d{{1,3}}|an?|{any_of(NUMBERS)}|couple of|few)"
_UNIT: Final = r"(day|week|month|year)s?"
_MONTH: Final = rf"({any_of(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?"


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _day(at: datetime) -> Built:
    return at, f"on {at:%Y-%m-%d}"


def _unit(at: datetime, unit: str) -> Built:
    """The day, week (from Monday), month or year in which `at` lies."""
    if unit == "day":
        return _day(at)
    if unit == "week":
        monday = at - timedelta(days=at.weekday())
        return monday, f"in the week of {monday:%Y-%m-%d}"
    if unit == "month":
        return at.replace(day=1), f"in {at:%Y-%m}"
    return at.replace(month=1, day=1), f"in {at.year}"


def _shift(at: datetime, count: int, unit: str) -> datetime | None:
    try:
        if unit in ("day", "week"):
            return at + timedelta(days=count * (7 if unit == "week" else 1))
        months = at.year * 12 + at.month - 1 + count * (12 if unit == "year" else 1)
        return at.replace(year=months // 12, month=months % 12 + 1, day=min(at.day, 28))
    except (ValueError, OverflowError):  # "a thousand years ago" is no date that Python knows
        return None


def _near(match: re.Match[str], said: datetime, past: bool) -> Built:
    word = match[1].casefold()
    offset = -2 if "before" in word else 2 if "after" in word else -1 if word in {"yesterday", "last night"} else 0
    if word.startswith("tomorrow"):
        offset = 1
    return _day(said + timedelta(days=offset))


def _ago(match: re.Match[str], said: datetime, past: bool) -> Built:
    counted = _number(match[1])
    at = None if counted is None else _shift(said, -counted, match[2].casefold())
    return None if at is None else _unit(at, match[2].casefold())


def _ahead(match: re.Match[str], said: datetime, past: bool) -> Built:
    counted = None if past else _number(match[1])
    at = None if counted is None else _shift(said, counted, match[2].casefold())
    return None if at is None else _unit(at, match[2].casefold())


def _number(text: str) -> int | None:
    return {"a": 1, "an": 1, "couple of": 2, "few": None}.get(text.casefold(), number(text))


def _last_or_next(match: re.Match[str], said: datetime, past: bool) -> Built:
    which, what = match[1].casefold(), match[2].casefold()
    step = {"last": -1, "past": -1, "this": 0, "next": 1, "coming": 1}[which]
    if what not in _LONGER:
        return _day(_weekday(said, _weekday_number(what), back=step < 0 or (step == 0 and past)))
    if what == "weekend":
        saturday = _weekday(said, 5, back=step < 0 or (step == 0 and past and said.weekday() >= 5))
        return saturday, f"on the weekend of {saturday:%Y-%m-%d}"
    if what in ("week", "month", "year"):
        at = _shift(said, step, what)
        return None if at is None else _unit(at, what)
    first_month = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}[what]
    over, ahead = said.month > first_month + 2, said.month < first_month
    year = said.year + (-1 if step < 0 and not over else 1 if step > 0 and not ahead else 0)
    return datetime(year, first_month, 1, tzinfo=UTC), f"in the {what} of {year}"


def _day_of_month(match: re.Match[str], said: datetime, past: bool) -> Built:
    month = _shift(said, {"last": -1, "this": 0, "next": 1}[match[2].casefold()], "month")
    try:
        return None if month is None else _day(month.replace(day=int(match[1])))
    except ValueError:  # 31 June
        return None


def _weekday(said: datetime, weekday: int, *, back: bool) -> datetime:
    """The nearest such day before (`back`) or after `said`, never the same day."""
    days = (said.weekday() - weekday - 1) % 7 + 1 if back else (weekday - said.weekday() - 1) % 7 + 1
    return said + timedelta(days=-days if back else days)


def _weekday_number(name: str) -> int:
    return next(place for place, day in enumerate(WEEKDAYS) if day.startswith(name.casefold()[:3]))


def _on_weekday(match: re.Match[str], said: datetime, past: bool) -> Built:
    return _day(_weekday(said, _weekday_number(match[1]), back=past))


def _date(match: re.Match[str], said: datetime, past: bool) -> Built:
    month, day, year = match["month"], match["day"], match["year"]
    try:
        at = datetime(int(year) if year else said.year, _month_number(month), int(day), tzinfo=UTC)
    except ValueError:  # 31 June
        return None
    return _day(at if year else _turned(at, said, past))


def _in_month(match: re.Match[str], said: datetime, past: bool) -> Built:
    year = match["year"]
    at = datetime(int(year) if year else said.year, _month_number(match["month"]), 1, tzinfo=UTC)
    at = at if year else _turned(at, said, past)
    return at, f"in {at:%Y-%m}"


def _in_year(match: re.Match[str], said: datetime, past: bool) -> Built:
    return datetime(int(match[1]), 1, 1, tzinfo=UTC), f"in {match[1]}"


def _turned(at: datetime, said: datetime, past: bool) -> datetime:
    """The date in the year that the tense means; 29 February falls back to the 28th."""
    step = -1 if past and at > said else 1 if not past and at < said.replace(day=1) else 0
    return at.replace(year=at.year + step, day=min(at.day, 28) if at.month == 2 else at.day)


def _month_number(name: str) -> int:
    return next(place for place, month in enumerate(MONTHS, start=1) if month.startswith(name.casefold()[:3]))


_DAY_NUMBER: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR: Final = r"(?:,? (?:of )?(?P<year>(?:19|20)\d\d))?"
_PATTERNS: Final[tuple[tuple[Regex, Callable[[re.Match[str], datetime, bool], Built]], ...]] = tuple(
    (Regex(pattern, re.IGNORECASE), build)
    for pattern, build in (
        (
            r"\b(?:earlier |later )?(the day before yesterday|the day after tomorrow|yesterday|today|tonight|tomorrow|"
            r"last night|this morning|this afternoon|this evening)(?: (?:morning|afternoon|evening|night))?\b",
            _near,
        ),
        (rf"\b(?:about |around |almost |roughly |over |nearly )?{_COUNT} {_UNIT} ago\b", _ago),
        (r"\b(?:on )?(?:the )?(\d{1,2})(?:st|nd|rd|th) of (last|this|next) month\b", _day_of_month),
        (rf"\bin {_COUNT} {_UNIT}\b", _ahead),
        (
            rf"\b(?:on |over |during |in )?(?:the )?(last|past|this|next|coming) ({_WEEKDAY}|weekend|week|month|year|"
            r"spring|summer|autumn|fall|winter)\b",
            _last_or_next,
        ),
        (rf"\bon ({_WEEKDAY})\b(?! (?:and|or)\b)", _on_weekday),
        (rf"\b(?:on )?(?:the )?{_DAY_NUMBER} (?:of )?(?P<month>{_MONTH}){_YEAR}", _date),
        (rf"\b(?:on )?(?P<month>{_MONTH}) {_DAY_NUMBER}\b(?!\d|-\d){_YEAR}", _date),
        (rf"\b(?:back )?in (?:early |late |mid-?)?(?P<month>{_MONTH}){_YEAR}", _in_month),
        (r"\b(?:back )?in ((?:19|20)\d\d)\b", _in_year),
    )
)
