"""Supersession: of what was told twice, is the update found, and is the reader told which statement is out of date?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from persona_memory.evaluation.rankings import Conversation, Found, Results
from persona_memory.evaluation.report import Row, RowKind, Table
from persona_memory.evaluation.statistics import mean
from persona_memory.evaluation.systems import System
from persona_memory.retrieval import PersonView, understand
from persona_memory.retrieval.superseding import superseded

FIRST = 10
RANDOM_PAIRS = 200
UPDATES = "knowledge update"
"""Category of the questions about what was updated."""

COLUMNS = ("pairs", "updated there", "updated, current", "old there", "old, unmarked", "old alone, unmarked")


@dataclass(frozen=True, slots=True)
class Update:
    """A question about something that was told twice: the turns that tell the old value, and those with the new."""

    question: str
    old: frozenset[int]
    new: frozenset[int]


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat, and of its questions those about updates."""

    conversation: Conversation
    updates: tuple[Update, ...]


def told(chats: Sequence[Chat], found: Results, compared: Sequence[System]) -> Table:
    """What a reader of the first ten is told about what was updated, system by system, ours for both halves, too."""
    shown = [one for one in compared if one.kind in ("baseline", "ours") or one.name == "without supersession"]
    groups: list[tuple[str, str, RowKind, Sequence[Chat]]] = [
        (one.name, one.name, one.kind, chats) for one in shown if one.name != "no memory"
    ]
    for title, development in (("ours, dev.", True), ("ours, held out", False)):
        half = [chat for chat in chats if chat.conversation.development == development]
        groups.append((title, "ours", "part", half))
    rows = tuple(Row(title, _counts(part, found, name), kind) for title, name, kind, part in groups)
    return Table(f"supersession, first {FIRST}", COLUMNS, rows)


def _counts(chats: Sequence[Chat], found: Results, system: str) -> dict[str, str]:
    judged = [
        _judge(update, found[chat.conversation.name][system][place])
        for chat in chats
        for update, place in _placed(chat)
    ]
    sums = np.array(judged, dtype=int).reshape(-1, len(COLUMNS) - 1).sum(0)
    return dict(zip(COLUMNS, (f"{len(judged)}", *map(str, sums)), strict=True))


def _placed(chat: Chat) -> Iterator[tuple[Update, int]]:
    """The chat's updates with the place of their question among those that were asked."""
    texts = [question.text for question in chat.conversation.questions]
    return ((update, texts.index(update.question)) for update in chat.updates if update.question in texts)


def _judge(update: Update, found: Found) -> tuple[bool, bool, bool, bool, bool]:
    """Whether update and old one are there, and how they are marked; the best-ranked message of each counts."""
    first, changed = found.turns[:FIRST], set(found.changed)
    new = next((seq for seq in first if seq in update.new), None)
    old = next((seq for seq in first if seq in update.old - update.new), None)
    unmarked = old is not None and old not in changed
    return new is not None, new is not None and new not in changed, old is not None, unmarked, unmarked and new is None


def marked_elsewhere(chats: Sequence[Chat], found: Results, *, seed: int) -> Table:
    """How often a mark is set where nothing was updated, as far as the data say."""
    pairs = list(_random_pairs(chats, seed))
    others = [
        (chat.conversation.name, question, answer)
        for chat in chats
        for question, answer in zip(chat.conversation.questions, found[chat.conversation.name]["ours"], strict=True)
        if question.category != UPDATES
    ]
    first = [
        (name, seq in answer.changed, seq in question.evidence)
        for name, question, answer in others
        for seq in answer.turns[:FIRST]
    ]
    shares = {
        f"{len(pairs)} random pairs of unrelated messages": pairs,
        f"first {FIRST} messages of the other questions": [(name, marked) for name, marked, _ in first],
        "of these, the evidence": [(name, marked) for name, marked, evidence in first if evidence],
    }
    rows = [
        Row(title, {"marked": mean([marked for _, marked in share], [name for name, _ in share], seed=seed)})
        for title, share in shares.items()
    ]
    return Table("marked as changed since", ("marked",), tuple(rows))


def _random_pairs(chats: Sequence[Chat], seed: int) -> Iterator[tuple[str, bool]]:
    """Of random pairs of the person's messages that no update is about: the chat, and whether the older is marked."""
    random = np.random.default_rng(seed)
    views = [PersonView(chat.conversation.turns) for chat in chats]
    for number in range(RANDOM_PAIRS):
        chat, view = chats[number % len(chats)], views[number % len(chats)]
        told = frozenset[int]().union(*(update.old | update.new for update in chat.updates))
        free = [turn.seq - 1 for turn in chat.conversation.turns if turn.role == "user" and turn.seq not in told]
        old, new = sorted(random.choice(free, 2, replace=False).tolist())
        marked = bool(superseded(view, understand(chat.conversation.turns[old].text), [old, new]))
        yield chat.conversation.name, marked
