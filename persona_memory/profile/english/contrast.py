"""Contrasts: what "X, not Y", "not Y but X" and "X instead of Y" say of X and deny of Y."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from persona_memory.profile.english.found import Change, Found
from persona_memory.profile.english.grammar import affirmed, negated
from persona_memory.profile.english.lexicon import alt
from persona_memory.profile.english.over import replaced
from persona_memory.profile.english.regex import Regex

_NO_CONTRAST: Final = alt(
    """only | just | even | all | every(?!one) | always | often | usually | necessarily | really | exactly | quite
    too | very | so | sure | that | because | if | when | as | gonna | going | to (?:mention|say|be|brag) | yet
    anymore | at all | far | much | many | kidding | joking | the (?:best|worst|only|same) | bad | sorry
    surprising\\w* | (?:my|your|his|her) (?:fault|thing|problem) | knowing | having | being | on purpose | by choice
    like | actually"""
)
"""What follows "not" where nothing is put against anything: "not gonna lie", "not that it matters"."""

_MARK = Regex(r"\bnot\b|n't\b|\binstead of\b|\brather than\b", re.IGNORECASE)
_X_NOT_Y = Regex(
    r"(?P<head>.+?)(?:\s*[,;(\u2014-]+\s*(?:and |but )?not|\s+(?:and|but) not|\s+not|,?\s+(?:instead of|rather than))"
    rf"\s+(?!{_NO_CONTRAST}\b)(?P<old>[^,.!?;()\u2014]+)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_INSTEAD = Regex(r"(instead of [^,.!?;]+?),? (?=(?:I|we)\b)", re.IGNORECASE)
"""In front of what is so instead: "Instead of tennis I play badminton now"."""
_NOT_Y_BUT_X = Regex(
    r"(?P<head>.*?(?:(?P<verb>\bdon't|\bisn't|\baren't|\bno longer)|\bnot))"
    rf"\s+(?!{_NO_CONTRAST}\b)(?P<old>[^,.!?;]+?),?\s+but\s+(?:rather\s+)?(?P<new>[^,.!?;]+)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = Regex(r"(?:(?:in|on|at|to|for|from|with|as|by|near|an?|the|every)\s)+", re.IGNORECASE)
_TAIL = Regex(r"\s+(?:though|thanks|anymore|please|now|any longer|as i (?:said|wrote)|after all|obviously)\W*$", re.I)
_ENDS = Regex(
    r"\W*$|\s*[,.;!(]|\s+(?:now|too|these|with|in|at|for|from|since|because|and|or|as|this|last|when|on)\b",
    re.IGNORECASE,
)
"""Behind a value that can be exchanged: not "pollen" in "a pollen allergy"."""
LONGEST: Final = 6
"""Words of what is put against something; what is longer is no name of a thing."""

Reader = Callable[[str], Sequence[Found]]


def contrasted(said: str, read: Reader) -> Sequence[Found]:
    """The facts of a clause; what its contrasts deny comes first, as facts that have ended.

    Args:
        said: the clause.
        read: the facts of a clause without contrasts.
    """
    for divide in (_not_but, _x_not_y) if _MARK.search(said) else ():
        split = divide(said, read)
        if split is not None:
            affirmed, denied = read(split[0]), read(split[1])
            if affirmed:
                over = [] if denied else list(replaced(split[2], split[0]))
                return (*_denials(affirmed, denied), *over, *affirmed)
    return read(said)


def denial(found: Found) -> Found | None:
    """That a fact is not so; None for one that has no items of a list field or is a denial itself."""
    gone = tuple(
        Change(change.field, "remove", change.value, match="exact") for change in found.changes if change.op == "add"
    )
    text = negated(found.text) or (affirmed(found.text) if affirmed(found.text) != found.text else None)
    return None if not gone or found.ended or text is None else Found(found.slot, text, gone, found.kind, ended=True)


def _denials(affirmed: Sequence[Found], denied: Sequence[Found]) -> Iterator[Found]:
    """A field with one value needs none: the new value takes the place of the old."""
    slots = {found.slot for found in affirmed}
    for found in denied:
        gone = denial(found)
        if gone is not None and found.slot not in slots:
            yield gone


def _x_not_y(said: str, read: Reader) -> tuple[str, str, str] | None:
    first = _INSTEAD.match(said)
    match = _X_NOT_Y.match(said if first is None else f"{said[first.end() :].rstrip(' .!')} {first[1]}")
    if match is None or len(match["old"].split()) > LONGEST:
        return None
    head, old = match["head"], _TAIL.sub("", match["old"]).strip()
    instead = old if re.search(r"\b(?:instead of|rather than)\b", said, re.IGNORECASE) else ""
    return f"{head}{match['rest']}", put(old, head, read) or "", instead


def _not_but(said: str, read: Reader) -> tuple[str, str, str] | None:
    match = _NOT_Y_BUT_X.match(said)
    if match is None or len(match["old"].split()) > LONGEST:
        return None
    verb = (match["verb"] or "not").casefold()
    positive = {"isn't": "is", "aren't": "are"}.get(verb, "")
    head = f"{match['head'][: -len(verb)]}{positive}".rstrip()
    denied = f"{head} {match['old']}"
    bare = verb == "don't" and _LEAD.match(match["new"]) is None  # "I don't like tea but love coffee" has two verbs
    affirmed = None if bare else put(match["new"], denied, read)
    return None if affirmed is None else (f"{affirmed}{match['rest']}", denied, "")


def put(other: str, clause: str, read: Reader) -> str | None:
    """The clause with another thing in the place of what it says: where the same small words stand, else its value."""
    lead = _LEAD.match(other)
    if lead is not None:
        word = lead[0].split()[0].casefold()
        small = "an?" if word in {"a", "an"} else word
        places = list(re.finditer(rf"\b{small}\s", clause, re.IGNORECASE))
        return f"{clause[: places[-1].start()]}{other}" if places else None
    for value in _values(read(clause)):
        place = clause.casefold().rfind(value.casefold())
        if place >= 0 and _ENDS.match(clause, place + len(value)):
            return f"{clause[:place]}{other}{clause[place + len(value) :]}"
    return None


def _values(found: Sequence[Found]) -> Iterator[str]:
    """What stands for the last fact in the clause, longest first: "daughter Ines", then "Ines"."""
    for fact in reversed(found):
        for change in reversed(fact.changes):
            if change.value is not None and change.op != "remove":
                words = str(change.value).split()
                yield from (" ".join(words[start:]) for start in range(len(words)))
