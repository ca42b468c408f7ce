"""What is over, as facts that have ended: one concept of ending for all fields.

A clause that says that something is over ("I no longer go running") is read as the plain clause that it ends; what
the rules find in that is no longer so. Where they find nothing ("I've given up pottery"), it ends whatever the profile
holds of it, and says nothing if it holds none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from persona_memory.profile.english import leaving
from persona_memory.profile.english.endings import DEEDS, TASTES, Over, ending, without_tail
from persona_memory.profile.english.found import Change, Found
from persona_memory.profile.english.grammar import no_longer, third_person
from persona_memory.profile.english.phrases import thing
from persona_memory.profile.english.regex import Regex

Reader = Callable[[str], Sequence[Found]]

_LIKING = Regex(
    r"(?:I|we) (?:\w+ly )?(?:like|love|enjoy|adore|dig)\b|(?:I|we)'(?:m|re) (?:(?:\w+ly|so|a (?:big |huge )?) ?)*"
    r"(?:into|fan|fond|keen|crazy|passionate|obsessed|interested)\b",
    re.IGNORECASE,
)
"""Who no longer likes something may still do it."""

_FOR = Regex(
    r"(?:I|we) (?:\w+ly )?work for (?!(?:the|an?|my|our) (?:money|sake|love|fun|thrill|living|while|weekends?|pay|"
    r"\w+ (?:hours?|days?|weeks?)|hour|day|week|month|own)\b)"
    r"(?P<firm>(?:(?:the|an?|my|our) |(?=(?-i:[A-Z])))[^,;.!?]+?)\W*$",
    re.IGNORECASE,
)
"""Whoever one works for, one is employed by: "the ambulance service", "my uncle"; not "for free"."""
_PLACED: Final = (
    (Regex(r"^(I|we)'(?:m|re) (?:now |currently |back )?in (?=(?-i:[A-Z]))", re.IGNORECASE), "live in"),
    (
        Regex(r"^(I|we)'(?:m|re) (?:now |currently |back )?(?:at|with) (?=(?-i:[A-Z])|the |an? )", re.IGNORECASE),
        "work at",
    ),
)
_VISIT = Regex(
    r"\b(?:for (?!good\b|ever\b)|this|today|tonight|tomorrow|until|till|on (?:holiday|vacation|business|my way))",
    re.IGNORECASE,
)


def over(said: str, read: Reader) -> list[Found] | None:
    """What a clause says is over, as facts that have ended; None for a clause that ends nothing.

    Args:
        said: the clause, see `phrases.core`.
        read: the facts of a plain clause.
    """
    found = ending(said)
    if found is None:
        return None
    for plain in (*found.plain, *map(placed, found.plain)):
        held = [fact for fact in read(plain) if not fact.ended and not (found.whole and not _closes(fact, plain))]
        if held:
            ended = (no_more(fact, plain) for fact in held)
            text = third_person(said.rstrip(" .!"))
            return [replace(fact, text=text, presupposes=True) if found.presupposes else fact for fact in ended]
    firms = [match for plain in found.plain if (match := _FOR.match(plain))]
    if firms:
        return [leaving.left_for(firms[0]["firm"])]
    avoided = [fact for plain in found.plain for fact in read(_denied(plain)) if fact.slot.startswith("diet:no")]
    return avoided or list(_presupposed(found, said))


def placed(plain: str) -> str:
    """The clause with what "I'm in Porto" and "I'm with Bosch" mean where something of the kind is over."""
    for being, meant in () if _VISIT.search(plain) else _PLACED:
        plain = being.sub(rf"\1 {meant} ", plain)
    return plain


def no_more(fact: Found, plain: str) -> Found:
    """That the fact of a plain clause no longer holds; an activity in any of the fields that may hold it."""
    fields = TASTES if _LIKING.match(plain) else DEEDS
    given = [change for change in fact.changes if change.op != "remove"]
    if fact.slot == "employer":
        gone = tuple(change for it in given for change in leaving.left(str(it.value)))
        gone = tuple(map(leaving.or_nothing, gone)) if _FOR.match(plain) else gone
    elif fact.slot.startswith(("taste:", "routine:", "goal:")):
        gone = tuple(
            Change(field, "remove", change.value, match="deed")
            for change in given
            for field in (fields if change.field in DEEDS else (change.field,))
        )
    elif fact.slot.startswith(("style:", "format:")):
        gone = tuple(Change(change.field, "remove", f"{str(change.value).split(':')[0]}:") for change in given)
    else:
        gone = tuple(Change(change.field, "remove", change.value) for change in given)
    return Found(fact.slot, no_longer(fact.text), gone, fact.kind, ended=True)


def replaced(what: str, said: str) -> Iterator[Found]:
    """That an activity has given way to what a clause says."""
    yield from _presupposed(Over(what=what), said)


def _presupposed(end: Over, said: str) -> Iterator[Found]:
    what = thing(re.sub(r"^(?:the|my|our|an?) ", "", end.what, flags=re.IGNORECASE)) if end.what else None
    if what is None:
        return
    instead = _named(without_tail(end.instead)) if end.instead else None
    if end.instead and instead is None:
        return
    gone = tuple(Change(field, "remove", what, match="deed", instead=instead) for field in end.fields)
    if leaving.EMPLOYER in end.fields and not instead:
        gone = (*leaving.left(what), *gone)
    yield Found(f"over:{what.casefold()}", third_person(said.rstrip(" .!")), gone, ended=True, presupposes=True)


def _named(text: str) -> str | None:
    """A thing, its article kept where it needs one: "the city library"."""
    article = re.match(r"(?:the|an?) ", text, re.IGNORECASE)
    found = thing(text) or (thing(text[article.end() :]) if article else None)
    return found and (text if article and found == text[article.end() :] else found)


def _closes(fact: Found, plain: str) -> bool:
    """Whether a fact's value ends the clause: nothing narrows it."""
    return any(
        plain.rstrip(" .!").casefold().endswith(str(change.value).split()[-1].casefold())
        for change in fact.changes
        if change.value
    )


def _denied(plain: str) -> str:
    return re.sub(r"^(I|we) ", r"\1 don't ", plain)
