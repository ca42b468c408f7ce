"""Corrections: what "Sorry, I meant Bergen" makes of what was said before it, and what only takes that back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from persona_memory.profile.english.contrast import put
from persona_memory.profile.english.found import Found
from persona_memory.profile.english.mending import exchange, looks_back
from persona_memory.profile.english.phrases import core
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.repairs import repair
from persona_memory.profile.english.scope import is_joke
from persona_memory.profile.english.sentences import plain
from persona_memory.profile.said import RULES, Statement, facts

_CORRECTION = Regex(
    r"^\W*(?:(?:no|sorry|oops|wait|actually|ah|oh|my mistake|correction|typo)\W+)*"
    r"(?:(?P<meant>i meant(?: to say)?|what i meant (?:is|was)|"
    r"i mean|make that|it should be|should be|i should have said|it's actually|it's|"
    r"it is|that's)[:,]?\s+)?"
    r"(?:not (?P<first>[^,.!?]+?)(?: any ?more)?(?:,| but|, but)\s+)?"
    r"(?P<new>[^,.!?]+?)(?:,? (?:and )?not (?P<old>[^,.!?]+))?\W*$",
    re.IGNORECASE,
)
"""Groups: `meant` announces a correction; without it, or with "it's", what was wrong has to be named."""
_NO_VALUE = Regex(
    r"\b(?:thanks?|thank|please|bye|hello|later|again|really|seriously|honestly|never|gotta|got|go|going|it|that|this|"
    r"you|he|she|they|we|i|i'm|what|who|why|how|is|are|was|were|am|do|does|did|have|has|joke|problem|worries|doubt|kidding|"
    r"way|matter|idea|rush|hurry|offen[cs]e|pressure|sorry|yes|no|ok|okay|sure|right|wrong|just|only|can|will|would)\b",
    re.IGNORECASE,
)


def _values(statement: Statement) -> list[str]:
    """What a statement's quote says of its value in the same words: of "dog Rex", "Rex"."""
    given = [str(change.value) for change in statement.changes if change.value is not None and change.op != "remove"]
    words = given[-1].split() if given else []
    tails = (" ".join(words[start:]) for start in range(len(words)))
    return [tail for tail in tails if tail.casefold() in statement.quote.casefold()]


LONGEST_CORRECTION: Final = 120
"""Characters of a turn that can be nothing but a correction."""


def exchanged(said: Sequence[Statement], correction: str) -> tuple[Statement, list[Found]] | None:
    """The statement that a correction is about, and what holds in its place; None where it corrects none of them."""
    meant = _meant(correction)
    if meant is None:
        return None
    wrong, right, announced = meant
    latest = list(said)[::-1]
    for statement in sorted(latest, key=lambda one: not _alike(one, right)):
        values = _values(statement)
        old = wrong or (values[0] if values and announced else "")
        if wrong:
            now = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: right, statement.quote, flags=re.IGNORECASE)
        else:
            now = put(right, statement.quote, _read) or ""
        found = [new for new in _read(now) if new.slot.split(":")[0] == statement.kind_of] if old else []
        if found and now != statement.quote:
            return statement, found
    return None


def named_exchange(correction: str, reply: str = "") -> tuple[str, str] | None:
    """What was wrong and what is right, where a correction names both: "I said 3 April, I meant 4 April".

    Args:
        correction: the turn.
        reply: the assistant's turn before it in the same thread. "It's 4 April, not 3 April" may be about anything in
            the world, and is taken for a correction only where that has named what was wrong.
    """
    meant = _meant(correction) if len(correction) <= LONGEST_CORRECTION else None
    if meant is None or not meant[0]:
        return None
    named = re.search(rf"(?<!\w){re.escape(meant[0])}(?!\w)", reply, re.IGNORECASE)
    return meant[:2] if named or looks_back(plain(correction)) else None


def _meant(correction: str) -> tuple[str, str, bool] | None:
    """What was wrong ("" where it is not named), what is right, and whether that is announced as a correction."""
    named = exchange(plain(correction).strip())
    if named is not None and not any(map(_NO_VALUE.search, named)):
        return *named, True
    announced = repair(correction)
    match = _CORRECTION.match(plain(announced.rest if announced else correction).strip())
    if match is None or _NO_VALUE.search(match["new"]):
        return None
    meant = match["meant"] and not re.match(r"(?:it's|it is|that's)$", match["meant"], re.IGNORECASE)
    return match["old"] or match["first"] or "", match["new"], bool(announced or meant)


def _alike(statement: Statement, new: str) -> bool:
    """Whether a value is written like that of a statement: both with a capital letter, both as numbers."""
    old = next(iter(_values(statement)), "")
    return (old[:1].isupper(), old[:1].isdigit()) == (new[:1].isupper(), new[:1].isdigit())


def _read(clause: str) -> list[Found]:
    return list(dict.fromkeys(facts(core(clause)[0], RULES)))


def is_retraction(text: str) -> bool:
    """Whether a turn does nothing but take back what was said before it, as a joke or as a mistake."""
    if is_joke(text):
        return True
    mending = repair(plain(text)) if len(text) <= LONGEST_CORRECTION else None
    return mending is not None and mending.certain and (not mending.rest or is_retraction(mending.rest))
