"""Forgetting memories: the words they came from go, what else was derived from those turns is derived again.

Everything happens in one transaction of the caller; afterwards `ledger.erasure.scrub` makes the bytes disappear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from persona_memory.learning import fold
from persona_memory.learning.consolidation import content_words
from persona_memory.ledger import derived, erasure, events, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.events import NewEvent
from persona_memory.ledger.people import Person
from persona_memory.retrieval import tokens
from persona_memory.types import Event, Memory

_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|\n|$)|[^\n]+")

_ASKS = re.compile(r"\b(?:forget|delete|erase|remove|don't (?:remember|store|keep|save))\b", re.IGNORECASE)

MEANT = 0.6
"""Share of a request's words that a memory must hold to be meant by it."""

ECHO = 0.6
"""Share of the forgotten words that a sentence must hold to count as an echo of them."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: the memories, the turns whose text changed, and the vectors that went."""

    memory_ids: tuple[str, ...]
    turns: tuple[int, ...]
    points: tuple[str, ...]


def forget(
    tx: Connection,
    person: Person,
    *,
    memory_ids: Collection[str] = (),
    turns: Collection[int] = (),
    rests: Mapping[int, str] | None = None,
    identify: fold.Identify,
    now: datetime,
) -> Forgotten:
    """Redact the words that these memories rest on, and these turns as a whole; then derive the rest again.

    `rests` holds turns of which a part goes, with what is left of them. Earlier wordings of edited turns go with them.

    Unknown ids are ignored: what is not there is forgotten already.
    """
    found = people.lock(tx, person)
    asked = derived.read_memories(tx, person, ids=memory_ids)
    quotes = derived.quotes(tx, person, [memory.id for memory in asked])
    remaining = _remaining(tx, person, asked, quotes, frozenset(turns))
    remaining |= {seq: left for seq, left in (rests or {}).items() if len(left) < len(remaining.get(seq, left + " "))}
    remaining |= dict.fromkeys(events.earlier_wordings(tx, person, remaining), "")
    erasure.redact(tx, person, remaining)
    for event in events.in_order(tx, person, kinds=("answer", "feedback")):
        kept = without(event, set(remaining), {memory.id for memory in asked})
        if kept is not None:
            erasure.rewrite_answer(tx, person, event.seq, kept)
    items = [f"t{seq}" for seq in remaining] + [memory.id for memory in asked]
    points = vector_rows.points_of(tx, person, items)
    vector_rows.delete_points(tx, person, None, points)
    erasure.clean_jobs(tx, person)
    erasure.relearn_turns(tx, person, list(remaining))
    data = {"memories": len(asked), "turns": sorted(remaining)}
    events.append(tx, person, found, [NewEvent("forget", now, data=data)], now=now)
    fold.rebuild(tx, person, identify=identify)
    people.bump(tx, person, epoch=1, vectors=1)
    return Forgotten(tuple(memory.id for memory in asked), tuple(sorted(remaining)), tuple(points))


