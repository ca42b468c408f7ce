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

from persona_memory.errors import ImportFileError
from persona_memory.importers.files import decode

TRAIN = "assist2009_updated_train.csv"
TEST = "assist2009_updated_test.csv"
_FORMAT = (
    "three lines a student (how many rows, skills, answers of 0 or 1), as ASSISTments 2009 (updated) of DKVMN has them"
)
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
        ImportFileError: the file is missing, or is not in this format.
    """
    if not path.is_file():
        raise ImportFileError(str(path), None, f"is not there; expected {_FORMAT}")
    text = decode(path.read_bytes(), source=str(path), line=1)
    lines = [(number, line.strip().rstrip(",")) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) % 3:
        raise ImportFileError(str(path), None, f"has {len(lines)} lines, not a multiple of three; expected {_FORMAT}")
    return tuple(_student(path, lines[start : start + 3]) for start in range(0, len(lines), 3))


def _student(path: Path, lines: Sequence[tuple[int, str]]) -> Student:
    (number, count), (_, skilled), (_, marked) = lines
    skills, marks = skilled.split(","), marked.split(",")
    if not count.isdigit() or not len(skills) == len(marks) == int(count) or not set(marks) <= {"0", "1"}:
        problem = f"{count!r} rows are announced, {len(skills)} skills and {len(marks)} answers follow"
        raise ImportFileError(str(path), number, f"{problem}; expected {_FORMAT}")
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
