"""What one clause says of its speaker: its clause of English, tried against the rules of `english.*`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from persona_memory.profile.english import (
    food,
    household,
    joining,
    leaving,
    manner,
    partners,
    person,
    predicate,
    sorts,
    taste,
    work,
)
from persona_memory.profile.english.clauses import Clause
from persona_memory.profile.english.contrast import contrasted
from persona_memory.profile.english.found import Change, Found, Rule, found_by
from persona_memory.profile.english.mending import mended, plainly
from persona_memory.profile.english.over import over
from persona_memory.profile.english.phrases import core, shared
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.scope import opens_doubt
from persona_memory.types import MemoryKind

RULES: Final[tuple[Rule, ...]] = (
    *manner.RULES,
    *person.RULES,
    *partners.RULES,
    *work.RULES,
    *joining.RULES,
    *leaving.RULES,
    *household.RULES,
    *food.RULES,
    *sorts.RULES,
    *taste.RULES,
    *predicate.RULES,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact that a turn states about its speaker.

    Attributes:
        slot: what it is about, e.g. "location" or "taste:coffee"; of one slot only one statement can hold at a time.
        text: the fact in the third person, without subject: "Lives in Porto".
        changes: what it means for the default profile schema, in order; empty where the schema has no field for it.
        quote: the exact span of the turn that says so.
        start: offset of `quote` in the turn.
        ended: it says that something is no longer so.
        presupposes: it says something only of what is known already: "I've given up pottery" of who did pottery.
    """

    slot: str
    text: str
    changes: tuple[Change, ...]
    quote: str
    start: int
    kind: MemoryKind = "semantic"
    ended: bool = False
    presupposes: bool = False

    def replaces(self, other: Statement) -> bool:
        """Whether an older statement is no longer true with this one, or this one says it more closely."""
        if self.ended:
            given = any(change.op != "remove" for change in other.changes)
            return not other.ended and (self.takes_out(other) or (not given and self.slot == other.slot))
        if other.ended:
            return other.replaces(self)
        same = self.slot == other.slot or (":" in other.slot and self.slot.startswith(f"{other.slot}:"))
        return same or self.takes_out(other)

    def takes_out(self, other: Statement) -> bool:
        """Whether it takes out of the profile what the other one has put in."""
        given = [change for change in other.changes if change.op != "remove"]
        gone = [change for change in self.changes if change.op == "remove"]
        return any(end.field == it.field and end.means(str(it.value)) for end in gone for it in given)

    def among(self, told: Sequence[Statement]) -> Statement:
        """The statement without the changes that are meant only for who has said something else, see `Change.given`."""
        if all(change.given is None for change in self.changes):
            return self
        given = [it for old in told if not old.ended for it in old.changes if it.op != "remove"]
        meant = [
            change
            for change in self.changes
            if change.given is None
            or change.given.holds([str(it.value) for it in given if it.field == change.given.field])
        ]
        return replace(self, changes=tuple(meant))

    def told_by(self, slot: str) -> bool:
        """Whether an older statement about `slot` says this and more: "Has a cat called Pixel" says "Has a cat"."""
        return self.vague and slot.startswith(f"{self.slot}:")

    @property
    def kind_of(self) -> str:
        """What kind of thing it is about: "taste" of "taste:coffee"."""
        return self.slot.split(":")[0]

    @property
    def about(self) -> frozenset[str]:
        """The fields that it gives a value; those that it empties where it gives none."""
        given = frozenset(change.field for change in self.changes if change.op != "remove")
        return given or frozenset(change.field for change in self.changes)

    @property
    def vague(self) -> bool:
        """Whether there may be a statement that says it more closely."""
        return any(change.vague for change in self.changes)


