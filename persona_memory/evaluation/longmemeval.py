"""LongMemEval (Wu et al. 2025): recall of the turns and sessions that answer, each question over a haystack of its own.

Questions that nothing answers (ids that end in "_abs") have no evidence and are left out. No choice was ever made on
this data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from persona_memory.errors import ImportFileError
from persona_memory.evaluation import recall
from persona_memory.evaluation.datasets.reading import broken
from persona_memory.evaluation.rankings import Conversation, Question, Results
from persona_memory.evaluation.report import Report, Row, Table
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.evaluation.systems import System, systems
from persona_memory.types import Turn

QUICK_PART = recall.QUICK_PART

SESSION_DEPTHS = (1, 3, 5, 10)
ENOUGH = 30
_FEW = "So few questions show that all works, and rank no system."
_BEGINNING = 1 << 20
_FORMAT = "LongMemEval's, a list of {question_id, question_type, question, question_date, haystack_sessions, …}"


class _Message(BaseModel):
    role: Literal["user", "assistant"]
    content: str
    has_answer: bool = False


class _Item(BaseModel):
    question_id: str
    question_type: str
    question: str
    question_date: str
    haystack_dates: list[str]
    haystack_session_ids: list[str]
    haystack_sessions: list[list[_Message]]
    answer_session_ids: list[str]


def run(settings: Settings) -> Report:
    """The report: recall of turns and of sessions."""
    conversations = recall.small(read(settings.data), settings)
    compared = systems(named=False)
    found = recall.results(conversations, compared, settings)
    tables = (
        recall.overall("LongMemEval turn recall", conversations, found, compared, seed=settings.seed),
        _sessions(conversations, found, compared, settings.seed),
        recall.costs(conversations, found, compared, seed=settings.seed),
        recall.by_category(conversations, found, seed=settings.seed),
    )
    notes = (
        f"{len(conversations)} haystacks with one question each; no choice was made on them. The evidence of a turn is "
        "'has_answer'; a session counts as found with its first turn.",
        recall.THROUGH_THE_PRODUCT,
        *([_FEW] if len(conversations) < ENOUGH else []),
    )
    return Report("longmemeval", "LongMemEval: finding what answers among many sessions", tables, notes)


def read(path: Path) -> list[Conversation]:
    """The haystacks of a file, or of the first file with haystacks in a folder; sessions in order of time.

    Raises:
        ImportFileError: the file is not LongMemEval's, or the folder has none.
    """
    file = _with_haystacks(path) if path.is_dir() else path
    try:
        items = TypeAdapter(list[_Item]).validate_json(file.read_bytes())
    except ValidationError as error:
        raise broken(str(file), error, row="item", expected=_FORMAT) from error
    return [_conversation(item, file) for item in items if not item.question_id.endswith("_abs")]


def _with_haystacks(folder: Path) -> Path:
    for file in sorted(folder.glob("*.json")):
        with file.open("rb") as content:
            if b'"haystack_sessions"' in content.read(_BEGINNING):
                return file
    raise ImportFileError(str(folder), None, f"has no JSON file with haystacks; expected {_FORMAT}")


def _conversation(item: _Item, path: Path) -> Conversation:
    sessions = zip(item.haystack_dates, item.haystack_session_ids, item.haystack_sessions, strict=False)
    in_order = sorted(((_date(date, path), id, said) for date, id, said in sessions), key=lambda one: one[0])
    turns: list[Turn] = []
    evidence = set()
    for number, (date, id, said) in enumerate(in_order, 1):
        for place, message in enumerate(said):
            seq = len(turns) + 1
            turns.append(Turn(seq, id, number, message.role, message.content, date + timedelta(seconds=place)))
            if message.has_answer and id in item.answer_session_ids:
                evidence.add(seq)
    question = Question(item.question, frozenset(evidence), item.question_type)
    return Conversation(item.question_id, tuple(turns), (question,), _date(item.question_date, path))


def _date(text: str, path: Path) -> datetime:
    """A moment from "2023/12/18 (Mon) 04:17", taken to be UTC."""
    try:
        day, _, hour = text.split()
        return datetime.strptime(f"{day} {hour}", "%Y/%m/%d %H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise ImportFileError(
            str(path), None, f"{text!r} is no date; expected one like '2023/12/18 (Mon) 04:17'"
        ) from error


def _sessions(conversations: Sequence[Conversation], found: Results, compared: Sequence[System], seed: int) -> Table:
    """Recall of the sessions in which the answer is, by how many distinct sessions are looked at."""
    rows = []
    for system in compared:
        cells = {
            f"@{depth}": mean(list(_session_recalls(conversations, found, system.name, depth)), seed=seed)
            for depth in SESSION_DEPTHS
        }
        rows.append(Row(system.name, cells, system.kind))
    return Table("session recall", tuple(f"@{depth}" for depth in SESSION_DEPTHS), tuple(rows), plot="@5")


def _session_recalls(conversations: Sequence[Conversation], found: Results, system: str, depth: int) -> Iterator[float]:
    for one in conversations:
        session_of = {turn.seq: turn.session for turn in one.turns}
        for question, answer in zip(one.questions, found[one.name][system], strict=True):
            wanted = {session_of[seq] for seq in question.evidence}
            first = list(dict.fromkeys(session_of[seq] for seq in answer.turns))[:depth]
            if wanted:
                yield len(wanted & set(first)) / len(wanted)
