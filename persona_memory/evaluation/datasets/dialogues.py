"""Dialogues with questions and answers: LoCoMo's, or a file of your own that `persona-memory import openai` reads.

Your own is JSON lines, one conversation each: `{"user_id": …, "thread_id": …, "messages": [{"role", "content", …}, …],
"questions": [{"question", "answer", "kind"}, …]}`. All conversations of a user are one memory; an answer of null says
that it cannot be known.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from persona_memory.errors import ImportFileError
from persona_memory.importers import ImportedMessage, read_locomo, read_openai
from persona_memory.importers.files import Identifier, load_json_lines, parse

UNKNOWN = "not answerable"
KINDS: Mapping[int, str] = {1: "multi-hop", 2: "temporal", 3: "open domain", 4: "single-hop", 5: UNKNOWN}
EXPECTED = 'LoCoMo\'s locomo10.json, a list of {"sample_id": …, "qa": [{"question": …, "answer": …, "category": …}]}'
OWN = '{"user_id": …, "messages": […], "questions": [{"question": …, "answer": …}]} in each line'


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a dialogue; `answer` is None where the dialogue has none."""

    dialogue: str
    place: int
    kind: str
    text: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What was said to one memory, in order, and what is asked about it."""

    name: str
    said: tuple[ImportedMessage, ...]
    questions: tuple[Question, ...]


class _Row(BaseModel):
    question: str
    category: int
    answer: Any = None


class _Own(BaseModel):
    question: str
    answer: str | int | float | None
    kind: str = "answerable"


class _Line(BaseModel):
    user_id: Identifier = Field(None, validation_alias=AliasChoices("user_id", "user"))
    questions: list[_Own] | None = None


def locomo_file(data: Path) -> Path:
    """The file itself, or the one of LoCoMo's name in the folder."""
    return data / "locomo10.json" if data.is_dir() else data


def read_dialogues(path: Path) -> tuple[list[Dialogue], list[str]]:
    """The dialogues that are asked about, and which questions are left out because nothing was said.

    Raises:
        ImportFileError: the file is neither LoCoMo's nor JSON lines of conversations with questions.
    """
    own = path.suffix == ".jsonl"
    asked: dict[str, list[Question]] = defaultdict(list)
    for question in _own_questions(path) if own else _locomo_questions(path):
        asked[question.dialogue].append(question)
    said: dict[str, list[ImportedMessage]] = defaultdict(list)
    for message in read_openai(path) if own else read_locomo(path):
        said[message.user_id].append(message)
    if not asked:
        raise ImportFileError(str(path), None, f"has no questions; expected {OWN if own else EXPECTED}")
    silent = [
        f"{'1 question' if len(some) == 1 else f'{len(some)} questions'} about {name!r}, who says nothing"
        for name, some in asked.items()
        if not said[name]
    ]
    found = [Dialogue(name, tuple(said[name]), tuple(some)) for name, some in asked.items() if said[name]]
    if not found:
        raise ImportFileError(str(path), None, f"{silent[0]}; expected {OWN if own else EXPECTED}")
    return found, silent


def _own_questions(path: Path) -> Iterator[Question]:
    places: dict[str, int] = defaultdict(int)
    for number, value in load_json_lines(path, expected=OWN):
        line = parse(_Line, value, source=str(path), line=number, where="conversation", expected=OWN)
        if line.questions and line.user_id is None:
            raise ImportFileError(str(path), number, f"'questions' without a 'user_id' beside them; expected {OWN}")
        for read in line.questions or ():
            name = str(line.user_id)
            answer = None if read.answer is None else str(read.answer)
            kind = UNKNOWN if answer is None else read.kind
            yield Question(name, places[name], kind, read.question, answer)
            places[name] += 1


def _locomo_questions(path: Path) -> Iterator[Question]:
    try:
        samples = json.loads(path.read_text(encoding="utf-8"))
        rows = [(sample["sample_id"], place, row) for sample in samples for place, row in enumerate(sample["qa"])]
    except (ValueError, KeyError, TypeError) as error:
        raise ImportFileError(str(path), None, f"{type(error).__name__}: {error}; expected {EXPECTED}") from None
    return (_question(path, dialogue, place, row) for dialogue, place, row in rows)


def _question(path: Path, dialogue: str, place: int, row: Any) -> Question:
    try:
        read = _Row.model_validate(row)
        kind = KINDS[read.category]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = f"field {'.'.join(map(str, first['loc']))!r}: {first['msg']}; expected {EXPECTED}"
        raise ImportFileError(str(path), None, f"{dialogue}, question {place + 1}, {problem}") from None
    except KeyError:
        problem = f"the category is {read.category}; expected one of {', '.join(map(str, KINDS))}"
        raise ImportFileError(str(path), None, f"{dialogue}, question {place + 1}: {problem}") from None
    answer = None if read.category == 5 or read.answer is None else str(read.answer)
    return Question(dialogue, place, kind, read.question, answer)


def kinds_of(questions: Iterable[Question]) -> list[str]:
    """The kinds that occur: your own as they come, LoCoMo's in its order."""
    order = list(KINDS.values())
    found = dict.fromkeys(question.kind for question in questions)
    return sorted(found, key=lambda kind: order.index(kind) if kind in order else -1)
