"""Plain English first-person statements as facts about the person, without a model.

Every turn is judged by itself: its clauses (`english.clauses`) are tried against the rules of `english.*`. What is
asked, supposed, quoted, played, taken back or over says nothing. Both the offline profile optimiser and the offline
memory extractor are made of this.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english import food, household, manner, person, predicate, sorts, taste, work
from persona_memory.profile.english.clauses import Clause, clauses, is_retraction, opens_doubt
from persona_memory.profile.english.contrast import contrasted, denial
from persona_memory.profile.english.found import Change, Found, Rule
from persona_memory.profile.english.grammar import affirmed, first_person
from persona_memory.profile.english.phrases import core, shared
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import plain
from persona_memory.profile.schema import ProfileSchema
from persona_memory.types import MemoryKind, Policy

__all__ = ["Change", "Statement", "answered", "closed_by", "corrected", "is_retraction", "slots_of", "statements"]

RULES: Final[tuple[Rule, ...]] = (
    *manner.RULES,
    *person.RULES,
    *work.RULES,
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
    """

    slot: str
    text: str
    changes: tuple[Change, ...]
    quote: str
    start: int
    kind: MemoryKind = "semantic"
    ended: bool = False

    def replaces(self, slot: str) -> bool:
        """Whether an older statement about `slot` is no longer true with this one, or this one says it more closely."""
        if self.ended:
            emptied = any(change.value is None and change.field.endswith(f".{slot}") for change in self.changes)
            return emptied or slot == self.slot or slot.startswith(f"{self.slot}:")
        return slot == self.slot or (":" in slot and self.slot.startswith(f"{slot}:"))

    def told_by(self, slot: str) -> bool:
        """Whether an older statement about `slot` says this and more: "Has a cat called Pixel" says "Has a cat"."""
        return self.vague and slot.startswith(f"{self.slot}:")

    @property
    def vague(self) -> bool:
        """Whether there may be a statement that says it more closely."""
        return any(change.vague for change in self.changes)


def statements(text: str) -> tuple[Statement, ...]:
    """The facts that a turn states about its speaker, in order; each slot at most once, its last statement wins."""
    return _stated(text, (*RULES, *household.MENTIONS))


def _stated(text: str, rules: Sequence[Rule]) -> tuple[Statement, ...]:
    found: dict[tuple[str, str], Statement] = {}
    for clause in clauses(text):
        if clause.asserted:
            for statement in _of_clause(clause, text, rules):
                found.setdefault((statement.slot, statement.text), statement)
    return tuple(found.values())


def _of_clause(clause: Clause, text: str, rules: Sequence[Rule]) -> Iterator[Statement]:
    said, greeted = core(clause.text)
    if re.match(r"(?:as|being) an?\b", clause.text, re.IGNORECASE):
        said = clause.text
        if not re.search(r"\b(?:i|my|me|i'm)\b", clause.then, re.IGNORECASE):
            return  # "As a doctor, what would you do?" is about the one who is asked
    quote = text[clause.start : clause.end].strip().rstrip(".!,;:")
    start = clause.start + text[clause.start : clause.end].find(quote[:1] or " ")
    plainly = RULES if opens_doubt(clause.text) else rules
    tried = (*plainly, *predicate.GREETED) if greeted else plainly
    for found in contrasted(said, lambda part: _facts(part, tried)):
        yield _statement(found, quote, start)


def _facts(said: str, rules: Sequence[Rule]) -> list[Found]:
    """The facts of a clause; what "my wife Noor and I" do, "we" do."""
    facts, together = [fact for rule in rules for fact in rule.found(said)], shared(said)
    ours = [] if together == said else [fact for rule in rules for fact in rule.found(together)]
    return facts + [fact for fact in ours if fact.slot not in {known.slot for known in facts}]


def _fact(statement: Statement) -> Found:
    return Found(statement.slot, statement.text, statement.changes, statement.kind, statement.ended)


def _statement(found: Found, quote: str, start: int) -> Statement:
    return Statement(found.slot, found.text, found.changes, quote, start, found.kind, found.ended)


def slots_of(memory: str) -> frozenset[str]:
    """The slots that a memory's text is about, if it says of the user what `statements` would have understood.

    Who is named in passing is not what it is about: "Lives with their partner Miguel" is about the household.
    """
    said = _stated(first_person(memory), RULES) or _stated(first_person(affirmed(memory)), RULES)
    return frozenset(found.slot for found in said)


def closed_by(text: str, schema: ProfileSchema, policy: Policy) -> bool:
    """Whether a text (a quote, or a memory in the third person) states what the person's policy closes."""
    closed = schema.closed(policy)
    return bool(closed) and not closed.isdisjoint(_fields_of(text))


@functools.lru_cache(maxsize=8192)
def _fields_of(text: str) -> frozenset[str]:
    """The profile fields that a text states something of."""
    said = (*statements(text), *statements(first_person(text)), *statements(first_person(affirmed(text))))
    return frozenset(change.field for statement in said for change in statement.changes)


# ── short answers ──────────────────────────────────────────────────────────────────────────────────────────────────