def meant(
    connection: Connection, person: Person, about: str, *, before: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Memory ids and turns that a request like "forget my address" means, if it named none.

    The memories that hold most of its words; where none does, the person's own turns that do.

    Args:
        before: sequence number of the turn that asks; only what was said before it can be meant.
    """
    words = set(tokens(about.partition(",")[0]))  # "my address, I don't want it stored" means the address
    if not words:
        return (), ()

    def is_meant(text: str) -> bool:
        return len(words.intersection(tokens(text))) >= MEANT * len(words)

    known = derived.read_memories(connection, person)
    ids = tuple(one.id for one in known if is_meant(one.text) and min(one.sources, default=before) < before)
    if ids:
        return ids, ()
    said = [turn for turn in events.turns(connection, person) if turn.role == "user" and turn.seq < before]
    return (), tuple(turn.seq for turn in said if any(is_meant(piece) for piece in sentences(turn.text)))


def without_request(text: str, about: str) -> str:
    """The text without its sentences that ask to forget: they name again what is to go. "" where none can be told."""
    words = set(tokens(about))
    pieces = sentences(text)

    def asks(piece: str) -> bool:
        return bool(_ASKS.search(piece)) or len(words.intersection(tokens(piece))) >= MEANT * max(1, len(words))

    rest = "".join(piece for piece in pieces if not asks(piece)).strip()
    return rest if any(asks(piece) for piece in pieces) else ""


def expire(
    tx: Connection, person: Person, *, before: datetime, identify: fold.Identify, now: datetime
) -> Forgotten | None:
    """Erase what is older than the person's retention allows; None when nothing is."""
    old = [turn.seq for turn in events.turns(tx, person) if turn.at < before]
    return forget(tx, person, turns=old, identify=identify, now=now) if old else None


def sentences(text: str) -> list[str]:
    """The text's sentences, in order; joined they are the text again."""
    pieces: list[str] = []
    end = 0
    for match in _SENTENCE.finditer(text):
        pieces.append(text[end : match.end()])
        end = match.end()
    if end < len(text):
        pieces.append(text[end:])
    return pieces


def _remaining(
    tx: Connection, person: Person, asked: Sequence[Memory], quotes: Mapping[str, str], whole: frozenset[int]
) -> dict[int, str]:
    """What is left of each turn that held the forgotten words, wherever they were said again."""
    everything = {turn.seq: turn.text for turn in events.turns(tx, person)}
    wanted = whole.union(*(memory.sources for memory in asked))
    left = {seq: everything[seq] for seq in wanted if seq in everything}
    for memory in asked:
        for seq in memory.sources:
            if seq in left:
                left[seq] = _without_quote(left[seq], everything[seq], quotes.get(memory.id, ""), memory.text)
    left.update(dict.fromkeys(whole & left.keys(), ""))
    lost = [_lost_words(everything[seq], left[seq]) for seq in left]
    for seq, text in everything.items():
        rest = _without_echoes(left.get(seq, text), lost)
        if rest != text:
            left[seq] = rest
    return {seq: text.strip() for seq, text in left.items() if text != everything[seq]}


def _without_quote(left: str, original: str, quote: str, memory_text: str) -> str:
    """The text without the sentences that hold the quote; without a quote, or if it is not there, nothing is left.

    A memory that merged several turns has one quote, from its first; in the others the sentences that share its words
    go.
    """
    if quote and quote in original:
        pieces = [piece for piece in sentences(left) if quote not in piece and piece.strip() not in quote]
        return "".join(pieces) if quote not in "".join(pieces) else ""
    if not quote:
        return ""
    shared = content_words(quote) | content_words(memory_text)
    rest = [piece for piece in sentences(left) if len(content_words(piece) & shared) < 2]
    return "".join(rest) if len(rest) < len(sentences(left)) else ""


def _lost_words(original: str, left: str) -> list[str]:
    """The words that went from a turn, in order."""
    kept = set(sentences(left))
    return tokens(" ".join(piece for piece in sentences(original) if piece not in kept))


def _without_echoes(text: str, lost: Sequence[Sequence[str]]) -> str:
    """The text without sentences that say the lost words again: a reply that repeated them, the same said elsewhere."""
    pieces = sentences(text)
    rest = [piece for piece in pieces if not any(_echoes(tokens(piece), words) for words in lost)]
    return text if len(rest) == len(pieces) else "".join(rest)


def _echoes(words: Sequence[str], lost: Sequence[str]) -> bool:
    """Whether a sentence's words repeat the lost ones: three in a row, or most of them."""
    if not lost:
        return False
    runs = set(zip(lost, lost[1:], lost[2:], strict=False))
    if any(run in runs for run in zip(words, words[1:], words[2:], strict=False)):
        return True
    return (
        len(set(lost)) > 1 and len(set(lost) & set(words)) >= ECHO * len(set(lost)) and len(set(lost) & set(words)) > 1
    )


def without(event: Event, turns: set[int], memory_ids: set[str]) -> dict[str, Any] | None:
    """The event's data without what cites these turns or memories; None when nothing changes."""
    data = dict(event.data)
    if event.kind == "feedback":
        touched = memory_ids.intersection(data.get("memories", ()))
        return {**data, "memories": [one for one in data["memories"] if one not in memory_ids]} if touched else None
    lists: dict[str, Callable[[Any], bool]] = {
        "memories": lambda one: turns.isdisjoint(one["sources"]) and one["id"] not in memory_ids,
        "support": lambda one: turns.isdisjoint(one["sources"]) and one["id"] not in memory_ids,
        "topics": lambda one: one["seq"] not in turns,
        "forget": lambda one: one["seq"] not in turns,
        "edits": lambda one: turns.isdisjoint(one["evidence"]),
        "refused": lambda one: turns.isdisjoint(one["evidence"]),
    }
    kept = {name: [one for one in data[name] if keep(one)] for name, keep in lists.items() if name in data}
    changed = any(len(kept[name]) != len(data[name]) for name in kept)
    return {**data, **kept} if changed else None
