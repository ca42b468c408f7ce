"""PersonaMem (Jiang et al. 2025, MIT licence): long histories with an assistant, and questions with four replies.

Two forms are read: the data set's own (questions_32k.csv and shared_contexts_32k.jsonl of bowen-upenn/PersonaMem), and
JSON with the same columns (personamem_32k_questions_original_columns.json and personamem_32k_documents.json).
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from persona_memory.errors import ImportFileError
from persona_memory.importers.files import load_json_lines

QUESTIONS = ("questions_32k.csv", "personamem_32k_questions_original_columns.json")
CONTEXTS = ("shared_contexts_32k.jsonl", "personamem_32k_documents.json")
EXPECTED = "PersonaMem's folder with questions_32k.csv and shared_contexts_32k.jsonl"

_MARK = re.compile(r"^\[(SYSTEM|USER|ASSISTANT)\] ", re.MULTILINE)
_SPEAKER = re.compile(r"^(?:User|Assistant): ")
_LETTER = re.compile(r"^\(([a-z])\)\s*")

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a history."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question: which of the replies fits this person?

    Attributes:
        kind: the question type, e.g. "track_full_preference_evolution".
        distance: sessions between the question and what it refers to.
        options: the replies without their letters.
        answer: place of the right reply, from 0.
        end: how many of the history's messages come before the question.
    """

    id: str
    context_id: str
    kind: str
    distance: int
    text: str
    options: tuple[str, ...]
    answer: int
    end: int


class _Row(BaseModel):
    question_id: str
    question_type: str
    distance_to_ref_in_blocks: int
    user_question_or_message: str
    correct_answer: str
    all_options: str | list[str]
    shared_context_id: str
    end_index_in_shared_context: int


def read_personamem(folder: Path) -> tuple[list[Question], dict[str, tuple[Message, ...]], list[str]]:
    """The questions, the histories by context id, and which questions cannot be read or point outside their history.

    Raises:
        ImportFileError: a file is missing or malformed, or none of the questions can be asked.
    """
    asked, told = _found(folder, QUESTIONS), _found(folder, CONTEXTS)
    contexts = dict(_own_contexts(told) if told.suffix == ".jsonl" else _document_contexts(told))
    questions, left_out = list[Question](), list[str]()
    for place, row in enumerate(_rows(asked), 1):
        try:
            questions.append(_question(row, place, asked, contexts))
        except ImportFileError as error:
            left_out.append(str(error))
    if not questions:
        problem = left_out[0] if left_out else "no questions"
        raise ImportFileError(str(folder), None, f"{problem}; expected {EXPECTED}")
    return questions, contexts, left_out


def _found(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ImportFileError(str(folder), None, f"has none of {', '.join(names)}; expected {EXPECTED}")


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    else:
        yield from _json(path)


def _question(row: Mapping[str, Any], place: int, path: Path, contexts: Mapping[str, Sequence[Message]]) -> Question:
    where = f"question {place}"
    try:
        read = _Row.model_validate(row)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        problem = f"field {'.'.join(map(str, wrong['loc']))!r}: {wrong['msg']}"
        raise ImportFileError(path.name, None, f"{where}, {problem}") from None
    options = [_LETTER.sub("", option) for option in _options(read.all_options, where, path)]
    letter = _LETTER.match(read.correct_answer)
    answer = ord(letter[1]) - ord("a") if letter else -1
    history = contexts.get(read.shared_context_id)
    if history is None or not 0 < read.end_index_in_shared_context <= len(history):
        problem = f"end {read.end_index_in_shared_context} lies outside context {read.shared_context_id!r}"
        has = 0 if history is None else len(history)
        raise ImportFileError(path.name, None, f"{where}: {problem}, which has {has} messages")
    if not 0 <= answer < len(options):
        raise ImportFileError(path.name, None, f"{where}: the answer {read.correct_answer!r} is none of the options")
    return Question(
        read.question_id, read.shared_context_id, read.question_type, read.distance_to_ref_in_blocks,
        read.user_question_or_message, tuple(options), answer, read.end_index_in_shared_context,
    )  # fmt: skip


def _options(given: str | list[str], where: str, path: Path) -> list[str]:
    """The options from a list, or from a list written as JSON or as Python does."""
    if isinstance(given, list):
        return given
    for parse in (json.loads, ast.literal_eval):
        try:
            return [str(one) for one in parse(given)]
        except (ValueError, SyntaxError, TypeError):
            continue
    raise ImportFileError(path.name, None, f"{where}: all_options is no list: {given[:60]!r}")


def _own_contexts(path: Path) -> Iterator[tuple[str, tuple[Message, ...]]]:
    expected = "{context id: [{role, content}, …]}"
    for number, contexts in load_json_lines(path, expected=expected):
        try:
            for context_id, messages in contexts.items():
                yield context_id, tuple(Message(one["role"], _plain(one["content"])) for one in messages)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ImportFileError(path.name, number, f"{type(error).__name__}: {error}; expected {expected}") from None


def _document_contexts(path: Path) -> Iterator[tuple[str, tuple[Message, ...]]]:
    """Documents "ID_0", "ID_1" … are the sessions of one history, their messages marked "[USER] User: …"."""
    sessions: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for document in _json(path):
        context_id, _, number = str(document["id"]).rpartition("_")
        sessions[context_id].append((int(number), str(document["content"])))
    for context_id, parts in sessions.items():
        yield context_id, tuple(message for _, text in sorted(parts) for message in _messages(text))


def _messages(text: str) -> Iterator[Message]:
    marks = list(_MARK.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = text[mark.end() : following.start() if following else len(text)]
        roles: Mapping[str, Role] = {"SYSTEM": "system", "USER": "user", "ASSISTANT": "assistant"}
        yield Message(roles[mark[1]], _plain(body))


def _plain(text: str) -> str:
    return _SPEAKER.sub("", text.strip())


def _json(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ImportFileError(path.name, None, f"is no JSON: {error}; expected {EXPECTED}") from None
    return rows