_QUESTIONS: Final = (
    (Regex(r"\bwhat(?:'s| is) your (?:\w+ )?name\b|\bwhat should i call you\b", re.I), "My name is {}"),
    (Regex(r"\bwhere do you live\b|\bwhere are you (?:based|living)\b|\bwhich city\b", re.I), "I live in {}"),
    (Regex(r"\bwhere are you (?:originally )?from\b", re.I), "I'm from {}"),
    (Regex(r"\bhow old are you\b|\bwhat(?:'s| is) your age\b", re.I), "I'm {} years old"),
    (
        Regex(r"\bwhat do you do for (?:a living|work)\b|\bwhat(?:'s| is) your (?:job|profession)\b", re.I),
        "I work as {}",
    ),
    (Regex(r"\b(?:which|what) languages do you speak\b", re.I), "I speak {}"),
    (
        Regex(r"\bwhat do you (?:like|enjoy)\b[^?]*\b(?:free|spare) time\b|\bwhat are your hobbies\b", re.I),
        "I enjoy {}",
    ),
    (Regex(r"\banything (?:that )?you (?:do not|don't) eat\b|\bany dietary\b", re.I), "I don't eat {}"),
    (Regex(r"\ballerg(?:ies|ic)\b", re.I), "I'm allergic to {}"),
)
_LEAD_IN = Regex(
    r"^\W*(?:it's|it is|that's|i'm|i am|i live in|i'm from|i enjoy|i like|in|from|at|just|well|yes|"
    r"yeah|sure|hi|oh|as)\b[\s,]*",
    re.IGNORECASE,
)
LONGEST_ANSWER: Final = 8
"""Words of a short answer; what is longer speaks for itself."""


def answered(question: str, text: str) -> tuple[Statement, ...]:
    """The facts in a short answer to the assistant's question: "Where do you live?" — "Porto".

    Empty where the reply states something by itself, is too long, or the question is not among those that are known.
    """
    reply = text.strip()
    if "?" in reply or not 1 <= len(reply.split()) <= LONGEST_ANSWER or statements(text):
        return ()
    asked = [template for pattern, template in _QUESTIONS if pattern.search(question.rsplit("\n", 1)[-1][-200:])]
    if (
        len(asked) != 1
        or "?" not in question
        or re.match(r"\W*(?:no|none|nothing|nope|i'd rather|not|why)\b", reply, re.I)
    ):
        return ()
    bare = _LEAD_IN.sub("", reply).rstrip(".!")
    said = asked[0].format(bare)
    return tuple(Statement(s.slot, s.text, s.changes, reply, 0, s.kind, s.ended) for s in statements(said))


# ── corrections ────────────────────────────────────────────────────────────────────────────────────────────────────

_CORRECTION = Regex(
    r"^\W*(?:(?:no|sorry|oops|wait|actually|ah|oh|my mistake|correction|typo)\W+)*"
    r"(?:(?P<meant>i meant(?: to say)?|i mean|make that|it should be|should be|i should have said|it's actually|it's|"
    r"it is|that's)[:,]?\s+)?"
    r"(?:not (?P<first>[^,.!?]+?)(?:,| but|, but)\s+)?"
    r"(?P<new>[^,.!?]+?)(?:,? (?:and )?not (?P<old>[^,.!?]+))?\W*$",
    re.IGNORECASE,
)
"""Groups: `meant` announces a correction; without it, or with "it's", what was wrong has to be named."""


def _values(statement: Statement) -> list[str]:
    """What a statement's quote says of its value in the same words: of "dog Rex", "Rex"."""
    given = [str(change.value) for change in statement.changes if change.value is not None and change.op != "remove"]
    words = given[-1].split() if given else []
    tails = (" ".join(words[start:]) for start in range(len(words)))
    return [tail for tail in tails if tail.casefold() in statement.quote.casefold()]


def corrected(before: str, text: str) -> tuple[Statement, ...]:
    """What a correction means: "Sorry, I meant Porto" after "I live in Lisbon" says "Lives in Porto".

    Of a list, "hazelnuts, not walnuts" after "I'm allergic to walnuts" also says that walnuts are not so.

    Args:
        before: the person's turn before it in the same thread.
        text: the turn; anything but a short correction gives nothing.
    """
    match = _CORRECTION.match(plain(text.strip())) if len(text) <= 120 else None
    said = statements(before) if match else ()
    if match is None or not said:
        return ()
    values = _values(said[-1])
    wrong = match["old"] or match["first"]
    announced = match["meant"] and not re.match(r"(?:it's|it is|that's)$", match["meant"], re.IGNORECASE)
    old = wrong or (values[0] if values and announced else "")
    meant = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: match["new"], said[-1].quote, flags=re.IGNORECASE)
    if not old or meant == said[-1].quote:
        return ()
    quote, kind = text.strip(), said[-1].slot.split(":")[0]
    found = [_fact(statement) for statement in statements(meant)]
    found = [fact for fact in found if fact.slot.split(":")[0] == kind]
    gone = denial(_fact(said[-1])) if found and all(fact.slot != said[-1].slot for fact in found) else None
    return tuple(_statement(fact, quote, text.find(quote)) for fact in ([gone] if gone else []) + found)
