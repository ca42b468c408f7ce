"""What a rule finds in a clause."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from persona_memory.profile.english.deeds import same_deed
from persona_memory.profile.english.regex import compiled
from persona_memory.types import MemoryKind


@dataclass(frozen=True, slots=True)
class Given:
    """What must be known for a change to be meant: a position is over with an employer only for who has that one.

    Attributes:
        value: what the field has to hold, as a whole word.
        or_nothing: it may as well be empty.
        only: in one item and no more.
    """

    field: str
    value: str
    or_nothing: bool = False
    only: bool = False

    def holds(self, items: Collection[str]) -> bool:
        """Whether the field holds it."""
        wanted = Change(self.field, "remove", self.value)
        held = sum(map(wanted.means, items))
        return (held == 1 if self.only else held > 0) or (self.or_nothing and not items)


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of a field of the default schema.

    A "remove" takes out every item that `value` means, and the whole field where `value` is None. An "add" that is
    `vague` adds nothing where an item says the same more closely: "cat" beside "cat Pixel".

    Attributes:
        match: what a removed value means: items that hold it as a whole word, that are it ("exact"), that name the
            same activity ("deed"), or that hold one of its words ("any").
        instead: what takes the place of a removed value in the items that held it.
        given: what must be known for the change to be meant.
    """

    field: str
    op: Literal["set", "add", "remove"]
    value: str | int | None = None
    match: Literal["word", "exact", "deed", "any"] = "word"
    vague: bool = False
    instead: str | None = None
    given: Given | None = None

    def means(self, item: str) -> bool:
        """Whether a removal takes this item out."""
        if self.value is None:
            return True
        value, held = (" ".join(text.casefold().split()) for text in (str(self.value), item))
        if self.match == "exact":
            return value == held
        if self.match == "deed" and same_deed(value, held):
            return True
        if self.match == "any":
            return any(replace(self, value=word, match="word").means(item) for word in value.split())
        after = "" if value.endswith(":") else r"(?!\w)"
        return self.match == "word" and re.search(rf"(?<!\w)(?<!ex-){re.escape(value)}{after}", held) is not None

    def replaced(self, item: str) -> str | None:
        """What the item becomes: `instead` in the place of the value; None where nothing takes its place."""
        if self.instead is None:
            return None
        pattern = rf"(?<!\w)(?:(?:the|an?) )?{re.escape(str(self.value))}(?!\w)"
        changed = re.sub(pattern, lambda _: str(self.instead), item, flags=re.IGNORECASE)
        return changed if changed != item else self.instead


@dataclass(frozen=True, slots=True)
class Found:
    """One fact about the person.

    Attributes:
        slot: what it is about, e.g. "location" or "taste:coffee"; of one slot only one statement can hold at a time.
            What has ended also ends the slots that begin with its own and ":", e.g. "pet:dog" that of "pet:dog:rex".
        text: the fact in the third person, without subject.
        changes: what it means for the default profile.
        ended: it says that something is no longer so.
        presupposes: it says something only of what is known already: "I've given up pottery" of who did pottery.
    """

    slot: str
    text: str
    changes: tuple[Change, ...] = ()
    kind: MemoryKind = "semantic"
    ended: bool = False
    presupposes: bool = False


Builder = Callable[[re.Match[str]], Iterable[Found]]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A pattern that has to fit the beginning of a clause's core, whatever its letter case, and what it then means.

    It is compiled when it is first tried: a process that learns with an LLM never pays for it.
    """

    pattern: str
    build: Builder


def found_by(rules: tuple[Rule, ...], said: str) -> list[Found]:
    """What a clause says by these rules, in their order."""
    found: list[Found] = []
    for match, build in _matchers(rules, _head(said)):
        if hit := match(said):
            found += build(hit)
    return found


_HEADS: Final = (
    (r"(?:I|we)\s+", ("i ", "w ")), ("(?:I'm|we're)", ("i'", "w'")), ("(?:I've|we've)", ("i'", "w'")),
    ("I'm", ("i'",)), ("I ", ("i ",)), ("I(?:", ("i ", "i'")), ("(?:I|I've)", ("i ", "i'")),
    ("(?:I|we)", ("i ", "i'", "w ", "w'")), ("(?:I|I've|we)", ("i ", "i'", "w ")),
    ("(?:(?:I", ("i ", "i'", "w ", "w'")), ("(?:I|I've|we|we've)", ("i ", "i'", "w ", "w'")),
    ("(?:I've (", ("i ", "i'")), ("(?:I (", ("i ", "i'")), ("(?:I was", ("i ", "i'")), ("I've been", ("i'",)),
    ("my ", ("m ",)), ("(?:my|our)", ("m ", "o ")), ("(?:my|our|the)", ("m ", "o ", "t ")),
    ("(?:they|my ", ("t ", "m ")),
    ("(?:(?:he|she|they)", ("h ", "h'", "s ", "s'", "t ", "w ", "w'")), ("(?:there's|I've", ("t ", "i'")),
    ("(?:you'll|", ("y ", "y'")),
)  # fmt: skip
"""How a rule's pattern may begin, and the heads of the clauses that it can fit then."""


def _head(said: str) -> str:
    """The first letter, and whether it is that of "I'm" and "we're" or not; empty where it can be any."""
    letter = said[:1].lower()
    return letter + ("'" if "'" in said[1:3] else " ") if letter.isascii() else ""


@functools.cache
def _matchers(rules: tuple[Rule, ...], head: str) -> list[tuple[Callable[[str], re.Match[str] | None], Builder]]:
    """The rules that can fit a clause with this head, ready to be tried: most clauses fit none of all these."""
    return [(compiled(one.pattern, re.IGNORECASE).match, one.build) for one in rules if _can_fit(one.pattern, head)]


def _can_fit(pattern: str, head: str) -> bool:
    heads = next((heads for begins, heads in _HEADS if pattern.startswith(begins)), None)
    return not head or heads is None or head in heads or _divided(pattern)


def _divided(pattern: str) -> bool:
    """Whether a pattern has alternatives outside its groups: its beginning says nothing of the others."""
    depth = 0
    for mark in re.sub(r"\\.|\[[^]]*\]", "", pattern):
        depth += (mark == "(") - (mark == ")")
        if mark == "|" and not depth:
            return True
    return False


ADVERB: Final = (
    r"(?:(?:currently|now|also|still|actually|really|just|already|originally|always|truly|definitely|honestly|both|"
    r"happily|proudly|officially|finally|recently|absolutely|totally|technically|well|only)\s+)*"
)
"""Words between subject and predicate that leave a statement plain; hedges (almost, kind of …) are none of them."""

I_AM: Final = rf"(?:I'm|we're)\s+{ADVERB}"
I_DO: Final = rf"(?:I|we)\s+{ADVERB}(?:do\s+)?"
NOW: Final = (
    r"(?=\s*(?:$|[.,!;)\u2014]|\b(?:now|too|and|but|with|so|since|because|at the moment|right now|at "
    r"present|currently|these days|as well|again|though|today)\b))"
)


def rule(pattern: str, build: Builder) -> Rule:
    """A rule, as the tables of this package write it."""
    return Rule(pattern, build)


def one(slot: str, field: str, value: str | int, text: str) -> Found:
    """A fact that sets a field with one value."""
    return Found(slot, text, (Change(field, "set", value),))
