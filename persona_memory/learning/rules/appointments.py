"""Appointments with a date, and which remembered date a newer sentence takes back: "The exam is on the 19th now"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from persona_memory.learning.rules.times import is_ahead, resolve
from persona_memory.profile.english.lexicon import WEEKDAYS, any_of, words
from persona_memory.profile.english.regex import Regex

_SET: Final = words(
    """exam exams test interview meeting appointment deadline wedding concert party presentation conference flight trip
    surgery operation race marathon match game lesson class course hearing viva defence defense checkup check-up
    graduation ceremony funeral festival workshop seminar call review demo launch recital audition viewing move"""
)
"""What "the …" may be without being asked whose it is."""

_IS: Final = r"(?:is|are|starts?|begins?|takes place|will be|will take place|happens)(?: now| actually| really)?"
_MOVED: Final = (
    r"(?:(?:has been|have been|was|were|is|got|gets|is being)\s+)?(?:just |now )?"
    r"(?:moved|postponed|rescheduled|shifted|pushed|delayed|brought forward|changed|put off)(?: back| forward| again)?"
    r"(?: from (?P<from>[^,.]+?))? (?:to|until|till|for)"
)
_WHAT: Final = r"(?P<what>[a-z][a-z' -]{2,40}?)"
_SAID = Regex(rf"(?P<whose>my|our|the) {_WHAT} (?:(?P<moved>{_MOVED})|{_IS})\s+(?P<when>.+)", re.IGNORECASE)
_SOMEBODY_MOVED = Regex(
    r"(?:I|we|they)(?:'ve| have)? (?:just |had to )?(?P<moved>moved?|postponed?|rescheduled?|shifted|pushed) "
    rf"(?P<whose>my|our|the) {_WHAT}(?: back)?(?: from (?P<from>[^,.]+?))? (?:to|until|till|for)\s+(?P<when>.+)",
    re.IGNORECASE,
)
_NOT_THEN = Regex(r"\s*,?\s*(?:and not|not|instead of|rather than) (?P<old>[^,]+)$", re.IGNORECASE)
_NOT_BUT = Regex(r"not (?P<old>[^,]+?),? but (?=\S)", re.IGNORECASE)
_TOLD = Regex(
    rf"(?:(?:the user's|user's|their|the) {_WHAT} (?:{_MOVED}|{_IS})|"
    rf"(?:the user |user )?(?:has|is having) (?:an?|the|their) {_WHAT.replace('what', 'had')} (?:on|in|at|to|for)|"
    r"(?:the |their |an? )?(?P<bare>[a-z-]+(?: [a-z-]+)?) (?:on|in))\s",
    re.IGNORECASE,
)
_DAY = Regex(r"\b(\d{4})-(\d\d)(?:-(\d\d))?\b")
_HOUR = Regex(r"(?:now |at \d[\w:.]*(?: [ap]m)? |at noon )?", re.IGNORECASE)
"""What may stand in front of the date: "my sister is visiting us on Friday" is no appointment."""

_NO_KIND: Final = words("my our the their an final next first big upcoming new own")


class Told(Protocol):
    """A memory as far as its date is concerned."""

    @property
    def text(self) -> str:
        """What it says."""

    @property
    def valid_from(self) -> datetime | None:
        """Since when, or on which day."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """Something that has a date.

    Attributes:
        what: its words, e.g. "maths" and "exam".
        clause: the sentence without the date that it is no longer on.
        at: the day, in UTC.
        instead_of: the day that it is said not to be on.
        moved: it says that the date has changed.
    """

    what: frozenset[str]
    clause: str
    at: datetime
    instead_of: datetime | None = None
    moved: bool = False

    def replaces(self, told: Sequence[Told], now: datetime) -> list[int]:
        """Which of these memories, by position, give the date that this appointment no longer has.

        A memory counts whose date is denied; else the only one of that name that is still ahead. What is over stays
        as it was told.
        """
        named = [place for place, one in enumerate(told) if self.what <= _words(one.text)]
        if self.instead_of is not None:
            meant = (place for place in named if _what(told[place].text) >= self.what)
            return [place for place in meant if _day(told[place]) == self.instead_of]
        ahead = [place for place in named if self._same(told[place].text) and _ahead(told[place], self.at, now)]
        return ahead if len(ahead) == 1 else []

    def _same(self, text: str) -> bool:
        what = _what(text)
        return self.what == what or (self.moved and self.what < what)


def appointment(said: str, now: datetime) -> Appointment | None:
    """The appointment that a clause gives a date that is still ahead; None where it gives none."""
    said = re.sub(r"\b(is|are)n't\b", r"\1 not", said)
    match = _SOMEBODY_MOVED.match(said) or _SAID.match(said)
    if match is None or re.search(r"\bmaybe\b|n't\b", said):
        return None
    if match["whose"].casefold() == "the" and match["what"].split()[-1].casefold() not in _SET:
        return None
    told, other = _dates(match)
    at, before = resolve(told, now, past=False), resolve(other, now, past=False) if other else None
    if at is None or not is_ahead(at, now) or not _HOUR.fullmatch(told[: at.start]) or re.search(r"\bnot\b", told):
        return None
    head = said[: match.start("when")].replace(f" from {match['from']}", "", 1)
    moved = bool(match["moved"]) or before is not None
    return Appointment(_kind(match["what"]), f"{head}{told}", at.at, before.at if before else None, moved)


def _dates(match: re.Match[str]) -> tuple[str, str]:
    """What is said of the date, and of the date that it is not, or no longer."""
    but = _NOT_BUT.match(match["when"])
    told, other = (match["when"][but.end() :], but["old"]) if but else (match["when"], match["from"] or "")
    denied = _NOT_THEN.search(told)
    if denied:
        told, other = told[: denied.start()], denied["old"]
    return _dateable(told), _dateable(other)


def _what(text: str) -> frozenset[str]:
    """The words of the appointment that a memory is about; empty where it is about none."""
    match = _TOLD.match(text)
    return _kind(match["what"] or match["had"] or match["bare"]) if match else frozenset()


def _dateable(text: str) -> str:
    """The text with the "on" that "to Friday" leaves out."""
    return f"on {text}" if re.match(any_of(WEEKDAYS), text, re.IGNORECASE) else text


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _kind(text: str) -> frozenset[str]:
    return _words(text) - _NO_KIND


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+(?:-[a-z]+)*", text.casefold()))


def _day(told: Told) -> datetime | None:
    label = _DAY.search(told.text)
    if label:
        return datetime(int(label[1]), int(label[2]), int(label[3] or 1), tzinfo=UTC)
    when = resolve(told.text, told.valid_from, past=False) if told.valid_from else None
    return when.at if when else told.valid_from and _midnight(told.valid_from)


def _ahead(told: Told, at: datetime, now: datetime) -> bool:
    day = _day(told)
    return day is not None and day != at and day >= _midnight(now)
