"""What happened to the person and what is planned, as dated episodic memories; and what they tell of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from persona_memory.learning.rules.appointments import Appointment, appointment
from persona_memory.learning.rules.times import When, is_ahead, resolve
from persona_memory.profile.english.clauses import Clause, clauses
from persona_memory.profile.english.grammar import about_them, is_past, third_person
from persona_memory.profile.english.lexicon import OTHERS, alt, any_of, words
from persona_memory.profile.english.phrases import core, shared
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import MASK, own_speech
from persona_memory.protocols import ExtractedMemory
from persona_memory.types import MemoryKind, Turn

LONGEST: Final = 30
"""Words of a clause that is told as an event; what is longer is a story and stays a turn."""

_NOTABLE: Final = words(
    """adopted attended became began bought broke built celebrated completed finished flew gave graduated hiked
    joined launched lost married met missed moved opened painted passed performed planted published ran signed
    sold started survived travelled traveled tried visited volunteered went won wrote failed hosted organized
    organised drove ate read watched saw cooked baked took made got"""
)
"""Past verbs that tell an event; the second half of them only with a time, see `_NEEDS_TIME`."""

_NEEDS_TIME: Final = words(
    "read watched saw cooked baked took made got ate drove gave began tried missed lost broke went"
)
_NO_EVENT: Final = words(
    """thought knew felt wanted needed hoped said told meant wondered forgot asked heard guessed understood noticed
    liked loved hated believed realized realised remembered seemed looked agreed decided supposed used had did was
    were expected wished learned learnt mentioned assumed figured tended preferred kept calculated subtracted
    added divided multiplied counted computed converted rounded simplified solved got_it saw_that"""
)
_LOOSE = Regex(
    r"\b(?:you|your|it|that|this|these|those|something|someone|somewhere|stuff|questions?|problems?|"
    r"troubles?|news|ideas?|which|what|there|here|her|him|them|she|he|his|they|their)\b|\?",
    re.IGNORECASE,
)
_AFTERTHOUGHT = Regex(
    r"(?:,|,?\s+(?:and|but|so|which|because|since))\s+(?:it|that|this|they|he|she|was|were|which|who|"
    r"the \w+ (?:was|were|is))\b.*$|\s+-+\s.*$|"
    r",\s+[A-Z]\w+$",
    re.IGNORECASE,
)
_FIRST_VERB = Regex(
    r"^(?:I|we)\s+((?:(?:just|recently|finally|also|actually|really|already|even|once)\s+)*)([a-z]+)\b(?!')",
    re.IGNORECASE,
)
_PERFECT = Regex(
    r"^(?:I've|we've) (?:just|recently|finally|already) ([a-z]+(?:ed|en|t|ne|wn|un|ght|ought|de|me|ot))\b",
    re.IGNORECASE,
)
_PLAN = Regex(
    r"^(?:(?:I'm|we're) (?:also |now |actually )?(?:going to|planning(?: to)?|getting|flying|moving|"
    r"travelling|traveling|"
    r"meeting|visiting|starting|leaving|taking|having|throwing|hosting|running|seeing|attending|graduating|competing|"
    r"driving|heading|giving)|"
    r"(?:I|we) (?:also |now )?(?:plan to|will)(?! not)|(?:I'll|we'll)(?! never)|(?:I|we) (?:also "
    r")?have (?:an?|my|our|the|some|tickets) )",
    re.IGNORECASE,
)
_COMMITTED = Regex(
    r"^(?:I|we)(?:'ve)? (?:(?:just|finally|already|also|even|actually|recently)\s+)*"
    r"(?:signed (?:\w+ ){0,2}?up|registered|enroll?ed|booked|reserved|scheduled|arranged|paid for|"
    r"made (?:an appointment|a reservation)|"
    r"(?:bought|got|have|ordered|secured) (?:\w+ ){0,2}?(?:tickets?|a spot|a place|a slot))\b"
    r"(?!\s+(?:in|on|last|this|yesterday|today)\b)",
    re.IGNORECASE,
)
"""Something was done for what lies ahead: "I signed up for the half marathon in September"; not "I booked in May".

