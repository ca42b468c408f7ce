"""MMLU (Hendrycks et al. 2021, MIT licence): multiple-choice questions on 57 subjects, as CSV files by subject."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from persona_memory.errors import ImportFileError

LETTERS = "ABCD"
EXPECTED = "MMLU's folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv"


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `answer` is the right option's place, from 0."""

    subject: str
    text: str
    options: tuple[str, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject: the examples that go into the prompt, and the questions."""

    name: str
    examples: tuple[Question, ...]
    questions: tuple[Question, ...]


def read_mmlu(folder: Path) -> list[Subject]:
    """All subjects that have both files, by name. The folder may lie a level or two deeper (data/mmlu).

    Files may have a header or none; the answer may be a letter or the option's place, from 0.

    Raises:
        ImportFileError: there is no such folder, or a row is not a question with four options.
    """
    tests = sorted(folder.glob("**/test/*_test.csv"))
    if not tests:
        raise ImportFileError(str(folder), None, f"no test/*_test.csv; expected {EXPECTED}")
    subjects = []
    for test in tests:
        name = test.name.removesuffix("_test.csv")
        examples = test.parent.parent / "dev" / f"{name}_dev.csv"
        if examples.is_file():
            subjects.append(Subject(name, tuple(_read(examples, name)), tuple(_read(test, name))))
    if not subjects:
        raise ImportFileError(str(folder), None, f"no dev/*_dev.csv beside the tests; expected {EXPECTED}")
    return subjects


def _read(path: Path, subject: str) -> Iterator[Question]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if number == 1 and row[:1] == ["question"]:
                continue
            if len(row) != 6 or (answer := _place(row[5])) is None:
                raise ImportFileError(path.name, number, f"found {row!r}; expected question, four options, answer")
            yield Question(subject, row[0].strip(), tuple(row[1:5]), answer)


def _place(answer: str) -> int | None:
    written = answer.strip().upper()
    if len(written) == 1 and written in LETTERS:
        return LETTERS.index(written)
    return int(written) if written.isdigit() and int(written) < len(LETTERS) else None
