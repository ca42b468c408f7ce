"""Plain English first-person statements as facts about the person, without a model.

Every turn is judged by itself: its clauses (`english.clauses`) are tried against the rules of `english.*`. What is
asked, supposed, quoted, played, taken back or over says nothing. Both the offline profile optimiser and the offline
memory extractor are made of this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from persona_memory.profile.corrections import LONGEST_CORRECTION, exchanged, named_exchange
from persona_memory.profile.english import household
from persona_memory.profile.english.clauses import Clause, clauses
from persona_memory.profile.english.contrast import denial, put
from persona_memory.profile.english.found import Change, Rule
from persona_memory.profile.english.grammar import affirmed, first_person
from persona_memory.profile.english.mending import alone, denials, plainly, respelt, said_again, withdrawn
from persona_memory.profile.english.over import no_more, placed
from persona_memory.profile.english.phrases import core
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.repairs import repair
from persona_memory.profile.said import RULES, Statement, fact_of, facts, in_clause, quote_of, statement_of
from persona_memory.profile.schema import ProfileSchema
from persona_memory.types import Policy

__all__ = ["Change", "Statement", "closed_by", "corrected", "corrected_among", "said_by", "slots_of", "statements"]


def statements(text: str, parts: Sequence[Clause] | None = None) -> tuple[Statement, ...]:
    """The facts that a turn states about its speaker, in order; what is mended or said anew in it counts only so.

    Args:
        parts: the turn's `clauses`, of who has them already.
    """
    return _stated(text, _ALL, clauses(text) if parts is None else parts)


_ALL: Final = (*RULES, *household.MENTIONS)


NEAR: Final = 2
"""Sentences that a repair looks back; "Wait." may stand between."""


@dataclass(slots=True)
class _Doubt:
    """What a repair casts doubt on, until it is clear what holds instead."""

    of: list[Statement]
    certain: bool


_INSTEAD = Regex(r"\b(?:actually|really|in fact|in truth|meant|instead)\b", re.IGNORECASE)
"""What tells behind "I said I love jazz" that something else holds, and not something more."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What the person names as wrong, until they say what is right.

    Attributes:
        sentence: where it is named.
        value: in so many words: "I was wrong about the peanuts".
        again: the statements that a clause like "I said I live in Lisbon" says again.
    """

    sentence: int = -NEAR - 1
    value: str = ""
    again: tuple[Statement, ...] = ()

    def is_corrected(self, found: Sequence[Statement]) -> bool:
        """Whether statements are of the kind of what was said again."""
        return not {old.kind_of for old in self.again}.isdisjoint(new.kind_of for new in found)

    def denied(self, right: Statement, rules: tuple[Rule, ...]) -> Iterator[Statement]:
        """That what was wrong is not so, of which a statement says what is right."""
        said = plainly(core(right.quote)[0])
        named = put(self.value, said, lambda part: facts(part, rules)) if self.value else None
        once = [fact_of(old) for old in self.again] if self.is_corrected([right]) else []
        for gone in denials(facts(named, rules) if named else once, [fact_of(right)]):
            yield statement_of(gone, right.quote, right.start)


@dataclass(slots=True)
class _Told:
    """What the clauses of a turn have stated so far, and what of it is in question.

    Attributes:
        said: the statements, each with the number of its sentence.
    """

    said: list[tuple[int, Statement]] = field(default_factory=list)
    doubt: _Doubt | None = None
    wrong: _Wrong = field(default_factory=_Wrong)

    def drop(self, goes: Callable[[Statement], bool]) -> None:
        """Leaves out the statements that go."""
        self.said = [item for item in self.said if not goes(item[1])]


def _stated(text: str, rules: tuple[Rule, ...], parts: Sequence[Clause]) -> tuple[Statement, ...]:
    """What the clauses say in order, each in the light of those before it: mended, resumed, overruled."""
    told = _Told()
    for clause in parts:
        earlier = _just_before(told.said, clause)
        found = list(in_clause(clause, text, rules)) if clause.asserted else []
        if clause.asserted:
            found = _withdrawn(clause, found, earlier, told, text, rules)
        _respelt(clause, earlier, told)
        found = _repaired(clause, found, earlier, told, text)
        if all(new.presupposes for new in found):
            found = _no_more(clause, earlier, text) or _resumed(clause, told.said, text, rules) or found
        _settled(clause, found, told)
        if not _ADDED.search(clause.text):
            before = [old for _, old in told.said]
            found = [_grounded(new, before) for new in found]
            later = [new.among(before) for new in found]
            told.said = [item for item in told.said if not any(_overrules(new, item[1]) for new in later)]
        told.said += [(clause.sentence, new) for new in found]
    doubt = told.doubt
    if doubt is not None and doubt.certain:
        told.drop(lambda old: old in doubt.of)
    return tuple(dict.fromkeys(statement for _, statement in told.said))


def _withdrawn(
    clause: Clause,
    found: list[Statement],
    earlier: Sequence[Statement],
    told: _Told,
    text: str,
    rules: tuple[Rule, ...],
) -> list[Statement]:
    """What a clause states, where it names what was wrong, says it again, or says what is right instead."""
    if not found and (named := withdrawn(clause.text)):
        told.wrong = _Wrong(clause.sentence, named)
        return [gone for old in earlier[-1:] for gone in told.wrong.denied(old, rules)]
    if offset := said_again(clause.text):
        again = replace(clause, text=clause.text[offset:], start=clause.start + offset)
        told.wrong = _Wrong(clause.sentence, again=tuple(in_clause(again, text, rules)))
        return list(told.wrong.again) or found
    wrong = told.wrong
    if not found or clause.sentence - wrong.sentence > NEAR:
        return found
    told.wrong = _Wrong()
    if wrong.again and not _INSTEAD.search(clause.text):
        return found
    if wrong.is_corrected(found):
        told.drop(lambda old: old in wrong.again)
    return [*wrong.denied(found[-1], rules), *found]


def _respelt(clause: Clause, earlier: Sequence[Statement], told: _Told) -> None:
    """Lets the names that were given right before "I misspelt it" take the place of those given once."""
    if earlier and respelt(clause.text):
        told.said = [
            (sentence, _alone(old) if any(old is one for one in earlier) else old) for sentence, old in told.said
        ]


def _repaired(
    clause: Clause, found: list[Statement], earlier: list[Statement], told: _Told, text: str
) -> list[Statement]:
    """What a clause states, where it mends what stands right before it; that is in doubt then."""
    mending = repair(clause.text) if earlier else None
    if mending is not None and not (mending.rest == "" and any(old.ended for old in earlier)):
        told.doubt = _Doubt(earlier, mending.certain or (told.doubt is not None and told.doubt.certain))
    if not found and earlier and clause.asserted and (mended := exchanged(earlier, clause.text)):
        told.doubt = _Doubt([mended[0]], certain=True)
        return [statement_of(fact, *quote_of(clause, text)) for fact in mended[1]]
    return found


def _settled(clause: Clause, found: Sequence[Statement], told: _Told) -> None:
    """Takes out what was in doubt, as soon as something is said that holds instead of it."""
    doubt = told.doubt
    if doubt is None or not found:
        return
    if doubt.certain or not _ADDED.search(clause.text):
        told.drop(lambda old: _given_up(old, doubt, found))
    told.doubt = None


def _alone(old: Statement) -> Statement:
    return statement_of(alone(fact_of(old)), old.quote, old.start)


_USED_TO = Regex(
    r"\W*(?:(?:well|or|but|and|ok|okay|no|actually|at least|rather)\W+)*(?:(?:I|we) )?"
    r"(?:used to|not any ?more|not any longer|(?:don't|do not|am not|'m not)(?: really)? any ?more|no longer do)"
    r"(?:,? (?:anyway|anyhow|at least|that is|though|really|now))*\W*$",
    re.IGNORECASE,
)
"""What ends all that was said right before it: "I love tennis. Well, I used to."."""


def _no_more(clause: Clause, earlier: Sequence[Statement], text: str) -> list[Statement]:
    """What "Well, I used to." means behind "I love tennis": it is over, for who has said so before."""
    if not (clause.asserted and _USED_TO.match(clause.text)):
        return []
    over = (no_more(fact_of(old), core(old.quote)[0]) for old in earlier if not old.ended)
    return [replace(statement_of(fact, *quote_of(clause, text)), presupposes=True) for fact in over]


_ADDED = Regex(r"\b(?:also|too|as well|both|another)\b", re.IGNORECASE)


def _just_before(told: Sequence[tuple[int, Statement]], clause: Clause) -> list[Statement]:
    """What the sentence says up to a repair; where it begins with it, what the sentence before says."""
    same = [statement for sentence, statement in told if sentence == clause.sentence]
    near = max((sentence for sentence, _ in told if clause.sentence - sentence <= NEAR), default=-1)
    return same or [statement for sentence, statement in told if sentence == near]


def _given_up(old: Statement, doubt: _Doubt, found: Sequence[Statement]) -> bool:
    """Whether a doubted statement goes: something of its kind is said instead, or it is taken back in so many words."""
    kinds = {statement.kind_of for statement in doubt.of} & {new.kind_of for new in found}
    return old in doubt.of and (old.kind_of in kinds or (doubt.certain and not kinds))


_NEWS: Final = (
    (
        "demographics.employer",
        Regex(
            r"\b(?:chang\w+|switch\w+|new|another|left my(?: old)?) (?:jobs?|employers?|company|companies|firms?)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "demographics.location",
        Regex(r"\b(?:I|we)(?:'ve| have)?(?: \w+ly)? (?:moved|relocated)\b(?! to\b)", re.IGNORECASE),
    ),
)
"""What tells that "I'm at Bosch now" is no visit."""
_LASTING = Regex(r"\b(?:these days|nowadays|as of (?!now\b|today\b))\b|\bsince\b(?=.*\bI'm (?:at|in)\b)", re.IGNORECASE)
NEWS_BEFORE: Final = 80
"""Characters in front of a clause that can tell so."""


def _resumed(
    clause: Clause, told: Sequence[tuple[int, Statement]], text: str, rules: tuple[Rule, ...]
) -> list[Statement]:
    """What "I'm in Porto" means behind "I don't live in Lisbon any more", or with "these days"."""
    if not clause.asserted:
        return []
    ended = [old for sentence, old in told if old.ended and clause.sentence - sentence <= 1]
    fields = {change.field for old in ended if old.kind_of != "over" for change in old.changes}
    fields |= {field for field, _ in _NEWS[:1] if any(c.field == field for old in ended for c in old.changes)}
    if _LASTING.search(clause.text):
        fields |= {field for field, _ in _NEWS}
    fields |= {field for field, news in _NEWS if news.search(text[max(0, clause.start - NEWS_BEFORE) : clause.start])}
    found = facts(placed(core(clause.text)[0]), rules) if fields else []
    return [
        statement_of(fact, *quote_of(clause, text))
        for fact in found
        if fields.intersection(c.field for c in fact.changes)
    ]


def _grounded(new: Statement, told: Sequence[Statement]) -> Statement:
    """The statement in the light of this turn: what it presupposes may have been told right before."""
    if new.presupposes and not new.ended and any(_overrules(new, old) for old in told):
        return replace(new, presupposes=False)
    return new


def _overrules(new: Statement, old: Statement) -> bool:
    """Whether what is said later in a turn leaves nothing of what was said before."""
    if new.ended:
        return new.replaces(old)
    more = old.ended and not {change.field for change in old.changes} <= {change.field for change in new.changes}
    return (new.slot == old.slot and not more) or new.takes_out(old)


def slots_of(memory: str) -> frozenset[str]:
    """The slots that a memory's text is about, if it says of the user what `statements` would have understood.

    Who is named in passing is not what it is about: "Lives with their partner Miguel" is about the household.
    """
    return frozenset(found.slot for found in said_by(memory))


def said_by(memory: str) -> tuple[Statement, ...]:
    """What a memory's text states of the user; of what it denies, what it denies."""
    told, affirmative = first_person(memory), first_person(affirmed(memory))
    return _stated(told, RULES, clauses(told)) or _stated(affirmative, RULES, clauses(affirmative))


