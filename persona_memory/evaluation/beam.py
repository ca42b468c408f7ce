"""BEAM (Tavakoli et al. 2025), chats of about 100,000 tokens: recall of the messages that answer, and what is true now.

Questions in ten abilities with the messages that they rest on; abstention has none and is left out. Even chat numbers
are for making choices, odd ones are held out. Supersession, on questions about what was updated: is the message with
the update among the first ten and not marked as changed since, and is the one with the old value marked?
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from persona_memory.errors import ImportFileError, InvalidInput
from persona_memory.evaluation import recall, supersession
from persona_memory.evaluation.datasets.reading import broken
from persona_memory.evaluation.rankings import Conversation, Question
from persona_memory.evaluation.report import Report
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.supersession import Chat, Update
from persona_memory.evaluation.systems import systems
from persona_memory.types import Turn

QUICK_PART = recall.QUICK_PART

CHATS = (
    "chat_trunecated.json",
    "chat.json",
)  # [sic]; the first is what the questions were asked about, where it exists
QUESTIONS = "probing_questions.json"
UPDATES = supersession.UPDATES.replace(" ", "_")

_FORMAT = f"a folder of BEAM's for each chat, with {' or '.join(CHATS)}, and {QUESTIONS}"

_MARK = re.compile(r"\s*->->.*$")
"""Numbers of the plan that BEAM leaves at the end of the person's messages."""


class _Message(BaseModel):
    id: int
    role: Literal["user", "assistant"]
    content: str
    time_anchor: str | None = None


class _Batch(BaseModel):
    batch_number: int
    turns: list[list[_Message]]


class _Probe(BaseModel):
    question: str
    source_chat_ids: Any = None
    conversation_sessions: Any = None


def run(settings: Settings) -> Report:
    """The report: all systems, by ability, and supersession."""
    chats, left_out = read(settings.data)
    conversations, compared = recall.small([chat.conversation for chat in chats], settings), systems(named=False)
    chats = [Chat(one, chat.updates) for one, chat in zip(conversations, chats, strict=False)]
    found = recall.results(conversations, compared, settings)
    tables = (
        recall.overall("BEAM-100k message recall", conversations, found, compared, seed=settings.seed),
        recall.halves(conversations, found, compared, seed=settings.seed),
        recall.costs(conversations, found, compared, seed=settings.seed),
        recall.by_category(conversations, found, seed=settings.seed),
        supersession.told(chats, found, compared),
        supersession.marked_elsewhere(chats, found, seed=settings.seed),
    )
    asked = sum(len(one.questions) for one in conversations)
    notes = (
        f"{asked:,} questions with source messages, {len(conversations)} chats; 95 % intervals by drawing chats. "
        "Choices were made on even chat numbers (dev.). 'in budget' is the share of the evidence in what is injected "
        "under the default budget of 800 tokens; a text too long for it is shortened to a passage.",
        "dense: each message embedded in one piece, of which MiniLM reads the first 256 tokens; best of chunks: every "
        "piece of a long message is embedded, and the best counts, as in ours.",
        recall.THROUGH_THE_PRODUCT,
        "Supersession: 'updated, current' has the message with the update among the first ten, not marked as changed "
        "since; 'old, unmarked' has the message with the old value there without such a mark. The rules for figures "
        "were written with all pairs in view, their thresholds chosen on even chats.",
        "Random pairs: two unrelated messages of the person, the older one's text as the question.",
        *([f"Left out: {'; '.join(left_out)}."] if left_out else []),
    )
    return Report("beam", "BEAM: finding the messages that answer, and what is true now", tables, notes)


