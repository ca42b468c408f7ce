"""A simulated user who asks what only somebody who knows them can answer well, until they are satisfied.

The questions are neutralized (AI PERSONA, arXiv 2412.13103): they hold nothing of the person. First comes the bare
question; then the person says what the answer has to fit, without the value; at last they say it themselves. They are
satisfied as soon as the prompt holds all that is true of the field, and nothing that is no longer true after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import HumanMessage

from persona_memory.budget import estimate, render_profile
from persona_memory.evaluation.people.compare import alike
from persona_memory.evaluation.people.generate import WORDINGS
from persona_memory.evaluation.people.person import Person, Session, Value, golden_profile
from persona_memory.injecting import inject
from persona_memory.memory import PersonaMemory
from persona_memory.profile import default_schema
from persona_memory.retrieval import tokens

SAID_IT_THEMSELVES = 3
LAST_SESSIONS = 3
LAST_MESSAGES = 9
"""Messages of each of the last sessions, as in the paper."""
RETRIEVED = 10

Known = Callable[[Person, str], dict[str, str]]
"""(person, question) to what is put into the prompt: "profile_text" and "memory_text", as `inject` takes them."""

_OUTDATED = "has since changed"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """How one field's question went: turns until the person was satisfied, tokens that the first prompt took."""

    turns: int
    tokens: int


def ask(person: Person, known: Known, *, after: int) -> Iterator[Asked]:
    """Every field that is known after this session, asked for once."""
    golden = person.golden(after)
    gone = person.changes(after)
    for wording in {wording.field: wording for wording in WORDINGS}.values():
        true = golden.get(wording.field)
        if true is None:
            continue
        old = [value for field, value, _ in gone if field == wording.field and value not in true]
        injected = [known(person, question) for question in (wording.question, wording.hint)]
        texts = [
            prompt(one, question) for one, question in zip(injected, (wording.question, wording.hint), strict=True)
        ]
        turns = next((turn for turn, text in enumerate(texts, 1) if holds(text, true, old)), SAID_IT_THEMSELVES)
        yield Asked(turns, estimate("\n\n".join(text for text in injected[0].values() if text)))


def prompt(known: dict[str, str], question: str) -> str:
    """The text of the messages that a model gets, without the question itself; what is so now comes last.

    The system message, where the profile stands, says what is so now; the memories beside the question carry dates.
    """
    messages = inject([HumanMessage(question)], known)
    return "\n".join(str(message.text) for message in reversed(messages)).replace(question, "")


def holds(text: str, true: Sequence[Value], old: Sequence[Value] = ()) -> bool:
    """Whether the text holds every true value, and none of the old ones as something that came later or still is."""
    lines = [line for line in text.splitlines() if _OUTDATED not in line]
    newest = [max((place for place, line in enumerate(lines) if _says(line, value)), default=None) for value in true]
    if any(place is None for place in newest):
        return False
    last = min(place for place in newest if place is not None)
    return not any(_says(line, value) for line in lines[last:] for value in old)


def _says(line: str, value: Value) -> bool:
    """Whether the line has all words of the value."""
    wanted = set(tokens(str(value))) or set(_WORD.findall(str(value).casefold()))
    return wanted <= set(tokens(line)) or (len(wanted) == 1 and any(alike(word, value) for word in _WORD.findall(line)))


# ── what is put into the prompt ─────────────────────────────────────────────────────────────────────────────────────


def nothing(person: Person, question: str) -> dict[str, str]:
    """No memory."""
    return {}


def last_sessions(sessions: Callable[[Person], Sequence[Session]]) -> Known:
    """The last sessions as they were said, at most `LAST_MESSAGES` messages of each."""

    def known(person: Person, question: str) -> dict[str, str]:
        return {"memory_text": "\n".join(_transcript(sessions(person)[-LAST_SESSIONS:]))}

    return known


def _transcript(sessions: Iterable[Session]) -> Iterator[str]:
    for session in sessions:
        lines = [
            f"{who}: {text}" for one in session.sayings for who, text in (("user", one.text), ("assistant", one.reply))
        ]
        yield from lines[-LAST_MESSAGES:]


def retrieved(memory: PersonaMemory) -> Known:
    """The turns that fit the question best, nothing else: retrieval over the history."""

    def known(person: Person, question: str) -> dict[str, str]:
        hits = [hit for hit in memory.search(question, user_id=person.user_id, limit=60) if hit.kind == "turn"]
        lines = [
            f"{hit.at:%Y-%m-%d} {hit.role}: {hit.text}" for hit in sorted(hits[:RETRIEVED], key=lambda hit: hit.at)
        ]
        return {"memory_text": "\n".join(lines)}

    return known


def learnt(memory: PersonaMemory, *, memories: bool = False) -> Known:
    """The learnt profile as `recall` renders it, with what is recalled beside it or without."""

    def known(person: Person, question: str) -> dict[str, str]:
        recall = memory.recall(question, user_id=person.user_id)
        return {"profile_text": recall.profile_text, "memory_text": recall.memory_text if memories else ""}

    return known


def told_truth(after: int) -> Known:
    """The golden profile: all that is true, and nothing else."""
    schema = default_schema()
    many = [spec.path for spec in schema.fields if spec.many]

    def known(person: Person, question: str) -> dict[str, str]:
        return {"profile_text": render_profile(golden_profile(person.golden(after), schema.names(), many))}

    return known


def to_json(asked: Iterable[Asked]) -> list[list[int]]:
    """As a checkpoint keeps it."""
    return [[one.turns, one.tokens] for one in asked]


def from_json(kept: Iterable[Any]) -> list[Asked]:
    """The inverse of `to_json`."""
    return [Asked(turns, size) for turns, size in kept]
