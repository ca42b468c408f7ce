"""Forgetting memories: the words they came from go, what else was derived from those turns is derived again.

Everything happens in one transaction of the caller; `learning.erasures.finish` then clears the index and the bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from persona_memory.learning import fold
from persona_memory.learning.spans import (
    holds,
    lost_words,
    names,
    sentences,
    without_echoes,
    without_field,
    without_phrase,
    without_quote,
    without_repeats,
    without_request,
    without_withdrawn,
)
from persona_memory.ledger import derived, erasure, events, jobs, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.ledger.events import NewEvent
from persona_memory.ledger.people import Person
from persona_memory.profile.statements import corrected
from persona_memory.registry import retire_erased
from persona_memory.types import Event, Memory, ProfileEdit, Turn


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be forgotten.

    Attributes:
        memory_ids: memories, with the sentences that they rest on.
        turns: whole turns, with what the replies of their conversation say again of them.
        fields: profile fields with their history, and the sentences that state their values. What a value was inferred
            from stays.
        phrases: by turn, a phrase: the sentences that hold its words.
        requests: by the turn that asks to forget, what it asks about: the sentence that asks.
    """

    memory_ids: Collection[str] = ()
    turns: Collection[int] = ()
    fields: Collection[str] = ()
    phrases: Mapping[int, str] = field(default_factory=dict)
    requests: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: memories, profile fields, turns whose text changed, adapters; and vectors."""

    named: erasure.Named
    points: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """How many of each, for the receipt."""
        named = self.named
        return {
            "memories": len(named.memories), "fields": len(named.fields), "turns": len(named.turns),
            "vectors": len(self.points), "adapters": len(named.adapters),
        }  # fmt: skip


def forget(tx: Connection, person: Person, wanted: Wanted, *, identify: fold.Identify, now: datetime) -> Forgotten:
    """Redact the words of what is wanted, wherever they were said again; then derive the rest again.

    Unknown ids are ignored: what is not there is forgotten already.
    """
    asked, remaining = losing(tx, person, wanted)
    return erase(tx, person, remaining, asked, wanted.fields, identify=identify, now=now)


def losing(connection: Connection, person: Person, wanted: Wanted) -> tuple[list[Memory], dict[int, str]]:
    """The memories that go, and what is left of each turn that loses words, replies included. Nothing is changed."""
    asked = derived.read_memories(connection, person, ids=wanted.memory_ids)
    edits = [edit for edit in derived.read_edits(connection, person) if edit.field in wanted.fields]
    asked += _taken_back(connection, person, asked)
    quotes = derived.quotes(connection, person, [memory.id for memory in asked])
    return asked, _remaining(events.turns(connection, person), wanted, asked, edits, quotes)


def expire(
    tx: Connection, person: Person, *, before: datetime, identify: fold.Identify, now: datetime
) -> Forgotten | None:
    """Erase what was said before the person's retention began, and only that; None when there is nothing.

    Turns, wordings that were edited since, and corrections of profile fields. What the host has set stays.
    """
    old = dict.fromkeys(events.said_before(tx, person, before), "")
    fields = events.in_order(tx, person, kinds=("field",))
    corrections = [one for one in fields if one.at < before and one.data.get("basis") == "stated"]
    for event in corrections:
        erasure.rewrite_answer(tx, person, event.seq, {})
    return erase(tx, person, old, (), (), identify=identify, now=now) if old or corrections else None


def meant(
    connection: Connection, person: Person, about: str, *, ids: Collection[str], before: int
) -> tuple[tuple[str, ...], dict[int, str]]:
    """Memory ids, and phrases by turn, that a request like "forget my address" means.

    Sentences of the person's own that name the thing in the request's very words always go. Beside them go the memories
    that were named with the request; where none was, those that hold most of its words; where none does, the sentences
    that do.

    Args:
        ids: memories that whoever understood the request has named.
        before: sequence number of the turn that asks; only what was said until then can be meant.
            (What it says of the thing itself goes with the request.)
    """
    thing = about.partition(",")[0]  # "my address, I don't want it stored" means the address
    said = [turn for turn in events.turns(connection, person) if turn.role == "user" and turn.seq < before]
    told = [(turn.seq, piece) for turn in said for piece in sentences(turn.text)]
    phrases = {seq: thing for seq, piece in told if names(piece, thing)}
    found = tuple(ids)
    if not found:
        known = derived.read_memories(connection, person)
        found = tuple(one.id for one in known if holds(one.text, thing) and min(one.sources, default=before) <= before)
    if not found:
        phrases |= {seq: thing for seq, piece in told if holds(piece, thing)}
    return found, phrases


def shaken(connection: Connection, person: Person, lost: Collection[int]) -> set[int]:
    """Turns that still stand, but were cited together with lost ones: what they said is to be understood again."""
    gone = set(lost)
    cited = [
        one[key]
        for event in events.in_order(connection, person, kinds=("answer",))
        for name, key in (("memories", "sources"), ("edits", "evidence"))
        for one in event.data.get(name, ())
    ]
    cited += [memory.sources for memory in derived.read_memories(connection, person)]
    together = {seq for seqs in cited if not gone.isdisjoint(seqs) for seq in seqs}
    return together - gone


def without(
    event: Event, turns: Collection[int], memory_ids: Collection[str] = (), fields: Collection[str] = ()
) -> dict[str, Any] | None:
    """The event's data without what cites these turns, memories or profile fields; None when nothing changes."""
    data = dict(event.data)
    if event.kind == "feedback":
        rated = [one for one in data.get("memories", ()) if one not in memory_ids]
        return {**data, "memories": rated} if len(rated) < len(data.get("memories", ())) else None
    if event.kind == "field":
        return {} if data.get("field") in fields else None
    gone = set(turns)
    if data["job"] == "teach":  # the teacher has read them all, and is to be asked again
        return None if gone.isdisjoint(data["read"]) else {**data, "read": [], "examples": []}

    def stands(one: Mapping[str, Any]) -> bool:
        return gone.isdisjoint(one["sources"]) and one["id"] not in memory_ids

    def holds_still(one: Mapping[str, Any]) -> bool:
        return gone.isdisjoint(one["evidence"]) and one["field"] not in fields

    lists: dict[str, Callable[[Mapping[str, Any]], bool]] = {
        "memories": stands,
        "support": stands,
        "topics": lambda one: one["seq"] not in gone,
        "forget": lambda one: one["seq"] not in gone,
        "edits": holds_still,
        "refused": holds_still,
    }
    kept = {name: [one for one in data[name] if keep(one)] for name, keep in lists.items() if name in data}
    changed = any(len(kept[name]) != len(data[name]) for name in kept)
    return {**data, **kept} if changed else None