_SUBJECTLESS = Regex(
    r"(?:(?:just|finally|officially|also) )?(?:left|quit|joined|started (?:at|work)|finished up|wrapped up|handed in|"
    r"gave (?:notice|up)|resigned|retired|moved|relocated|settled|traded|swapped|switched|ditched|"
    r"dropped|stopped|adopted|"
    r"went (?:vegan|vegetarian)|lost my job|turned (?=\d)|got (?:fired|laid off|let go|sacked|hired|"
    r"married|engaged|divorced|"
    r"an? job|the job|an? offer))\b(?!\W*$| by\b)",
    re.IGNORECASE,
)
"""How people begin when they tell what happened to them: "Left Siemens last week"."""
_BEING = Regex(
    r"(?:(?:just|still|now|currently|finally|officially|happily) )*(?:(?:living|working|studying|"
    r"learning|training|based|"
    r"settled)\b(?= (?:in|at|as|for|to|with|(?-i:[A-Z]))\b)(?!.*\b(?:is|isn't|was|are|has|would|can|"
    r"sounds?)\b)|back to being|"
    r"newly|done with|allergic to|no longer|not (?=(?:an?|in|at|with|vegan|vegetarian|single|"
    r"married)\b.*\b(?:any ?more|any longer)\b)|single again)",
    re.IGNORECASE,
)
"""How people begin when they tell how they are: "Living in Porto these days"."""


def in_clause(clause: Clause, text: str, rules: tuple[Rule, ...]) -> Iterator[Statement]:
    """What a clause of a turn states, its contrasts and endings understood."""
    said, greeted = core(clause.text)
    if re.match(r"(?:as|being) an?\b", clause.text, re.IGNORECASE):
        said = clause.text
        if not re.search(r"\b(?:i|my|me|i'm)\b", clause.then, re.IGNORECASE):
            return  # "As a doctor, what would you do?" is about the one who is asked
    said = _with_subject(said)
    quote, start = quote_of(clause, text)
    plainly_so = RULES if opens_doubt(clause.text) else rules
    tried = _greeting(plainly_so) if greeted else plainly_so

    def read(part: str) -> list[Found]:
        return _told(part, tried)

    for found in mended(clause.text, read) or contrasted(plainly(said), read):
        meant = leaving.dated(found, f"{text[max(0, clause.start - BEFORE) : clause.start]}{clause.text}")
        if meant is not None:
            yield statement_of(meant, quote, start)


def _with_subject(said: str) -> str:
    """The clause with the subject that it leaves out: "Moved to Porto" → "I moved to Porto"."""
    if _SUBJECTLESS.match(said):
        return f"I {said[:1].lower()}{said[1:]}"
    return f"I'm {said[:1].lower()}{said[1:]}" if _BEING.match(said) else said


BEFORE: Final = 40
"""Characters in front of a clause that can say when it was."""


@functools.cache
def _greeting(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return (*rules, *predicate.GREETED)


def quote_of(clause: Clause, text: str) -> tuple[str, int]:
    """The span of the turn that a clause's statements come from, and where it begins."""
    quote = text[clause.start : clause.end].strip().rstrip(".!,;:")
    return quote, clause.start + text[clause.start : clause.end].find(quote[:1] or " ")


def _told(said: str, rules: tuple[Rule, ...]) -> list[Found]:
    """What a clause without contrasts says: what is over by it, or its facts."""
    finished = over(said, lambda plain: facts(plain, rules))
    plainly = facts(said, rules)
    if any(fact.ended for fact in plainly):
        return plainly
    return finished if finished and not finished[0].presupposes else (finished or []) + plainly


def facts(said: str, rules: tuple[Rule, ...]) -> list[Found]:
    """The facts of a plain clause; what "my wife Noor and I" do, "we" do."""
    mine, together = found_by(rules, said), shared(said)
    ours = [] if together == said else found_by(rules, together)
    return mine + [fact for fact in ours if fact.slot not in {known.slot for known in mine}]


def fact_of(statement: Statement) -> Found:
    """The fact of a statement, without its place in a turn."""
    return Found(
        statement.slot, statement.text, statement.changes, statement.kind, statement.ended, statement.presupposes
    )


def statement_of(found: Found, quote: str, start: int) -> Statement:
    """A fact as the statement of this quote."""
    return Statement(found.slot, found.text, found.changes, quote, start, found.kind, found.ended, found.presupposes)
