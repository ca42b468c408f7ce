"""The extractor that needs no model: plain English statements, events, instructions, requests and topic evidence.

What it cannot read in a sentence it leaves out; the turns themselves stay searchable. It reads the person's own turns
only, each by itself, so that its result hardly hangs on how turns are cut into windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from persona_memory.learning.rules.appointments import Appointment
from persona_memory.learning.rules.events import Event, events
from persona_memory.learning.rules.requests import forget_requests
from persona_memory.learning.rules.topics import topic_evidence
from persona_memory.profile.answers import answered
from persona_memory.profile.corrections import is_retraction
from persona_memory.profile.english.clauses import Clause, clauses
from persona_memory.profile.english.grammar import first_person, third_person
from persona_memory.profile.english.regex import Regex
from persona_memory.profile.english.sentences import sentences
from persona_memory.profile.schema import ProfileSchema, default_schema
from persona_memory.profile.statements import (
    Statement,
    closed_by,
    corrected,
    corrected_among,
    said_by,
    slots_of,
    statements,
)
from persona_memory.protocols import ExtractedMemory, Extraction, ForgetRequest, Window
from persona_memory.types import Memory, Policy, Turn

__all__ = ["RuleExtractor", "drop_superseded"]

CONFIDENCE: Final = 0.9

_REMEMBER: Final = Regex(
    r"^\W*(?:(?:and|also|oh|ok|okay|so)\W+)?(?:(?:please|can you|could you|will you|just)\s+)*"
    r"(?:remember|note|keep in mind|don't forget|do not forget)(?:\s+please)?\W*\s(?:that\s+|:\s*)?"
    r"(?P<what>(?:my|our|i|i'm|i've|we|the)\b.+)$",
    re.IGNORECASE,
)
"""A plain request to keep something: "Remember that my locker code is 4711"."""


_DATE: Final = Regex(r"(?: (?:on|in) [a-z ]*\d{4}[\d-]*)?")
_NAMING: Final = Regex(r"^Their [a-z -]+ (?:is|are) (?:called|named)\b")


@dataclass(frozen=True, slots=True)
class _Said:
    """A memory of this window, and the statement or the appointment it comes from, which say what it replaces."""

    memory: ExtractedMemory
    statement: Statement | None = None
    appointment: Appointment | None = None


@dataclass(frozen=True, slots=True)
class RuleExtractor:
    """Understands plain English without a model; deterministic, and never raises for what people write.

    In `ExtractedMemory.replaces`, "#k" stands for the k-th memory (from 0) of the same extraction: what is said and
    corrected within one window keeps its history. `drop_superseded` takes those out for who does not want them.

    Args:
        schema: what the categories that a person has closed are looked up in; None is the default schema.
    """

    name: str = "rules"
    schema: ProfileSchema | None = None

    async def extract(self, window: Window) -> Extraction:
        """The memories, topic evidence and forget requests of the window's fresh turns."""
        said: list[_Said] = []
        forget: list[ForgetRequest] = []
        parts: dict[int, tuple[Clause, ...]] = {}
        turns = (*window.before, *window.fresh)
        for place, turn in enumerate(turns[len(window.before) :], start=len(window.before)):
            if turn.role != "user":
                continue
            earlier = turns[:place]
            requests = forget_requests(turn, earlier, window.memories)
            forget += requests
            if requests or (is_retraction(turn.text) and turn.seq not in window.statements):
                said = _without(said, requests, _before(turn, earlier))
            if not requests and turn.seq in window.statements:
                said += _saved(turn)
            elif not requests:
                parts[turn.seq] = clauses(turn.text)
                said += _of_turn(turn, earlier, parts[turn.seq], window)
        said = [item for item in said if not _closed(item, self.schema or default_schema(), window)]
        return Extraction(
            _linked(_grounded(_without_vague(said, window), window), window),
            topic_evidence(window, parts),
            tuple(forget),
        )


def drop_superseded(extraction: Extraction) -> Extraction:
    """The extraction without memories that a later one of the same window replaces, and without "#k" references."""
    gone = {int(ref[1:]) for memory in extraction.memories for ref in memory.replaces if ref.startswith("#")}
    kept = (memory for place, memory in enumerate(extraction.memories) if place not in gone)
    plain = tuple(replace(m, replaces=tuple(ref for ref in m.replaces if not ref.startswith("#"))) for m in kept)
    return replace(extraction, memories=plain)


def _of_turn(turn: Turn, earlier: Sequence[Turn], parts: Sequence[Clause], window: Window) -> Iterator[_Said]:
    before = next((other for other in reversed(earlier) if other.thread_id == turn.thread_id), None)
    found = statements(turn.text, parts)
    reply = before.text if before is not None and before.role == "assistant" else ""
    if not found and reply:
        found = answered(reply, turn.text)
    own = _before(turn, earlier)
    if not found and own is not None:
        found = corrected(own.text, turn.text)
    if not found:
        found = corrected_among([memory.text for memory in _told_before(turn.seq, window)], turn.text, reply)
    asked = _asked_to_remember(turn, [statement.quote for statement in found])
    told = {event.memory.text.casefold(): event for event in (*events(turn, parts), *map(Event, asked))}
    for statement in found:
        text = statement.text.casefold()
        same = next((said for said in told if said.startswith(text) and _DATE.fullmatch(said, len(text))), None)
        event = told.pop(same) if same is not None else None
        dated = event is not None and event.memory.valid_from is not None
        memory = replace(event.memory, kind=statement.kind) if event and dated else _memory(statement, turn)
        yield _Said(memory, statement)
    quotes = [statement.quote for statement in found]
    for event in told.values():
        if event.memory.quote in quotes and _NAMING.search(event.memory.text):
            continue  # "Has a sister called Ana" says it
        yield _Said(event.memory, appointment=event.appointment)


