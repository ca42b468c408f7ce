"""Plain English first-person statements as facts about the person, without a model.

Every turn is judged by itself: its clauses (`english.clauses`) are tried against the rules of `english.*`. What is
asked, supposed, quoted, played, taken back or over says nothing. Both the offline profile optimiser and the offline
memory extractor are made of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from persona_memory.profile.english import food, household, manner, person, predicate, taste, work
from persona_memory.profile.english.clauses import Clause, clauses, is_retraction
from persona_memory.profile.english.found import Change, Found, Rule
from persona_memory.profile.english.grammar import first_person
from persona_memory.profile.english.phrases import core
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
        """Whether what an older statement said about `slot` is no longer true when this one is."""
        return slot == self.slot or (self.ended and slot.startswith(f"{self.slot}:"))


def statements(text: str) -> tuple[Statement, ...]:
    """The facts that a turn states about its speaker, in order; each slot at most once, its last statement wins."""
    found: dict[tuple[str, str], Statement] = {}
    for clause in clauses(text):
        if clause.asserted:
            for statement in _of_clause(clause, text):
                found.setdefault((statement.slot, statement.text), statement)
    return tuple(found.values())


def _of_clause(clause: Clause, text: str) -> Iterator[Statement]:
    said, greeted = core(clause.text)
    if re.match(r"(?:as|being) an?\b", clause.text, re.IGNORECASE):
        said = clause.text
        if not re.search(r"\b(?:i|my|me|i'm)\b", clause.then, re.IGNORECASE):
            return  # "As a doctor, what would you do?" is about the one who is asked
    quote = text[clause.start : clause.end].strip().rstrip(".!,;:")
    start = clause.start + text[clause.start : clause.end].find(quote[:1] or " ")
    for rule in (*RULES, *predicate.GREETED) if greeted else RULES:
        for found in rule.found(said):
            yield _statement(found, quote, start)


def _statement(found: Found, quote: str, start: int) -> Statement:
    return Statement(found.slot, found.text, found.changes, quote, start, found.kind, found.ended)


def slots_of(memory: str) -> frozenset[str]:
    """The slots that a memory's text is about, if it says of the user what `statements` would have understood."""
    return frozenset(found.slot for found in statements(first_person(memory)))


def closed_by(text: str, schema: ProfileSchema, policy: Policy) -> bool:
    """Whether a text (a quote, or a memory in the third person) states what the person's policy closes."""
    closed = schema.closed(policy)
    if not closed:
        return False
    said = (*statements(text), *statements(first_person(text)))
    return any(change.field in closed for statement in said for change in statement.changes)


# ── short answers ──────────────────────────────────────────────────────────────────────────────────────────────────

_QUESTIONS: Final = (
    (re.compile(r"\bwhat(?:'s| is) your (?:\w+ )?name\b|\bwhat should i call you\b", re.I), "My name is {}"),
    (re.compile(r"\bwhere do you live\b|\bwhere are you (?:based|living)\b|\bwhich city\b", re.I), "I live in {}"),
    (re.compile(r"\bwhere are you (?:originally )?from\b", re.I), "I'm from {}"),
    (re.compile(r"\bhow old are you\b|\bwhat(?:'s| is) your age\b", re.I), "I'm {} years old"),
    (
        re.compile(r"\bwhat do you do for (?:a living|work)\b|\bwhat(?:'s| is) your (?:job|profession)\b", re.I),
        "I work as {}",
    ),
    (re.compile(r"\b(?:which|what) languages do you speak\b", re.I), "I speak {}"),
    (
        re.compile(r"\bwhat do you (?:like|enjoy)\b[^?]*\b(?:free|spare) time\b|\bwhat are your hobbies\b", re.I),
        "I enjoy {}",
    ),
    (re.compile(r"\banything (?:that )?you (?:do not|don't) eat\b|\bany dietary\b", re.I), "I don't eat {}"),
    (re.compile(r"\ballerg(?:ies|ic)\b", re.I), "I'm allergic to {}"),
)
_LEAD_IN = re.compile(
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

_CORRECTION = re.compile(
    r"^\W*(?:(?:no|sorry|oops|wait|actually|ah|oh|my mistake|correction|typo)\W+)*"
    r"(?:i meant(?: to say)?|i mean|make that|it should be|should be|i should have said|it's actually)[:,]?\s+"
    r"(?P<new>[^,.!?]+?)(?:,? (?:and )?not (?P<old>[^,.!?]+))?\W*$",
    re.IGNORECASE,
)


def corrected(before: str, text: str) -> tuple[Statement, ...]:
    """What a correction means: "Sorry, I meant Porto" after "I live in Lisbon" says "Lives in Porto".

    Args:
        before: the person's turn before it in the same thread.
        text: the turn; anything but a short correction gives nothing.
    """
    match = _CORRECTION.match(plain(text.strip())) if len(text) <= 120 else None
    said = statements(before) if match else ()
    if match is None or not said:
        return ()
    values = [str(change.value) for change in said[-1].changes if change.value is not None and change.op != "remove"]
    old = match["old"] or (values[-1] if values else "")
    meant = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: match["new"], said[-1].quote, flags=re.IGNORECASE)
    if not old or meant == said[-1].quote:
        return ()
    quote = text.strip()
    found = (s for s in statements(meant) if s.slot == said[-1].slot)
    return tuple(Statement(s.slot, s.text, s.changes, quote, text.find(quote), s.kind, s.ended) for s in found)
