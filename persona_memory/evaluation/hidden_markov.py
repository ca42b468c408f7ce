"""Fitting Bayesian knowledge tracing by expectation–maximisation (Corbett & Anderson 1995 as a hidden Markov model)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from persona_memory.evaluation.answers import Student
from persona_memory.knowledge.bkt import BKT, LARGEST_GUESS, LARGEST_SLIP

Array = NDArray[np.float64]
ROUNDS = 15
LONGEST = 60
"""Answers of a student to a skill that are looked at; mastery is decided long before."""

SHRINKAGE = 20.0
"""Expected events at the population's parameters that are added to a skill's own."""


def fit_bkt(students: Sequence[Student]) -> BKT:
    """The parameters of all skills together."""
    marks, seen, _ = _padded(students)
    start = np.array([0.4, 0.15, 0.2, 0.1])
    for _ in range(ROUNDS):
        events = _expected(marks, seen, np.tile(start, (len(marks), 1))).sum(0)
        start = _limited(events[:, 0] / np.maximum(events[:, 1], 1e-9))
    return _bkt(start)


def fit_skills(students: Sequence[Student], general: BKT) -> Mapping[str, BKT]:
    """The parameters of each skill, shrunk towards the general ones."""
    marks, seen, skills = _padded(students)
    names = {name: number for number, name in enumerate(dict.fromkeys(skills))}
    of = np.array([names[name] for name in skills])
    base = np.array([general.prior, general.transit, general.guess, general.slip])
    found = np.tile(base, (len(names), 1))
    for _ in range(ROUNDS):
        events = np.zeros((len(names), 4, 2))
        np.add.at(events, of, _expected(marks, seen, found[of]))
        found = _limited((events[..., 0] + SHRINKAGE * base) / (events[..., 1] + SHRINKAGE))
    return {name: _bkt(found[number]) for name, number in names.items()}


def _bkt(found: Array) -> BKT:
    prior, transit, guess, slip = found.tolist()
    return BKT(prior=prior, transit=transit, guess=guess, slip=slip)


def _limited(found: Array) -> Array:
    return np.clip(found, 0.005, np.array([0.995, 0.995, LARGEST_GUESS, LARGEST_SLIP]))


def _padded(students: Sequence[Student]) -> tuple[Array, NDArray[np.bool_], list[str]]:
    """Marks and whether there is one, shape (sequences, LONGEST), and each sequence's skill."""
    sequences: list[tuple[str, list[bool]]] = []
    for student in students:
        own: dict[str, list[bool]] = {}
        for answer in student:
            for topic in answer.topics:
                own.setdefault(topic, []).append(answer.correct)
        sequences += own.items()
    marks = np.zeros((len(sequences), LONGEST))
    seen = np.zeros((len(sequences), LONGEST), dtype=bool)
    for row, (_, answers) in enumerate(sequences):
        count = min(len(answers), LONGEST)
        marks[row, :count], seen[row, :count] = answers[:count], True
    return marks, seen, [skill for skill, _ in sequences]


def _expected(marks: Array, seen: NDArray[np.bool_], found: Array) -> Array:
    """Expected events and their opportunities for prior, transit, guess and slip, shape (sequences, 4, 2)."""
    prior, transit, guess, slip = found.T
    known = np.where(marks == 1, (1 - slip)[:, None], slip[:, None])
    unknown = np.where(marks == 1, guess[:, None], (1 - guess)[:, None])
    known, unknown = np.where(seen, known, 1.0), np.where(seen, unknown, 1.0)
    mastered = _forward(known, unknown, prior, transit)
    later = _backward(known, unknown, transit)
    ahead = mastered * later[..., 0] + (1 - mastered) * later[..., 1]
    state = np.where(seen, mastered * later[..., 0] / ahead, 0.0)
    unlearnt = np.where(seen, 1 - state, 0.0)
    moved = seen[:, 1:]
    step = (1 - mastered[:, :-1]) * transit[:, None] * known[:, 1:] * later[:, 1:, 0]
    rest = (1 - mastered[:, :-1]) * (1 - transit)[:, None] * unknown[:, 1:] * later[:, 1:, 1]
    both = mastered[:, :-1] * known[:, 1:] * later[:, 1:, 0] + step + rest
    return np.stack(
        [
            np.stack([state[:, 0], np.ones(len(state))], 1),
            np.stack([(step / both * moved).sum(1), ((step + rest) / both * moved).sum(1)], 1),
            np.stack([(unlearnt * marks).sum(1), unlearnt.sum(1)], 1),
            np.stack([(state * (1 - marks)).sum(1), state.sum(1)], 1),
        ],
        1,
    )


def _forward(known: Array, unknown: Array, prior: Array, transit: Array) -> Array:
    """Mastery after each answer and before learning from it, shape (sequences, LONGEST)."""
    found = np.empty_like(known)
    p = prior
    for at in range(known.shape[1]):
        found[:, at] = p * known[:, at] / (p * known[:, at] + (1 - p) * unknown[:, at])
        p = found[:, at] + (1 - found[:, at]) * transit
    return found


def _backward(known: Array, unknown: Array, transit: Array) -> Array:
    """Likelihood of the answers that follow if mastered and if not, up to a factor, shape (sequences, LONGEST, 2)."""
    found = np.ones((*known.shape, 2))
    for at in range(known.shape[1] - 2, -1, -1):
        if_known = known[:, at + 1] * found[:, at + 1, 0]
        if_not = transit * if_known + (1 - transit) * unknown[:, at + 1] * found[:, at + 1, 1]
        total = if_known + if_not
        found[:, at, 0], found[:, at, 1] = if_known / total, if_not / total
    return found
