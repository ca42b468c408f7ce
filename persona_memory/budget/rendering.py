"""Rendering what is remembered as guarded text, for the profile and for the hits of one recall."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from persona_memory.budget.guard import MEMORIES_HEADER, NOTED_HEADER, PROFILE_HEADER, SEARCH_HEADER, guarded
from persona_memory.quoting import MEMORIES_TAG, PROFILE_TAG, inert, named
from persona_memory.types import Hit, Knowledge, Memory, Profile, ProfileEntry, ProfileGap


def render_profile(profile: Profile, *, gap: ProfileGap | None = None, knowledge_lines: Iterable[str] = ()) -> str:
    """The profile as guarded text, for the end of the system message; "" when there is nothing to say.

    Args:
        gap: something that the assistant may ask about; rendered as an optional suggestion.
        knowledge_lines: what the person knows of topics, one plain line each, e.g. "fractions: familiar".
    """
    lines = _section_lines(profile)
    known = [line for line in map(inert, knowledge_lines) if line]
    if known:
        lines += ["- What the user knows of topics", *(f"  - {line}" for line in known)]
    if gap is not None and (question := inert(gap.question)):
        lines.append(f'- Optional, once, and only where it fits the conversation: you may ask "{question}"')
    return guarded(PROFILE_TAG, PROFILE_HEADER, lines)


def render_memories(hits: Sequence[Hit], *, now: datetime) -> str:
    """The hits as guarded text, older first, to be put beside the latest human message; "" without hits.

    Each is one line: its day (UTC), who said it or that it was noted, whether it has since changed, and its text.
    """
    return memories_renderer(now=now)(hits)


def memories_renderer(*, now: datetime, inert: Callable[[str], str] = inert) -> Callable[[Sequence[Hit]], str]:
    """`render_memories` for one recall: packing tries many sets of the same hits, and each hit's line is made once.

    Args:
        inert: `quoting.inert`, maybe remembering its answers.
    """
    today = _day(now)
    header = f"{MEMORIES_HEADER} Today is {today}."
    made: dict[tuple[str, str], str] = {}

    def render(hits: Sequence[Hit]) -> str:
        for hit in hits:
            if (hit.id, hit.text) not in made:
                made[hit.id, hit.text] = _memory_line(hit, today, inert)
        oldest_first = sorted(hits, key=lambda hit: (hit.at, hit.sources, hit.id))
        lines = (made[hit.id, hit.text] for hit in oldest_first)
        return guarded(MEMORIES_TAG, header, [line for line in lines if line])

    return render


def render_search(hits: Sequence[Hit], *, now: datetime) -> str:
    """The hits as guarded text, best first, each with the id by which it can be forgotten; "" without hits."""
    today = _day(now)
    lines = ((hit.id, _memory_line(hit, today, inert)) for hit in hits)
    return guarded(MEMORIES_TAG, SEARCH_HEADER, [f"- {key} {line[2:]}" for key, line in lines if line])


def render_fields(profile: Profile) -> str:
    """The profile as guarded text, each field with the path by which it can be corrected or forgotten; "" when empty.

    A value that was inferred says how sure it is; all say from which turns they come.
    """
    lines = (
        f"- {inert(entry.field)}: {value}{_doubt(entry)}{_turns(entry.evidence)}"
        for entry in profile.entries.values()
        if (value := _value(entry.value))
    )
    return guarded(PROFILE_TAG, PROFILE_HEADER, list(lines))


def render_noted(memories: Iterable[Memory]) -> str:
    """Memories as guarded text in the order given, each with the id by which it can be forgotten; "" without any."""
    lines = (
        f"- {memory.id} {_day(memory.valid_from)} {'noted' if memory.current else 'noted (has since changed)'}: {text}"
        for memory in memories
        if (text := inert(memory.text))
    )
    return guarded(MEMORIES_TAG, NOTED_HEADER, list(lines))


def render_knowledge(knowledge: Knowledge) -> str:
    """Both maps as guarded text: topics with how far they are known, and what to ask the user; "" when both are empty.

    How far is BKT's probability that the topic is mastered, and FSRS's that it would be recalled now, in percent.
    """
    topics = (
        f"- {name}: {topic.status}, mastered {topic.p_known:.0%}"
        + ("" if topic.retrievability is None else f", recalled now {topic.retrievability:.0%}")
        for topic in knowledge.topics
        if (name := inert(topic.name))
    )
    gaps = (f"- {_WHY[gap.reason]}, {inert(gap.field)}: {inert(gap.question)}" for gap in knowledge.gaps)
    return guarded(PROFILE_TAG, PROFILE_HEADER, [*topics, *gaps])


_WHY = {"empty": "Not known yet", "stale": "Maybe outdated"}


def _turns(evidence: Sequence[int]) -> str:
    return f" [{', '.join(f't{seq}' for seq in evidence)}]" if evidence else ""


def _memory_line(hit: Hit, today: str, inert: Callable[[str], str]) -> str:
    text = inert(hit.text)
    if not text:
        return ""
    day = _day(hit.at)
    return f"- {day} {_source(hit, ahead=day > today)}: {text}"


def _source(hit: Hit, *, ahead: bool) -> str:
    """Who said it, or "noted", and how it stands: "Ana (user, has since changed)", "noted (still ahead)"."""
    notes = ["has since changed"] if hit.since_changed else []
    if ahead:
        notes.append("still ahead")
    if hit.kind == "memory" or hit.role is None:
        who = "noted"
    else:
        who = "someone else" if hit.role == "other" else hit.role
        speaker = named(hit.speaker)
        if speaker:
            who, notes = speaker, [who, *notes]
    return f"{who} ({', '.join(notes)})" if notes else who


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _section_lines(profile: Profile) -> list[str]:
    """One line a field, below its section's line; sections in the order in which they first appear."""
    sections: dict[str, list[str]] = {}
    for path, entry in profile.entries.items():
        section, _, field = path.rpartition(".")
        value = _value(entry.value)
        if value:
            sections.setdefault(section, []).append(f"{_words(field)}: {value}{_doubt(entry)}")
    lines: list[str] = [f"- {one}" for one in sections.pop("", [])]
    for section, fields in sections.items():
        title = _words(section)
        lines += [f"- {title[:1].upper()}{title[1:]}", *(f"  - {one}" for one in fields)]
    return lines


def _words(path: str) -> str:
    """A dotted field name as words: "preference.response_style" gives "preference, response style"."""
    return inert(path.replace("_", " ").replace(".", ", "))


def _value(value: Any) -> str:
    """A field's value in words; "" for None and for what is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return _value(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        items = map(_value, sorted(value, key=str) if isinstance(value, set | frozenset) else value)
        return ", ".join(item for item in items if item)
    if isinstance(value, dict):
        return inert(json.dumps(value, ensure_ascii=False, default=str))
    return inert(str(value))


def _doubt(entry: ProfileEntry) -> str:
    return f" (inferred, {entry.confidence:.0%} sure)" if entry.basis == "inferred" else ""
