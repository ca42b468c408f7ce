"""What a text says in figures: amounts, shares, dates, times, counts, each with the words that tell of what."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from persona_memory.retrieval.words import tokens

Kind = Literal["money", "share", "clock", "date", "count", "moved"]
"""What sort of figure it is; "moved" says that a time is another one now, without saying which."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_SMALL = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "eleven": "11", "twelve": "12"}  # fmt: skip
# All of these read lower-case text: several times as fast as ignoring the case.
_FIGURE = re.compile(
    r"(?<!\w)(?=[$€£\djfmasondtepcrbv])(?:"  # only words that begin so: five times as fast
    rf"(?P<money>[$€£]\s?{_NUMBER}k?\b|{_NUMBER}\s?(?:dollars|euros|pounds|bucks)\b)"
    rf"|(?P<share>{_NUMBER}\s?(?:%|percent\b))"
    r"|(?P<clock>\d{1,2}(?::\d\d)?\s?[ap]\.?m\b|\d{1,2}:\d\d\b)"
    rf"|(?P<date>{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:-\d{{1,2}})?\b(?:,\s+(?:19|20)\d\d\b)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}\b)"
    r"|(?P<moved>(?:rescheduled|postponed|put off|called off|cancell?ed|brought forward)\b)"
    r"|(?P<none>(?:19|20)\d\d\b|\d+/\d+\b|v?\d+(?:\.\d+){2,})"  # years, fractions and versions count nothing
    rf"|(?P<count>{_NUMBER}(?:-{_NUMBER})?(?:ms|s|kb|mb|gb|km|kg|h)?\b|(?:{'|'.join(_SMALL)})\b))"
)
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_WORD = re.compile(r"\S+")
_SEPARATORS = re.compile(r"[\s,.](?!\d)|,")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CHANGE = re.compile(
    r"\b(?:new|now|newly|recent(?:ly)?|latest|already|instead|actually|no longer|updat\w+|adjust\w*|chang(?:e|ed|ing)"
    r"|increas(?:e|ed|ing)|rais(?:e|ed|ing)|decreas(?:e|ed|ing)|reduc(?:e|ed|ing)|lower(?:ed|ing)?|extend(?:ed|ing)?"
    r"|cut (?:to|from|by|down|it|that)|shorten(?:ed|ing)?|mov(?:ed|ing)|resched\w+|postpon\w+|push(?:ed|ing)"
    r"|delay(?:ed|ing)?|switch(?:ed|ing)?|upgrad(?:e|ed|ing)|improv(?:e|ed|ing)|gr(?:ew|own|owing|owth)"
    r"|reach(?:ed|ing)|expand(?:ed|ing)|add(?:ed|ing)|dropp(?:ed|ing)|total of)\b"
)
"""How people tell that something is no longer what it was."""

_NOW = re.compile(r"(?:\bto|\breached|\breaching|\bnow|\btotal of)\s+(?:just |only |about |around )?$")

AROUND = 14
"""Words on either side of a figure, within its sentence, that tell what it is of."""

UNIT = 3
"""Words after a count among which its unit is: "10 project cards"."""

READ = 1_500
"""Characters of a text that are read; what follows is usually pasted."""

MOST = 24
"""Figures of a text that are looked at."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a text.

    Attributes:
        value: as it was said, in one spelling: "3pm", "apr5", "4700".
        about: index words around it.
        unit: of a count, the words that it may count.
        reached: it is told as what something has come to be: "increased to 7".
        changed: words of change lead up to it.
    """

    kind: Kind
    value: str
    about: frozenset[str]
    unit: frozenset[str] = frozenset()
    reached: bool = False
    changed: bool = False


def figures(text: str) -> tuple[Figure, ...]:
    """The first figures of a text, at most MOST, in order; those in code are not read."""
    if "```" in text:
        text = _CODE.sub(" ", text[: 4 * READ])
    return tuple(islice(chain.from_iterable(map(_of, _SENTENCE.split(text[:READ].lower()))), MOST))


def _of(sentence: str) -> Iterator[Figure]:
    found = list(_FIGURE.finditer(sentence))
    if not found:
        return
    rest = _without(sentence, found)
    starts = [match.start() for match in _WORD.finditer(rest)] + [len(rest)]
    end = len(starts) - 1
    for match in found:
        kind = match.lastgroup
        if kind is None or kind == "none":
            continue
        place = bisect_left(starts, match.start(), hi=end)
        first, last, unit = max(place - AROUND, 0), min(place + AROUND, end), min(place + UNIT, end)
        led_by = sentence[starts[first] if first < end else 0 : match.start()]
        counted = tokens(rest[starts[place] : starts[unit]]) if kind == "count" else []
        yield Figure(
            kind,  # type: ignore[arg-type]
            _one_spelling(kind, match.group()),
            about=frozenset(tokens(rest[starts[first] : starts[last]])),
            unit=frozenset(counted[:1]),
            reached=_NOW.search(led_by) is not None,
            changed=kind == "moved" or _CHANGE.search(led_by) is not None,
        )


def _without(sentence: str, found: Iterable[re.Match[str]]) -> str:
    """The sentence with spaces in place of what was found."""
    pieces, end = [], 0
    for match in found:
        pieces += [sentence[end : match.start()], " " * len(match.group())]
        end = match.end()
    return "".join([*pieces, sentence[end:]])


def _one_spelling(kind: str, said: str) -> str:
    plain = _SEPARATORS.sub("", said)
    if kind == "count":
        return _SMALL.get(plain, plain)
    if kind == "date":
        day = re.search(r"\d{1,2}(?:-\d{1,2})?", plain)
        month = re.search(r"[a-z]{3,}", re.sub(r"(?<=\d)(?:st|nd|rd|th|of)+", " ", plain))
        return f"{month.group()[:3] if month else ''}{day.group() if day else ''}"
    return plain