def closed_by(text: str, schema: ProfileSchema, policy: Policy) -> bool:
    """Whether a text (a quote, or a memory in the third person) states what the person's policy closes."""
    closed = schema.closed(policy)
    return bool(closed) and any(not closed.isdisjoint(said.about) for said in _readings(text))


def _readings(text: str) -> Iterator[Statement]:
    """What a text states, read as a quote and as a memory; of what it denies, what it denies."""
    for reading in dict.fromkeys((text, first_person(text), first_person(affirmed(text)))):
        yield from statements(reading)


def corrected(before: str, text: str) -> tuple[Statement, ...]:
    """What a correction means: "Sorry, I meant Porto" after "I live in Lisbon" says "Lives in Porto".

    Of a list, "hazelnuts, not walnuts" after "I'm allergic to walnuts" also says that walnuts are not so.

    Args:
        before: the person's turn before it in the same thread.
        text: the turn; anything but a short correction gives nothing.
    """
    said = statements(before) if len(text) <= LONGEST_CORRECTION else ()
    mended = exchanged(said, text) if said else None
    if mended is None:
        return ()
    old, found = mended
    gone = denial(fact_of(old)) if all(fact.slot != old.slot for fact in found) else None
    quote = text.strip()
    return tuple(statement_of(fact, quote, text.find(quote)) for fact in ([gone] if gone else []) + found)


def corrected_among(memories: Sequence[str], text: str, reply: str = "") -> tuple[Statement, ...]:
    """What a correction that names what was wrong means for who has these memories: "I said Oslo but I meant Bergen".

    Args:
        memories: texts of current ones. Where none of them, or more than one, holds what was wrong, it means nothing.
        text: the turn.
        reply: the assistant's turn before it in the same thread; "It isn't Oslo, it's Bergen" means this person only
            where that has spoken of Oslo.
    """
    named = named_exchange(text, reply)
    wrong = [] if named is None else [memory for memory in memories if _holds(memory, named[0])]
    return corrected(first_person(wrong[0]), text) if len(wrong) == 1 else ()


def _holds(memory: str, value: str) -> bool:
    given = (change for said in said_by(memory) if not said.ended for change in said.changes if change.op != "remove")
    return any(Change(change.field, "remove", value).means(str(change.value)) for change in given)