It was done when it is told, if no other time is said; what it is for keeps its date in the text.
"""
_HELD = Regex(r"^(?:I|we) (?:\w+ )?have\b", re.IGNORECASE)
"""Tickets that one has are dated as what they are for."""
_MY_DATE = Regex(
    r"^(?:my|our) (?P<what>[a-z][a-z' -]{2,40}?) (?:is|are|starts?|begins?|takes place|will be)\b", re.IGNORECASE
)
_BIRTHDAY = Regex(r"my birthday(?:'s| is) (?=.*\d)", re.IGNORECASE)
"""A birthday with its date comes again each year: it is a fact about the person, and no appointment."""
_RELATION: Final = any_of(OTHERS)
_OTHER = Regex(
    rf"^(?:my|our) (?:(?:best|old|good|close|younger|older|little|big|new|ex|dear|late|twin|eldest|youngest) ){{0,2}}"
    rf"(?P<who>{_RELATION})(?: (?!I\b)(?-i:[A-Z])[a-z]+)?(?:'s (?P<thing>[a-z]+(?: [a-z]+)?))?(?: "
    r"(?:also|now|just|really|"
    r"always|recently|both|still|never))? (?P<verb>"
    + alt(
        """is | are | was | were | has | have | had | lives? | works? | likes? | loves? | hates? | plays? | studies
        study | teaches | teach | speaks? | prefers? | enjoys? | wants? | runs? | owns? | goes | moved | started
        got | bought | adopted | graduated | visited | went | passed | died | turned | married | retired
        joined | won | can't | doesn't | don't | isn't | aren't | collects? | raises? | hosts? | became | made
        gave | taught"""
    )
    + r") (?P<rest>.+)$",
    re.IGNORECASE,
)
_SAYING = Regex(
    r"(?:(?:always|just|totally|really|very|never|all) )*"
    r"(?:going to|gonna|kidding|joking|like,|right|wrong|here|there|the best|so|such a|too|being)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Event:
    """A memory of something that happened or will, and the appointment that it gives a date."""

    memory: ExtractedMemory
    appointment: Appointment | None = None


def events(turn: Turn, parts: Sequence[Clause] | None = None) -> Iterator[Event]:
    """The turn's events, plans and facts about people around the person, each dated where the turn dates it.

    Args:
        parts: the turn's `clauses`, of who has them already.
    """
    for clause in clauses(turn.text) if parts is None else parts:
        if not clause.asserted:
            continue
        said, _ = core(clause.text, dated=True)
        said = re.sub(r"[.!,;\s]+$", "", _AFTERTHOUGHT.sub("", shared(said)))
        if 3 <= len(said.split()) <= LONGEST and not _BIRTHDAY.match(said):
            set_for = appointment(said, turn.at)
            if set_for is not None:
                yield Event(_appointed(set_for, clause, turn), set_for)
            else:
                yield from map(Event, _events(said, clause, turn))


def _appointed(event: Appointment, clause: Clause, turn: Turn) -> ExtractedMemory:
    subject = re.match(r"(?:I|we|they)\b", event.clause, re.IGNORECASE)
    own = subject is not None and subject[0].casefold() != "they"
    text = third_person(event.clause) if own else about_them(event.clause)
    when = resolve(event.clause, turn.at, past=False)
    return _memory(_dated(text, turn, past=False), "episodic", clause, turn, when)


def _events(said: str, clause: Clause, turn: Turn) -> Iterator[ExtractedMemory]:
    said, leading = _leading_time(said)
    past = resolve(f"{leading}{said}", turn.at, past=True)
    coming = resolve(f"{leading}{said}", turn.at, past=False)
    other = _OTHER.match(said)
    if other and not _LOOSE.search(other["rest"]) and not _SAYING.match(other["rest"]):
        over = is_past(other["verb"])
        kind: MemoryKind = "episodic" if over else "semantic"
        text = _dated(about_them(_whole(said, leading)), turn, past=over)
        yield _memory(text, kind, clause, turn, past if over else coming)
    elif _LOOSE.search(said):
        return
    elif _COMMITTED.match(said) and (ahead := _last_ahead(said, turn)):
        text = f"{_dated_all(third_person(said), turn)} {_dated(leading, turn, past=True)}"
        done = resolve(leading, turn.at, past=True) if leading else None
        yield _memory(text, "episodic", clause, turn, ahead if _HELD.match(said) else done)
    elif _happened(said, dated=past is not None, now=turn.at):
        yield _memory(_dated(third_person(_whole(said, leading)), turn, past=True), "episodic", clause, turn, past)
    elif coming and coming.at >= turn.at.replace(hour=0, minute=0, second=0, microsecond=0) and _planned(said):
        text = about_them(said) if _MY_DATE.match(said) else third_person(said)
        yield _memory(_dated(_whole(text, leading), turn, past=False), "episodic", clause, turn, coming)


def _leading_time(said: str) -> tuple[str, str]:
    """ "Yesterday I went …" as "I went …" and "yesterday "."""
    match = re.match(
        r"(?P<time>(?:yesterday|today|tonight|tomorrow|(?:last|this|next) \w+|on \w+|in \w+|\w+ \w+ "
        r"ago)(?: \w+)?),? (?=(?:I|we|my)\b)",
        said,
        re.IGNORECASE,
    )
    return (said[match.end() :], f"{match['time']} ") if match else (said, "")


def _whole(said: str, leading: str) -> str:
    return f"{said} {leading.strip().lower()}" if leading else said


_VAGUE = Regex(r"\b(?:a few|some|several|many) \w+ ago\b|\b(?:recently|lately|just|the other day)\b", re.IGNORECASE)


def _happened(said: str, *, dated: bool, now: datetime) -> bool:
    verb = _FIRST_VERB.match(said)
    if verb is None:
        return bool(_PERFECT.match(said))
    word = verb[2].casefold()
    if word in _NO_EVENT or not is_past(word):
        return False
    if re.match(r"\W*(?:by|with|from|off)\b", said[verb.end() :]):  # "I started by adding …" narrates an exercise
        return False
    told = _VAGUE.sub("", said)
    when = resolve(told, now, past=True)
    told = told if when is None else told[: when.start] + told[when.end :]
    if len(told.split()) < 3:  # "I started a few days ago" does not say what
        return False
    return dated or (word in _NOTABLE and word not in _NEEDS_TIME)


def _planned(said: str) -> bool:
    return bool(_PLAN.match(said) or _MY_DATE.match(said)) and not re.search(r"\bnot\b|n't\b|\bmaybe\b", said)


def _dated(text: str, turn: Turn, *, past: bool) -> str:
    """The text with its time expression in words that stay true."""
    when = resolve(text, turn.at, past=past)
    return text if when is None else _labelled(text, when)


def _labelled(text: str, when: When) -> str:
    before = text[: when.start].rstrip()
    if re.search(r"\b(?:an?|the|my|their|our)$", before):  # "a July 12 lunch"
        return text
    label = re.sub(r"^(?:on|in) ", "", when.label) if _PREPOSITION.search(before) else when.label
    return " ".join(f"{before} {label} {text[when.end :]}".split()).replace(" ,", ",")


def _times(text: str, turn: Turn) -> Iterator[When]:
    """All time expressions of the text, read as what lies ahead."""
    start = 0
    while when := resolve(text[start:], turn.at, past=False):
        yield replace(when, start=start + when.start, end=start + when.end)
        start += when.end


def _last_ahead(said: str, turn: Turn) -> When | None:
    return next((when for when in reversed(list(_times(said, turn))) if is_ahead(when, turn.at)), None)


def _dated_all(text: str, turn: Turn) -> str:
    for when in reversed(list(_times(text, turn))):
        text = _labelled(text, when)
    return text


_PREPOSITION = Regex(
    r"\b(?:for|of|to|by|from|since|until|till|between|starting|in|on|at|before|after|during|around)$", re.IGNORECASE
)


def _memory(text: str, kind: MemoryKind, clause: Clause, turn: Turn, when: When | None) -> ExtractedMemory:
    at: datetime | None = None if when is None else when.at
    quote = turn.text[clause.start : clause.end].strip().rstrip(".!,;:")
    text = _unmasked(text, clause, turn)
    text = re.sub(r"^(?:just|actually|really|also|even) ", "", text, flags=re.IGNORECASE)
    text = text[:1].upper() + text[1:]
    return ExtractedMemory(" ".join(text.split()).rstrip(" .!,;"), kind, (turn.seq,), quote, valid_from=at)


def _unmasked(text: str, clause: Clause, turn: Turn) -> str:
    """The text with quoted titles as they stand in the turn."""
    if MASK not in text:
        return text
    masked = own_speech(turn.text)[clause.start : clause.end]
    for title in re.finditer(f"{MASK}+", masked):
        text = text.replace(title[0], turn.text[clause.start + title.start() : clause.start + title.end()], 1)
    return text