def replace_answers(
    tx: Connection, person: Person, job: str, read: Collection[int], *, before: int, identify: fold.Identify
) -> None:
    """What a job's answers up to the number `before` say of these turns goes, for what is understood of them now."""
    changed = False
    for event in events.in_order(tx, person, kinds=("answer",)):
        kept = without(event, read) if event.seq <= before and event.data["job"] == job else None
        if kept is not None:
            erasure.rewrite_answer(tx, person, event.seq, kept)
            changed = True
    if changed:
        fold.rebuild(tx, person, identify=identify)


def erase(
    tx: Connection,
    person: Person,
    remaining: Mapping[int, str],
    asked: Sequence[Memory],
    fields: Collection[str],
    *,
    identify: fold.Identify,
    now: datetime,
) -> Forgotten:
    """Leave of these turns what remains, and derive everything again without them.

    Earlier wordings of edited turns go with them.
    """
    found = people.lock(tx, person)
    left = {**remaining, **dict.fromkeys(events.earlier_wordings(tx, person, remaining), "")}
    again = shaken(tx, person, left)
    erasure.redact(tx, person, left)
    memory_ids = {memory.id for memory in asked}
    for event in events.in_order(tx, person, kinds=("answer", "feedback", "field")):
        kept = without(event, left, memory_ids, fields)
        if kept is not None:
            erasure.rewrite_answer(tx, person, event.seq, kept)
    held = vector_rows.point_ids(tx, person)
    vector_rows.delete_points(tx, person, None, vector_rows.points_of(tx, person, [f"t{seq}" for seq in left]))
    erasure.clean_jobs(tx, person)
    events.mark_pending(tx, person, {*left, *again})
    people.bump(tx, person, reprofile=True)
    data = {"memories": len(memory_ids), "turns": sorted(left)}
    (until,) = events.append(tx, person, found, [NewEvent("forget", now, data=data)], now=now)
    fold.rebuild(tx, person, identify=identify)
    people.bump(tx, person, epoch=1, vectors=1)
    points = held - vector_rows.point_ids(tx, person)
    retired = retire_erased(tx, person, turns=left, memory_ids=memory_ids)
    if retired:
        jobs.enqueue(tx, person, "consolidate", due=now, now=now)
    whole = tuple(sorted(seq for seq, text in left.items() if not text))
    named = erasure.Named(until, tuple(sorted(left)), whole, tuple(sorted(memory_ids)), tuple(sorted(fields)), retired)
    return Forgotten(named, tuple(sorted(points)))


