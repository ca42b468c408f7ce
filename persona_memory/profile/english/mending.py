"""How people correct what they said before: "I was wrong about the peanuts, it's walnuts I'm allergic to".

A clause that says at once what was wrong and what is right is read as two plain ones: "My dog isn't called Biscuit, he
is called Basil" as "My dog is called Basil" and, denied, "My dog is called Biscuit". Where both stand in clauses of
their own, `withdrawn` gives what the first names as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from persona_memory.profile.english.contrast import denial, put
from persona_memory.profile.english.found import Change, Found, Given
from persona_memory.profile.english.lexicon import (
    DEMONYMS,
    DIETS,
    INTOLERANCES,
    LANGUAGES,
    MONTHS,
    OCCUPATIONS,
    POLITICS,
    RELATIONSHIPS,
    RELIGIONS,
    WEEKDAYS,
    alt,
    words,
)
from persona_memory.profile.english.phrases import core
from persona_memory.profile.english.regex import Regex

Reader = Callable[[str], Sequence[Found]]

_HINT = Regex(
    r"\b(?:not|wrong\w*|mis[st]\w+|error|bad|said|told|wrote|typed|put|mentioned|claimed|saying|telling|confused|off|"
    r"mixed|muddled|say|write|written|take|no idea)\b|n't\b",
    re.IGNORECASE,
)
"""Stands in whatever corrects something: most clauses have none."""
_TOLD: Final = r"(?:said|wrote|typed|put|mentioned|claimed|told you(?: about)?|was (?:saying|telling you))"
_WRONG: Final = alt(
    rf"""i (?:was|am) (?:\w+ly )?(?:wrong|mistaken|off|confused|mixed up) (?:about|with|on)
    i (?:was wrong|made a mistake)(?: when i {_TOLD}| to say| in saying)
    i got (?:it|that|things|this)(?: all)? (?:wrong|mixed up|muddled)(?: about| with)?
    i (?:shouldn't|should not|didn't mean to|never meant to) (?:have )?(?:said|say|written|write)
    i take (?:it|that|this) back about | i keep saying | i (?:mis)?spoke about
    (?:scratch|forget|ignore|disregard|strike) what i {_TOLD}(?: about)?
    (?:i (?:don't|do not) know|no idea) why i {_TOLD} | my (?:mistake|bad|error) (?:about|with|on)"""
)
LONGEST: Final = 3
"""Words of a value that takes the place of another one."""
_BEFORE: Final = r"(?:earlier|before|yesterday|just now|last (?:time|week)|the other day)"
_THE: Final = r"(?:(?:the|my) )?"
_VALUE: Final = r"[^\s,.;:!?\u2014](?:[^,.;:!?\u2014]{0,40}?[^\s,.;:!?\u2014])?"
_WITHDRAWN = Regex(
    rf"(?:{_WRONG} {_THE}(?P<about>{_VALUE})|it (?:wasn't|was not|was never|isn't|is not) {_THE}"
    rf"(?P<was>{_VALUE})(?: after all)?)\W*$",
    re.IGNORECASE,
)
_SORRY: Final = r"\W*(?:(?:no|sorry|oops|ah|oh|well|actually|ok|okay|hm+|wait)\W+)*"
_REMINDS = Regex(
    rf"{_SORRY}(?:{_BEFORE},? )?i(?:'ve)? {_TOLD} (?:that )?(?=(?:my|our|i|we)\b)",
    re.IGNORECASE,
)
"""In front of what was said before and is now corrected: "I said my dog is called Biscuit, he's called Basil"."""

_REALLY: Final = r"(?:(?:actually|really|in fact|in truth|now|just|only|rather)\s+)*"
_IS: Final = r"(?:'s|'re| is| are)"
_IN_TRUTH: Final = (
    rf"(?P<how>(?:(?:but|and|it turns out)\s+)*(?:{_REALLY}(?:(?:it|he|she){_IS} {_REALLY}(?:(?:called|named) )?|"
    rf"(?:his|her|its|their|the) (?:real |actual |right |correct )?name{_IS} {_REALLY}|"
    r"i (?:really |actually )?meant(?: to say)? |what i meant (?:is|was) |it should (?:be|have been) )|"
    r"(?:only|just) ))"
    rf"(?P<new>{_VALUE})(?P<that> (?:that |who )?(?:i|we)\b(?:'m)?(?: [a-z]+){{1,2}})?"
)
"""What is right, as an ellipsis: "it's Porto", "he's called Basil", "it's Dutch that I speak", "I meant walnuts"."""
_ANNOUNCED = Regex(r"\b(?:meant|should)\b", re.IGNORECASE)
"""In front of a value that need not be written like the old one: "it's late" may be anything, "I meant" is not."""
_NAMED = Regex(r"\b(?:called|named?)\b", re.IGNORECASE)
_OF_SOMEBODY = Regex(r"\b(?:he|she|his|her|their|called|named?)\b", re.IGNORECASE)
"""In front of the right name of somebody, which is no place and no employer."""
_NOT_ALL = Regex(r"(?:an? (?:little|bit|few)|some|sometimes|\w+ly|in|on|at|with|for|during|when)\b", re.IGNORECASE)
"""What takes back a part of a denial: "I don't speak German, only a little"."""
_CONTRAST = Regex(r"\b(?:actually|really|in fact|in truth|rather)\b|^(?:only|just) $", re.IGNORECASE)
"""In front of another value rather than a reason: "it's actually dogs", "only dogs"."""
_BREAK: Final = r"\s*[,;:\u2014-]+\s*"
_DENIED_FIRST = Regex(
    rf"(?P<head>(?:my|our|i|we)\b[^,;:.!?\u2014]*?)(?P<no> isn't| is not| aren't| are not|'s not|'m not|'re not| don't)"
    rf"(?: actually| really)? (?P<rest>{_VALUE}){_BREAK}{_IN_TRUTH}\W*$",
    re.IGNORECASE,
)
_POSITIVE: Final = {"isn't": " is", "is not": " is", "aren't": " are", "are not": " are", "don't": ""} | {
    f"'{short} not": f"'{short}" for short in ("s", "m", "re")
}
_TOLD_FIRST = Regex(rf"(?P<rest>[^,;:.!?\u2014]+?)(?:{_BREAK}|\s+but\s+){_IN_TRUTH}\W*$", re.IGNORECASE)
_MINE: Final = r"my [^,;:.!?\u2014]+?"
_NAMED_WRONG = Regex(
    rf"(?:i|you)(?:'ve)? (?:(?:mistyped|misspelled|misspelt) (?P<respelt>{_MINE})|"
    rf"(?:got|have|had|wrote|typed|spelled|spelt|put) (?P<wrong>{_MINE}) (?:wrong|wrongly|incorrectly|mixed up))"
    rf"{_BREAK}{_IN_TRUTH}\W*$",
    re.IGNORECASE,
)
"""What was wrong is a name or a date that the person has: "I got my dog's name wrong, it's Basil"."""
_NAME_OF_IT: Final = r"(?:it|that|this|(?:his|her|its|their|the|my|our) name)"
_RESPELT = Regex(
    rf"\W*(?:sorry\W+)?i (?:(?:misspelt|misspelled|mistyped) {_NAME_OF_IT}\b(?=\W*$| (?:before|earlier|again|sorry)\b)|"
    rf"(?:spelled|spelt|typed|wrote) {_NAME_OF_IT} wrong\b)",
    re.IGNORECASE,
)
_EXCHANGE = Regex(
    rf"{_SORRY}(?:(?:when |{_BEFORE},? )?i {_TOLD}|did i (?:say|write|type)|{_WRONG}) "
    rf"{_THE}(?P<old>{_VALUE})(?: {_BEFORE})?\??"
    rf"(?:{_BREAK}|\s+(?=but\b|i meant\b)){_IN_TRUTH}\W*$",
    re.IGNORECASE,
)
_THIS_NOT_THAT = (
    Regex(
        rf"\W*it(?:'s not| is not| isn't) (?P<old>{_VALUE}){_BREAK}(?:but )?it(?:'s| is) (?P<new>{_VALUE})\W*$",
        re.IGNORECASE,
    ),
    Regex(
        rf"{_SORRY}(?:(?:his|her|its|their) name|he|she|it|they){_IS} {_REALLY}"
        rf"(?:(?:called|named) )?(?P<new>{_VALUE}),? (?:and )?not (?P<old>{_VALUE})\W*$",
        re.IGNORECASE,
    ),
)

_FOCUSED = Regex(
    rf"it(?:'s| is) {_REALLY}(?P<it>(?!not\b)(?:[^\s,;:.!?]+ ){{1,3}}?)(?:that |who )?"
    r"(?P<clause>i(?:'m|'ve)?\b[^,;:.!?]*?)(?P<rest>,? (?:and )?not [^,;:.!?]+)?\W*$",
    re.IGNORECASE,
)
_NOT_FOCUSED = Regex(
    rf"it(?:'s not| isn't| is not|'s never| wasn't) {_THE}(?P<not>(?:[^\s,;:.!?]+ ){{1,3}}?)(?:that |who )?"
    rf"(?P<clause>i(?:'m|'ve)?\b[^,;:.!?]*?){_BREAK}(?:but )?it(?:'s| is) {_REALLY}(?P<it>{_VALUE})\W*$",
    re.IGNORECASE,
)


def plainly(said: str) -> str:
    """A clause with its object in its place: "it's walnuts I'm allergic to" → "I'm allergic to walnuts"."""
    denied = _NOT_FOCUSED.match(said)
    if denied:
        return f"{denied['clause']} {denied['it'].strip()}, not {denied['not'].strip()}"
    focused = _FOCUSED.match(said)
    return said if focused is None else f"{focused['clause']} {focused['it'].strip()}{focused['rest'] or ''}"


def mended(clause: str, read: Reader) -> list[Found] | None:
    """What a clause says that names both what was wrong and what is right; None for any other clause."""
    if not _HINT.search(clause):
        return None
    again = _REMINDS.match(clause)
    said = core(clause[again.end() :] if again else clause)[0]
    if named := _NAMED_WRONG.match(said):
        told = f"{named['respelt'] or named['wrong']} is {named['new']}"
        return ([alone(fact) for fact in read(told)] or None) if _is_value(named) else None
    if match := _DENIED_FIRST.match(said):
        wrong = f"{match['head']}{_POSITIVE[match['no'].strip().casefold()]} {match['rest']}"
    elif again and (match := _TOLD_FIRST.match(said)):
        wrong = match["rest"]
    else:
        return None
    now = put(match["new"], wrong, read)
    affirmed = read(now) if now else []
    if not now or not affirmed:
        return None
    if _takes_its_place(match, wrong, now, affirmed):
        return [*denials(read(wrong), affirmed), *affirmed]
    return None if _NOT_ALL.match(match["new"]) else list(read(said[: match.end("rest")])) or None


def _is_value(ellipsis: re.Match[str]) -> bool:
    """Whether what is right of "my name" is one: "it's Catherine", not "it's fine"."""
    return bool(_ANNOUNCED.search(ellipsis["how"])) or any(_looks(ellipsis["new"]))


def _takes_its_place(ellipsis: re.Match[str], wrong: str, now: str, affirmed: Sequence[Found]) -> bool:
    """Whether an ellipsis gives another value and no reason or comment: "it's Porto", not "it's late".

    Args:
        ellipsis: a match with the groups of what is right.
        wrong: the clause with what was wrong.
        now: the clause with what is right in its place.
        affirmed: what it says then.
    """
    how, new = ellipsis["how"], ellipsis["new"]
    sorts = {fact.slot.partition(":")[0] for fact in affirmed}
    if _OF_SOMEBODY.search(how) and sorts.isdisjoint({"family", "pet", "name"}):
        return False
    if _ANNOUNCED.search(how) or (_NAMED.search(how) and _NAMED.search(wrong)) or _says_again(ellipsis, wrong):
        return True
    allergy, contrast = "allergy" in sorts, bool(_CONTRAST.search(how))
    if not _is_whole(new, affirmed) or ("taste" in sorts and not contrast):
        return False  # "it's Mum's favourite"; who likes or dislikes something tells why: "it's the crowds"
    place = now.rfind(new)
    old = wrong[place : place + len(wrong) - len(now) + len(new)]
    to_it = allergy and _SMALL.match(new) is not None  # "only to soy"
    return to_it or _alike(old, new, plural=allergy or contrast)


def _says_again(ellipsis: re.Match[str], wrong: str) -> bool:
    """Whether what follows the new value repeats the clause: "I don't speak German, it's Dutch that I speak"."""
    told, again = (set(text.casefold().split()) - _SUBJECTS for text in (wrong, ellipsis["that"] or ""))
    return not told.isdisjoint(again)


def _is_whole(new: str, affirmed: Sequence[Found]) -> bool:
    """Whether the new value is understood to its last word."""
    last = _TRAILING.sub("", new).split()[-1].casefold()
    values = (str(change.value).casefold() for fact in affirmed for change in fact.changes if change.op != "remove")
    return any(last in value.split() for value in values)


_SUBJECTS: Final = words("i i'm we we're that who")
_TRAILING = Regex(r"\W+(?:now|though|actually|really|instead|these days)$", re.IGNORECASE)


def denials(wrong: Sequence[Found], right: Sequence[Found]) -> list[Found]:
    """That what was said is not so, where what is right does not take its place by itself."""
    kept = {found.slot for found in right}
    found = [denial(fact) for fact in wrong if fact.slot not in kept]
    return [replace(gone, presupposes=True) for gone in found if gone is not None]


def said_again(clause: str) -> int:
    """Where what was said before begins, in a clause that says it again: "I said I live in Lisbon"; 0 in any other."""
    match = _REMINDS.match(clause)
    return 0 if match is None or _TOLD_FIRST.match(clause, match.end()) else match.end()


def withdrawn(clause: str) -> str:
    """What a clause names as wrong, as a value: "I was wrong about the peanuts" → "peanuts"; empty for any other."""
    match = _WITHDRAWN.match(core(clause)[0]) if _HINT.search(clause) else None
    return "" if match is None else (match["about"] or match["was"]).strip()


def respelt(clause: str) -> bool:
    """Whether a clause says that a name just given was written wrongly before: "I misspelt it"."""
    return _RESPELT.match(clause) is not None


def exchange(text: str) -> tuple[str, str] | None:
    """What was wrong and what is right, of a correction that names two values and no more: "I said X but I meant Y"."""
    match = _EXCHANGE.match(text)
    if match is None:
        match = next((found for one in _THIS_NOT_THAT if (found := one.match(text))), None)
    elif not (_ANNOUNCED.search(match["how"]) or _NAMED.search(match["how"]) or _alike(match["old"], match["new"])):
        return None
    if match is None or len(match["new"].split()) > LONGEST:
        return None
    return match["old"].strip(), match["new"].strip()


def looks_back(text: str) -> bool:
    """Whether a correction says of itself that it is one of something said before, or of a name."""
    return _LOOKS_BACK.search(text) is not None


_LOOKS_BACK = Regex(rf"\b(?:meant|called|named?|i {_TOLD}|did i (?:say|write|type)|{_WRONG})\b", re.IGNORECASE)
_OCCASIONS: Final = words(
    "lent ramadan easter christmas advent passover eid diwali hanukkah halloween thanksgiving ok okay"
)
_VOCABULARIES: Final = tuple(
    frozenset(map(str.casefold, one))
    for one in (
        *({*MONTHS, *WEEKDAYS}, _OCCASIONS, DEMONYMS, LANGUAGES),
        *(DIETS, RELATIONSHIPS, OCCUPATIONS, INTOLERANCES, RELIGIONS, POLITICS),
    )
)
"""A word that is in one of these takes the place only of another one in it: it's no dog that is Spanish."""
_SMALL = Regex(r"(?:(?:in|on|at|to|for|from|with|as|an?|the)\s)+", re.IGNORECASE)
_NO_PLURAL = Regex(r"(?:my|our|his|her|its|their|your|the|this|that|all|always|sometimes)\b|.*(?:[sui]s|ways)$", re.I)
"""What ends like a plural and is none ("delicious"), or tells why: "it's my knees"."""


def _alike(old: str, new: str, *, plural: bool = True) -> bool:
    """Whether two values are written alike; "it's late" behind "I said coffee" gives no other value.

    Args:
        plural: whether it is enough that both are plurals.
    """
    was, now = _SMALL.sub("", old.strip()), _SMALL.sub("", new.strip())
    known = [one for one in _VOCABULARIES if now.casefold() in one]
    if known:
        return any(was.casefold() in one for one in known)
    kinds = [_looks(one)[: 3 if plural else 2] for one in (was, now)]
    return any(a and b for a, b in zip(*kinds, strict=True))


def _looks(value: str) -> tuple[bool, bool, bool]:
    """Whether a value is written as a name, a number, a plural."""
    return value[:1].isupper(), value.isdigit(), value.endswith("s") and not _NO_PLURAL.match(value)


def alone(fact: Found) -> Found:
    """The fact of a relative or pet with its right name: it takes the place of the only one of its kind."""
    sort, _, called = fact.slot.partition(":")
    kind = called.partition(":")[0]
    if sort not in {"family", "pet"} or ":" not in called:
        return fact
    field = fact.changes[-1].field
    gone = Change(field, "remove", kind, given=Given(field, kind, only=True))
    return replace(fact, changes=(gone, *fact.changes))