def read(folder: Path) -> tuple[list[Chat], list[str]]:
    """The chats in order of their numbers, and what had to be left out: chats that cannot be read, sources that are
    no message's.

    Raises:
        InvalidInput: no chat can be read.
    """
    inside = folder.iterdir() if folder.is_dir() else ()
    numbers = sorted(int(one.name) for one in inside if one.is_dir() and one.name.isdigit())
    chats, left_out = list[Chat](), list[str]()
    for number in numbers:
        try:
            chats.append(_chat(folder / str(number), number, left_out))
        except ImportFileError as error:
            left_out.append(f"chat {number} ({error})")
    if not chats:
        why = f": {left_out[0]}" if left_out else ""
        raise InvalidInput(f"{str(folder)!r} holds no chats of BEAM; expected folders 1, 2, … with {QUESTIONS}{why}")
    return chats, left_out


def _chat(folder: Path, number: int, left_out: list[str]) -> Chat:
    file = next((folder / name for name in CHATS if (folder / name).exists()), folder / CHATS[-1])
    messages = [
        (batch.batch_number, message)
        for batch in _parse(TypeAdapter(list[_Batch]), file)
        for group in batch.turns
        for message in group
    ]
    turns = tuple(_turns(messages, thread=f"chat-{number}"))
    seqs = {message.id: turn.seq for (_, message), turn in zip(messages, turns, strict=True)}
    probes = _parse(TypeAdapter(dict[str, list[_Probe]]), folder / QUESTIONS)
    asked = [(ability, probe, _seqs(probe, seqs)) for ability, all_of in probes.items() for probe in all_of]
    questions = tuple(
        Question(probe.question, seqs_, ability.replace("_", " ")) for ability, probe, seqs_ in asked if seqs_
    )
    left_out += [
        f"chat {number}, {ability.replace('_', ' ')}, source {id}"
        for ability, probe, _ in asked
        for id in dict.fromkeys(_numbers(_sources(probe)))
        if id not in seqs
    ]
    now = turns[-1].at + timedelta(days=1)
    conversation = Conversation(f"chat-{number}", turns, questions, now, development=number % 2 == 0)
    return Chat(conversation, tuple(_updates(probes.get(UPDATES, []), seqs)))


def _turns(messages: Sequence[tuple[int, _Message]], *, thread: str) -> Iterator[Turn]:
    """Turns a second apart, from the last date that the chat names on."""
    day = datetime(2024, 1, 1, tzinfo=UTC)
    for seq, (batch, message) in enumerate(messages, 1):
        if message.time_anchor:
            day = datetime.strptime(message.time_anchor, "%B-%d-%Y").replace(tzinfo=UTC)
        text = _MARK.sub("", message.content)
        yield Turn(seq, thread, batch, message.role, text, day + timedelta(seconds=seq), message_id=str(message.id))


def _seqs(probe: _Probe, seqs: dict[int, int]) -> frozenset[int]:
    return frozenset(seqs[id] for id in _numbers(_sources(probe)) if id in seqs)


def _sources(probe: _Probe) -> Any:
    return probe.conversation_sessions if probe.source_chat_ids is None else probe.source_chat_ids


def _numbers(value: Any) -> Iterator[int]:
    """All message ids in what a question names as its sources: numbers, lists of them, or dictionaries of lists."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | dict):
        yield from chain.from_iterable(map(_numbers, value.values() if isinstance(value, dict) else value))


def _updates(probes: Sequence[_Probe], seqs: dict[int, int]) -> Iterator[Update]:
    """The questions of which both the original and the updated message are named."""
    for probe in probes:
        named = probe.source_chat_ids if isinstance(probe.source_chat_ids, dict) else {}
        old, new = (
            frozenset(seqs[id] for id in _numbers(named.get(key)) if id in seqs)
            for key in ("original_info", "updated_info")
        )
        if old and new:
            yield Update(probe.question, old, new)


def _parse(shape: TypeAdapter[Any], path: Path) -> Any:
    try:
        return shape.validate_json(path.read_bytes())
    except OSError as error:
        raise ImportFileError(path.name, None, f"cannot be read ({error.strerror}); expected {_FORMAT}") from error
    except ValidationError as error:
        raise broken(path.name, error, row="batch", expected=_FORMAT) from error