def _asked_to_remember(turn: Turn, known: Sequence[str]) -> Iterator[ExtractedMemory]:
    """What the person asks to be kept in so many words, where the rules do not understand it otherwise."""
    for sentence in sentences(turn.text):
        match = _REMEMBER.match(sentence.text)
        asks = sentence.text.rstrip().endswith("?") and " that " not in sentence.text
        if match and not asks and not any(quote in sentence.text for quote in known):
            understood = statements(match["what"])
            text = understood[0].text if len(understood) == 1 else f"Asked to remember: {match['what'].rstrip(' .!?')}"
            yield ExtractedMemory(text, "semantic", (turn.seq,), sentence.text, confidence=CONFIDENCE)


def _memory(statement: Statement, turn: Turn) -> ExtractedMemory:
    return ExtractedMemory(statement.text, statement.kind, (turn.seq,), statement.quote, confidence=CONFIDENCE)


def _saved(turn: Turn) -> Iterator[_Said]:
    """What was saved through a tool is a memory as it stands; if the rules understand it, its slot is known, too."""
    said = statements(first_person(turn.text)) or statements(turn.text)
    text = (
        third_person(turn.text)
        if turn.text.lstrip().casefold().startswith(("i ", "i'm ", "i've "))
        else turn.text.strip()
    )
    if len(said) == 1:
        yield _Said(replace(_memory(said[0], turn), text=text, quote="", confidence=1.0), said[0])
    elif text:
        yield _Said(ExtractedMemory(text, "semantic", (turn.seq,), confidence=1.0))


def _closed(item: _Said, schema: ProfileSchema, window: Window) -> bool:
    """Whether a memory says what the person has closed, by itself or in the words that it was taken from."""
    policy = Policy(never_infer=window.closed)
    return bool(window.closed) and any(
        closed_by(text, schema, policy) for text in (item.memory.quote, item.memory.text)
    )


def _before(turn: Turn, earlier: Sequence[Turn]) -> Turn | None:
    """The person's turn before this one in the same thread."""
    own = (other for other in reversed(earlier) if other.role == "user" and other.thread_id == turn.thread_id)
    return next(own, None)


def _without(said: Sequence[_Said], requests: Sequence[ForgetRequest], before: Turn | None) -> list[_Said]:
    """What is left when a turn takes back, as a joke or with "forget that", what the turn before it said."""
    if before is None or (requests and all(request.about != before.text[:300] for request in requests)):
        return list(said)
    return [item for item in said if before.seq not in item.memory.sources]


def _without_vague(said: Sequence[_Said], window: Window) -> list[_Said]:
    """What is left without what is known more closely: "Has a cat" where there is "Has a cat called Pixel"."""
    kept: list[_Said] = []
    told: set[str] = set()
    for item in said:
        statement = item.statement
        vague = statement is not None and statement.vague
        slots = told | {slot for memory in _known(item, window) for slot in slots_of(memory.text)} if vague else told
        if statement is None or not any(map(statement.told_by, slots)):
            kept.append(item)
        if statement is not None and not statement.ended:
            told.add(statement.slot)
    return kept


def _grounded(said: Sequence[_Said], window: Window) -> list[_Said]:
    """What is left without what presupposes something that is not known: "I've given up pottery" of no potter."""
    kept: list[_Said] = []
    for item in said:
        statement = item.statement
        if statement is not None and statement.presupposes:
            known = [told for memory in _known(item, window) for told in said_by(memory.text)]
            before = (*known, *(other.statement for other in kept if other.statement is not None))
            if not any(map(statement.among(before).replaces, before)):
                continue
        kept.append(item)
    return kept


def _known(item: _Said, window: Window) -> list[Memory]:
    """The current memories of what was said before; when turns are read again, there are later ones, too."""
    return _told_before(min(item.memory.sources), window)


def _told_before(seq: int, window: Window) -> list[Memory]:
    return [memory for memory in window.memories if memory.current and max(memory.sources, default=0) < seq]


def _linked(said: Sequence[_Said], window: Window) -> tuple[ExtractedMemory, ...]:
    """The memories with what each replaces: known ones of the same slot, and earlier ones of this window."""
    known = [(memory.id, memory.text, said_by(memory.text)) for memory in window.memories if memory.current]
    linked = []
    for place, item in enumerate(said):
        statement = item.statement
        if statement is None:
            linked.append(_moved(item, [other.memory for other in said[:place]], window))
            continue
        told_before = [one for _, _, told in known for one in told]
        statement = statement.among(
            [*told_before, *(s for other in said[:place] if (s := other.statement) is not None)]
        )
        old = [ref for ref, text, told in known if text != item.memory.text and any(map(statement.replaces, told))]
        mine = [
            f"#{number}"
            for number, other in enumerate(said[:place])
            if other.statement is not None
            and other.memory.text != item.memory.text
            and statement.replaces(other.statement)
        ]
        linked.append(replace(item.memory, replaces=(*old, *mine)))
    return tuple(linked)


def _moved(item: _Said, mine: Sequence[ExtractedMemory], window: Window) -> ExtractedMemory:
    """The memory of an appointment with the memories that give the date it no longer has."""
    if item.appointment is None:
        return item.memory
    now = next(turn.at for turn in window.fresh if turn.seq in item.memory.sources)
    known = _known(item, window)
    told: list[Memory | ExtractedMemory] = [*known, *mine]
    refs = [*(memory.id for memory in known), *(f"#{place}" for place in range(len(mine)))]
    return replace(item.memory, replaces=tuple(refs[place] for place in item.appointment.replaces(told, now)))
