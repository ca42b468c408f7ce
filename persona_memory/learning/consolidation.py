"""From an extraction to the answer that is recorded: duplicates become support, replacements name what they supersede.

The recorded answer holds resolved decisions only, so that applying it, now or in a replay, asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from persona_memory.ledger.people import keyed
from persona_memory.protocols import ExtractedMemory, Extraction, Window
from persona_memory.types import Memory

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_FILLER = frozenset("the a an user person they their them is are was were has have and of to in on at for that".split())

DAY = timedelta(days=1)
"""Clocks that differ by less order nothing."""

SAME = 0.9
"""Jaccard overlap of content words from which two memories say the same. Numbers and negations must agree."""


def memory_id(secret: bytes, owner: tuple[str, str], kind: str, text: str, sources: Sequence[int]) -> str:
    """A memory's id: a keyed hash of what it says and where from, so that replay gives the same ids."""
    return "m" + keyed(secret, "memory", *owner, kind, text, ",".join(map(str, sources)))[:16]


def resolve(
    extraction: Extraction,
    window: Window,
    *,
    by: str,
    known: Sequence[Memory],
    said_at: Mapping[int, datetime],
    canonical: Callable[[str], str],
    identify: Callable[[str, str, Sequence[int]], str],
) -> dict[str, Any]:
    """The answer to record, as JSON.

    Args:
        known: the person's memories, superseded ones included.
        said_at: when the turns were said that the known memories rest on.
        canonical: the tracked topic that a name means, or the name itself.
        identify: (kind, text, sources) to the memory's id.
    """
    said = {turn.seq: turn.at for turn in window.fresh}
    imported = {turn.seq for turn in window.fresh if turn.dated}
    held = {memory.id: memory for memory in known}
    current = {memory.id: memory for memory in known if memory.current}
    worded = [(memory, content_words(memory.text)) for memory in current.values()] if extraction.memories else []
    by_text = {_print(memory.kind, memory.text, memory.valid_from): memory.id for memory in current.values()}
    added: list[dict[str, Any]] = []
    support: list[dict[str, Any]] = []
    ids: list[str] = []
    for one in extraction.memories:
        at = max(said[seq] for seq in one.sources)
        dated = at if imported.issuperset(one.sources) else None
        replaces = [ids[int(old[1:])] if old.startswith("#") else old for old in one.replaces]
        mark = _print(one.kind, one.text, one.valid_from or at)
        same = by_text.get(mark) or _near(one, worded)
        if same is not None and same not in replaces:
            ids.append(same)
            ended = [old.id for old in known if old.superseded_by == same]  # stay so if the first source goes
            untrue = [old for old in replaces if old in current and not _is_older(one, dated, current[old], said_at)]
            support.append(_as_json(one, same, [*ended, *untrue], at))
            by_text = {text: kept for text, kept in by_text.items() if kept not in untrue}
            continue
        new_id = identify(one.kind, one.text, one.sources)
        ids.append(new_id)
        if new_id in held:
            continue  # learnt before, and superseded since
        replaced = [current[old] for old in replaces if old in current]
        newer = next((old for old in replaced if _is_older(one, dated, old, said_at)), None)
        if newer is not None:
            added.append({**_as_json(one, new_id, [], at), "until": newer.valid_from.isoformat(), "newer": newer.id})
            continue
        by_text[mark] = new_id
        untrue = [old for old in replaces if old != new_id and (old in current or old in ids)]
        by_text = {text: kept for text, kept in by_text.items() if kept not in untrue}
        added.append(_as_json(one, new_id, untrue, at))
    return {
        "job": "learn",
        "by": by,
        "read": [turn.seq for turn in window.fresh],
        "memories": added,
        "support": support,
        "topics": [
            {
                "topic": canonical(one.topic),
                "said": one.topic,
                "kind": one.kind,
                "seq": one.seq,
                "at": said[one.seq].isoformat(),
            }
            for one in extraction.evidence
        ],
        "forget": [{"seq": one.seq, "about": one.about, "ids": list(one.memory_ids)} for one in extraction.forget],
    }


def content_words(text: str) -> frozenset[str]:
    """The words that carry a memory's meaning, casefolded."""
    return frozenset(word for word in _WORD.findall(text.casefold()) if word not in _FILLER)


def _as_json(one: ExtractedMemory, new_id: str, replaces: list[str], at: datetime) -> dict[str, Any]:
    return {
        "id": new_id, "text": one.text, "kind": one.kind, "sources": list(one.sources), "quote": one.quote,
        "basis": one.basis, "confidence": one.confidence, "valid_from": (one.valid_from or at).isoformat(),
        "replaces": replaces, "at": at.isoformat(),
    }  # fmt: skip


def _is_older(one: ExtractedMemory, at: datetime | None, known: Memory, said_at: Mapping[int, datetime]) -> bool:
    """Whether what would replace a known memory was said before it: earlier in the log, or dated so by an import."""
    told = [said_at[seq] for seq in known.sources if seq in said_at]
    return max(one.sources) < max(known.sources, default=0) or (bool(told) and at is not None and at < max(told) - DAY)


def _print(kind: str, text: str, valid_from: datetime) -> tuple[str, str, str]:
    """What two memories share that say the same in the same words: events count once per day."""
    return kind, " ".join(_WORD.findall(text.casefold())), f"{valid_from:%Y-%m-%d}" if kind == "episodic" else ""


def _near(one: ExtractedMemory, known: Iterable[tuple[Memory, frozenset[str]]]) -> str | None:
    """A current memory that says the same in nearly the same words. Events on different days are different events."""
    words = content_words(one.text)
    if not words or one.kind == "episodic":
        return None
    for memory, theirs in known:
        if one.kind != memory.kind or len(words & theirs) < SAME * len(words | theirs):
            continue
        if not any(_decides(word) for word in words ^ theirs):
            return memory.id
    return None


def _decides(word: str) -> bool:
    """A word whose presence changes what is said: a number, a negation."""
    return any(letter.isdigit() for letter in word) or word in {"not", "no", "never", "without"} or "n't" in word
