"""Students' answers from ASSISTments 2009, with the rows of one multi-skill question put together again.

The files hold three lines a student: how many rows, the skills, right or wrong. A question on several skills was
written as several rows with the same label, so a model that looks at the row before reads the answer. Rows are merged
where their ordered pair of skills occurs often enough and agrees often enough; see `repeated_pairs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from persona_memory.errors import InvalidInput

TRAIN = "assist2009_updated_train.csv"
TEST = "assist2009_updated_test.csv"
OFTEN = 20
ALWAYS = 1.0
NEARLY_ALWAYS = 0.93
"""For pairs that are kept apart by an accident or two, where rows of different questions met."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the question's skills, and whether it was right."""

    topics: tuple[str, ...]
    correct: bool


Student = tuple[Answer, ...]
"""A student's answers in order."""


def read(path: Path) -> tuple[Student, ...]:
    """The students of a file, each row an answer, as shipped.

    Raises:
        InvalidInput: the file is missing, or is not in this format.
    """
    if not path.is_file():
        raise InvalidInput(f"{path.name!r} is not in {str(path.parent)!r}; take ASSISTments 2009 (updated) of DKVMN")
    lines = [line.strip().rstrip(",") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) % 3:
        raise InvalidInput(f"{path.name!r} has {len(lines)} lines; a student takes three (rows, skills, answers)")
    return tuple(_student(path, number, lines[number : number + 3]) for number in range(0, len(lines), 3))


def _student(path: Path, number: int, lines: Sequence[str]) -> Student:
    count, skills, marks = lines[0], lines[1].split(","), lines[2].split(",")
    if not count.isdigit() or not len(skills) == len(marks) == int(count) or not set(marks) <= {"0", "1"}:
        raise InvalidInput(f"{path.name!r}, line {number + 1}: {count!r} rows were announced, and cannot be read")
    return tuple(Answer((skill,), mark == "1") for skill, mark in zip(skills, marks, strict=True))


def repeated_pairs(students: Iterable[Student], *, often: int = OFTEN, agreement: float = ALWAYS) -> frozenset[Pair]:
    """Ordered pairs of skills that follow one another at least `often`, with the same mark in this share or more."""
    seen: dict[Pair, list[bool]] = {}
    for student in students:
        for one, other in pairwise(student):
            if one.topics != other.topics:
                seen.setdefault((one.topics[-1], other.topics[0]), []).append(one.correct == other.correct)
    return frozenset(
        pair for pair, agrees in seen.items() if len(agrees) >= often and sum(agrees) >= agreement * len(agrees)
    )


def merged(student: Student, pairs: frozenset[Pair]) -> Student:
    """The answers with those rows put together that are a pair, carry the same mark and do not repeat a skill."""
    found: list[Answer] = []
    for row in student:
        last = found[-1] if found else None
        (skill,) = row.topics
        if (
            last is not None
            and (last.topics[-1], skill) in pairs
            and last.correct == row.correct
            and skill not in last.topics
        ):
            found[-1] = Answer((*last.topics, skill), row.correct)
        else:
            found.append(row)
    return tuple(found)
