"""LoCoMo's questions with their answers (Maharana et al. 2024, CC BY-NC), beside `importers.read_locomo`'s turns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from persona_memory.errors import ImportFileError

KINDS: Mapping[int, str] = {1: "multi-hop", 2: "temporal", 3: "open domain", 4: "single-hop", 5: "not answerable"}
EXPECTED = 'LoCoMo\'s locomo10.json, a list of {"sample_id": …, "qa": [{"question": …, "answer": …, "category": …}]}'


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a dialogue; `answer` is None where the dialogue has none."""

    dialogue: str
    place: int
    kind: str
    text: str
    answer: str | None


class _Row(BaseModel):
    question: str
    category: int
    answer: Any = None


def locomo_file(data: Path) -> Path:
    """The file itself, or the one of LoCoMo's name in the folder."""
    return data / "locomo10.json" if data.is_dir() else data


def read_questions(path: Path) -> list[Question]:
    """All questions, dialogue by dialogue.

    Raises:
        ImportFileError: the file is not LoCoMo's.
    """
    try:
        samples = json.loads(path.read_text(encoding="utf-8"))
        rows = [(sample["sample_id"], place, row) for sample in samples for place, row in enumerate(sample["qa"])]
    except OSError as error:
        raise ImportFileError(str(path), None, f"cannot be read ({error.strerror}); expected {EXPECTED}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ImportFileError(path.name, None, f"{type(error).__name__}: {error}; expected {EXPECTED}") from None
    return [_question(path, dialogue, place, row) for dialogue, place, row in rows]


def _question(path: Path, dialogue: str, place: int, row: Any) -> Question:
    try:
        read = _Row.model_validate(row)
        kind = KINDS[read.category]
    except (ValidationError, KeyError) as error:
        raise ImportFileError(path.name, None, f"{dialogue}, question {place + 1}: {error}; {EXPECTED}") from None
    answer = None if read.category == 5 or read.answer is None else str(read.answer)
    return Question(dialogue, place, kind, read.question, answer)