def _taken_back(connection: Connection, person: Person, asked: Sequence[Memory]) -> list[Memory]:
    """What the words of these memories had corrected: said by mistake, it does not hold again without them."""
    if not asked:
        return []
    known = derived.read_memories(connection, person)
    quotes = derived.quotes(connection, person, [memory.id for memory in known])
    words = {(quotes[memory.id], memory.sources) for memory in asked}
    going = {memory.id for memory in known if (quotes[memory.id], memory.sources) in words}
    return [
        old
        for old in known
        if old.superseded_by in going and old.id not in going and corrected(quotes[old.id], quotes[old.superseded_by])
    ]


def _remaining(
    turns: Sequence[Turn],
    wanted: Wanted,
    asked: Sequence[Memory],
    edits: Sequence[ProfileEdit],
    quotes: Mapping[str, str],
) -> dict[int, str]:
    """What is left of each turn that loses something, and of the turns that say again what is lost."""
    said = {turn.seq: turn.text for turn in turns}
    left = {seq: without_request(said[seq], about) for seq, about in wanted.requests.items() if seq in said}
    left = said | left
    for memory in asked:
        for seq in said.keys() & set(memory.sources):
            left[seq] = without_quote(left[seq], said[seq], quotes.get(memory.id, ""), memory.text)
    for seq in said.keys() & wanted.phrases.keys():
        left[seq] = without_phrase(left[seq], wanted.phrases[seq])
    for (seq, path), values in _stated(edits).items():
        if seq in said:
            left[seq] = without_field(left[seq], path, values)
    # Where it cannot be told which sentence says it, a turn goes as a whole, small talk included.
    untold = {seq for seq in said if not left[seq] and len(sentences(said[seq])) > 1}
    for turn in turns:
        if turn.role == "user" and left[turn.seq] not in ("", turn.text):
            left[turn.seq] = without_withdrawn(left[turn.seq], turn.text)
    told = " ".join([*(memory.text for memory in asked), *wanted.phrases.values(), *_values(edits)])
    lost = lost_words(((said[seq], left[seq]) for seq in said.keys() - untold if left[seq] != said[seq]), told=told)
    whole = untold | (said.keys() & set(wanted.turns))
    left |= dict.fromkeys(whole, "")
    near = {turn.thread_id for turn in turns if left[turn.seq] != said[turn.seq]}
    for turn in turns:
        if turn.role == "assistant":
            left[turn.seq] = without_echoes(left[turn.seq], lost, near=turn.thread_id in near)
        else:
            left[turn.seq] = without_repeats(left[turn.seq], lost)
    left |= _replies_without(turns, left, whole)
    return {seq: text.strip() for seq, text in left.items() if text != said[seq]}


def _values(edits: Sequence[ProfileEdit]) -> list[str]:
    """The values of these edits as texts."""
    values = [edit.value if isinstance(edit.value, tuple | list) else (edit.value,) for edit in edits]
    return [str(value) for several in values for value in several if value is not None]


def _stated(edits: Sequence[ProfileEdit]) -> dict[tuple[int, str], list[str]]:
    """By turn and field, the values that were stated there."""
    found: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for edit in edits:
        for seq in edit.evidence if edit.basis == "stated" else ():
            found[seq, edit.field] += _values([edit])
    return found


def _replies_without(turns: Sequence[Turn], left: Mapping[int, str], whole: Collection[int]) -> dict[int, str]:
    """What is left of the assistant's replies in the conversations of turns that go as a whole."""
    changed: dict[int, str] = {}
    for thread in {turn.thread_id for turn in turns if turn.seq in whole}:
        lost = lost_words((turn.text, "") for turn in turns if turn.thread_id == thread and turn.seq in whole)
        replies = [turn.seq for turn in turns if turn.thread_id == thread and turn.role == "assistant"]
        changed |= {seq: without_echoes(left[seq], lost, near=True) for seq in replies}
    return changed
