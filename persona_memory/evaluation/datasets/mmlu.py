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


def read_mmlu(folder: Path) -> tuple[list[Subject], list[str]]:
    """All subjects by name, and what is wrong with those that are left out: a file is missing or malformed.

    The folder may lie a level or two deeper (data/mmlu). Files may have a header or none; the answer may be a letter
    or the option's place, from 0.

    Raises:
        ImportFileError: there is no such folder, or no subject in it that can be read.
    """
    tests = sorted(folder.glob("**/test/*_test.csv"))
    if not tests:
        raise ImportFileError(str(folder), None, f"no test/*_test.csv; expected {EXPECTED}")
    subjects, left_out = list[Subject](), list[str]()
    for test in tests:
        name = test.name.removesuffix("_test.csv")
        try:
            examples = tuple(_read(test.parent.parent / "dev" / f"{name}_dev.csv", name))
            subjects.append(Subject(name, examples, tuple(_read(test, name))))
        except ImportFileError as error:
            left_out.append(str(error))
    if not subjects:
        raise ImportFileError(str(folder), None, f"{left_out[0]}; expected {EXPECTED}")
    return subjects, left_out


def _read(path: Path, subject: str) -> Iterator[Question]:
    if not path.is_file():
        raise ImportFileError(f"{path.parent.name}/{path.name}", None, "is not there")
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
