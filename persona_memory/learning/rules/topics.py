"""What the person shows of what they know: asked, confused, claimed, right or wrong, in a tutor's and everyday talk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Final

from persona_memory.knowledge.naming import canonical, mentioned
from persona_memory.learning.rules.topic_phrases import (
    ASKS,
    COURTESY,
    GOT_IT,
    LOST,
    NOT_RIGHT,
    PATTERNS,
    RIGHT,
    is_exercise,
    topic_of,
)
from persona_memory.profile.english.clauses import Clause, clauses
from persona_memory.profile.english.phrases import core
from persona_memory.profile.english.sentences import LONGEST, plain
from persona_memory.protocols import ExtractedEvidence, Window
from persona_memory.types import EvidenceKind, Turn

REMEMBERED: Final = 8
"""Turns after which the topic that was named last is no longer what "it" means."""

DEFINED_WORDS: Final = 3
"""Words of X in "what is X?"; with more it is rarely a topic."""


def topic_evidence(
    window: Window, parts: Mapping[int, Sequence[Clause]] = MappingProxyType({})
) -> tuple[ExtractedEvidence, ...]:
    """What the person's fresh turns show of topics; "it" means the topic that was named last in the same thread.

    The assistant's "Correct!" or "Not quite" counts for the person's answer to something that the assistant asked, and
    in the same thread for what they try after that.

    Args:
        parts: the `clauses` of turns, by sequence number, of who has them already.
    """
    found: list[ExtractedEvidence] = []
    names, spoken, practised = list(window.topics), dict[str, tuple[str, int]](), frozenset[str]()
    turns, fresh = (*window.before, *window.fresh), {turn.seq for turn in window.fresh}
    for place, turn in enumerate(turns):
        current = _current(spoken, turn, place)
        if turn.role == "user":
            shown = list(_of_turn(turn, names, current, parts.get(turn.seq)))
            if shown:
                spoken[turn.thread_id] = (shown[-1].topic, place)
            names += [item.topic for item in shown if item.topic not in names]
            found += shown
        elif turn.role == "assistant" and current is not None:
            verdict = list(_verdict(turns[:place], turn, current, fresh, practising=turn.thread_id in practised))
            if verdict:
                spoken[turn.thread_id], practised = (current, place), practised | {turn.thread_id}
            found += verdict
    return tuple(dict.fromkeys(item for item in found if item.seq in fresh))


def _current(spoken: dict[str, tuple[str, int]], turn: Turn, place: int) -> str | None:
    topic, since = spoken.get(turn.thread_id, (None, 0))
    return topic if place - since <= REMEMBERED else None


def _of_turn(
    turn: Turn, names: Sequence[str], current: str | None, parts: Sequence[Clause] | None
) -> Iterator[ExtractedEvidence]:
    parts = clauses(turn.text) if parts is None else parts
    shown = [pair for clause in parts for pair in _in_clause(clause.text, clause.asserted, names)]
    text = plain(turn.text[:LONGEST])
    if shown:
        yield from (ExtractedEvidence(topic, kind, turn.seq) for kind, topic in shown)
    elif current is not None and LOST.match(text):
        yield ExtractedEvidence(current, "confused", turn.seq)
    elif current is not None and GOT_IT.match(text):
        yield ExtractedEvidence(current, "claimed", turn.seq)
    else:
        yield from (ExtractedEvidence(name, "mentioned", turn.seq) for name in mentioned(names, text))


def _in_clause(clause: str, asserted: bool, names: Sequence[str]) -> Iterator[tuple[EvidenceKind, str]]:
    said, _ = core(clause)
    for kind, pattern in PATTERNS:
        match = pattern.match(said)
        if match is None or not (asserted or kind == "asked"):
            continue
        for group, text in match.groupdict().items():
            topic = _exercised(text or "", names) or topic_of(text or "")
            long = group == "defined" and topic is not None and len(topic.split()) > DEFINED_WORDS
            pointing = group == "known" and text.casefold().startswith("the ")  # "I know the owner"
            if topic is not None and not long and (not pointing or canonical(topic, names) in names):
                yield kind, canonical(topic, names)
        return


def _exercised(text: str, names: Sequence[str]) -> str | None:
    """The known topic that an exercise names: "the tree exercise with recursion" is evidence for recursion."""
    return max(mentioned(names, text), key=len, default=None) if is_exercise(text) else None


def _verdict(
    before: Sequence[Turn], verdict: Turn, current: str, fresh: Set[int], *, practising: bool
) -> Iterator[ExtractedEvidence]:
    thread = [turn for turn in before if turn.thread_id == verdict.thread_id][-2:]
    if len(thread) < 2 or [turn.role for turn in thread] != ["assistant", "user"]:
        return
    asked, answer = thread
    tried = practising or ASKS.search(asked.text)
    if not tried or answer.text.rstrip().endswith("?") or COURTESY.match(answer.text):
        return
    cited = answer.seq if answer.seq in fresh else verdict.seq  # the answer was learnt from before its verdict came
    if RIGHT.match(plain(verdict.text[:LONGEST])):
        yield ExtractedEvidence(current, "correct", cited)
    elif NOT_RIGHT.match(plain(verdict.text[:LONGEST])):
        yield ExtractedEvidence(current, "wrong", cited)
