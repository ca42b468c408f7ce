"""Predicting a student's next answer (T5): knowledge tracing on ASSISTments 2009, online per student of the test file.

Priors and all baselines are fitted on the train file's students. Every expectation is made before the answer is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from persona_memory.evaluation.answers import (
    ALWAYS,
    NEARLY_ALWAYS,
    TEST,
    TRAIN,
    Pair,
    Student,
    merged,
    read,
    repeated_pairs,
)
from persona_memory.evaluation.hidden_markov import fit_skills
from persona_memory.evaluation.knowledge_priors import Answers, columns, expected, mixed, starting, table
from persona_memory.evaluation.logistic import Array, Logistic, fit, fit_groups, sigmoid
from persona_memory.evaluation.prediction import auc, auc_draws, calibration_error, interval, losses
from persona_memory.evaluation.report import Report, Row, RowKind, Score, Table, shown
from persona_memory.evaluation.settings import Settings
from persona_memory.evaluation.statistics import mean
from persona_memory.knowledge import bkt
from persona_memory.knowledge.priors import Priors, shipped
from persona_memory.knowledge.tracing import FEATURES, GROUPS, Tracker

LOGISTIC: Final = "logistic: counts, recency; slopes by skill"
OURS: Final = "ours"
TOLD_RIGHT, TOLD_KNOWN = "memory.knowledge(): p_correct", "memory.knowledge(): p_known"
QUICK_STUDENTS: Final = 40
QUICK_PART = f"first {QUICK_STUDENTS} students of each file"
PATIENCE: Final = 5.0
"""Answers at the population's rate that a student's mean starts with."""

COUNTS_AND_RECENCY: Final = (
    *GROUPS["difficulty"],
    *GROUPS["practice"],
    *GROUPS["recency"],
    *GROUPS["runs"],
    *(name for name in GROUPS["form"] if name not in {"form", "long_form", "topic_form"}),
)
"""The strongest baseline sees all that can be counted: right and wrong answers, on the skill and in all, how long ago
the last was and what it was, runs of right answers and of one skill. It has no ability, no mastery, no links."""

BY_SKILL: Final = ("right", "wrong", "last_right", "last_wrong", "lag", "recent")
"""Performance factors (Pavlik et al. 2009): each skill has weights of its own for counts and recency."""

COLUMNS: Final = ("AUC", "log loss", "ECE", "AUC − logistic")


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Both files in one form, with what was fitted on the train file."""

    train: Sequence[Student]
    test: Sequence[Student]
    start: Priors
    before: Answers
    after: Answers
    one_question: frozenset[Pair]

    def ours(self, *without: str) -> Priors:
        """Ours, fitted without some parts."""
        return mixed(self.start, self.before, without=without, one_question=self.one_question)


def run(settings: Settings) -> Report:
    """Measure on a folder with ASSISTments' train and test file.

    Raises:
        InvalidInput: a file is missing or not in the format.
    """
    train, test = read(settings.data / TRAIN), read(settings.data / TEST)
    pairs = {agreement: repeated_pairs((*train, *test), agreement=agreement) for agreement in (ALWAYS, NEARLY_ALWAYS)}
    if settings.quick:
        train, test = train[:QUICK_STUDENTS], test[:QUICK_STUDENTS]
    forms = {"merged": pairs[ALWAYS], "strictly merged": pairs[NEARLY_ALWAYS], "as shipped": frozenset[Pair]()}
    tables = []
    for name, joined in settings.watch.track(forms.items(), "forms of the data", total=len(forms)):
        parts = [tuple(merged(student, joined) for student in file) for file in (train, test)]

        def compute(parts: Sequence[Sequence[Student]] = parts, whole: bool = name == "merged") -> list[dict[str, Any]]:
            return _measured(_fitted(parts[0], parts[1], pairs[NEARLY_ALWAYS]), whole=whole, seed=settings.seed)

        rows = settings.checkpoint.get(f"{name}-{len(train)}-{settings.seed}", compute)
        title = f"{name}: {sum(map(len, parts[1])):,} answers of {len(test):,} students"
        tables.append(Table(title, COLUMNS, tuple(map(_row, rows)), plot="AUC"))
    return Report("assistments", "Knowledge tracing: ASSISTments 2009", tuple(tables), _notes(pairs, tables))


def _notes(pairs: Mapping[float, frozenset[Pair]], tables: Sequence[Table]) -> tuple[str, ...]:
    merged_, strict, shipped_ = (
        next(shown(row.cells["AUC"]) for row in table.rows if row.name == OURS) for table in tables
    )
    return (
        f"AUC of ours in plain words: {merged_} merged, {strict} strictly merged, {shipped_} as shipped. The strictly "
        "merged one leaks least, and is the one to go by; as shipped the file tells answers, and nothing is to be "
        "compared with it.",
        "All is fitted on the train file's students; the test file's are foretold online, answer by answer, the first "
        "one included. Features and penalties were chosen on every fifth student of the train file.",
        f"Merged: consecutive rows of {len(pairs[ALWAYS])} ordered pairs of skills that always agree (n ≥ 20) are one "
        f"answer to a question on several skills. Strictly merged: of {len(pairs[NEARLY_ALWAYS])} pairs that agree in "
        f"{NEARLY_ALWAYS:.0%} and more; one accident among thousands keeps such a pair out of the first list, so what "
        "is merged there still tells part of the answers to whoever looks at the row before.",
        "Links between skills (what the answer before, on another skill, says of this one) are never fitted for the "
        f"{len(pairs[NEARLY_ALWAYS])} pairs, in no form of the data: there they would read the answer.",
        "memory.knowledge(): what the library tells of a person's topics, with the shipped priors, which know no skill "
        "by name; 'ours' is the same mathematics with priors of the very skills that are asked about. p_known is "
        "mastery, put through BKT's guess and slip.",
        "Intervals: 1,000 resamples of the students (AUC), 2,000 (log loss); differences are paired.",
    )


def _fitted(train: Sequence[Student], test: Sequence[Student], one_question: frozenset[Pair]) -> _Fitted:
    start = starting(train)
    return _Fitted(train, test, start, table(train, start), table(test, start), one_question)


def _measured(data: _Fitted, *, whole: bool, seed: int) -> list[dict[str, Any]]:
    """Each system's scores, as JSON."""
    systems: list[tuple[str, RowKind, Array]] = [*_baselines(data)]
    systems.append((OURS, "ours", _online(data.test, data.ours())))
    systems += [(name, "ours", p) for name, p in told(data.test).items()]
    if whole:
        systems += _ablations(data)
    y, people = data.after.y, data.after.people
    draws = auc_draws({name: p for name, _, p in systems}, y, people, seed=seed)
    bar = next(p for name, _, p in systems if name == LOGISTIC)
    rows = []
    for name, kind, p in systems:
        gain = interval(auc(p, y) - auc(bar, y), draws[name] - draws[LOGISTIC])
        cells = {
            "AUC": interval(auc(p, y), draws[name], n=len(y)),
            "log loss": mean(losses(p, y), people.tolist(), seed=seed),
            "ECE": Score(calibration_error(p, y)),
            "AUC − logistic": gain,
        }
        rows.append({"name": name, "kind": kind, "cells": {column: _plain(cell) for column, cell in cells.items()}})
    return rows


def _plain(score: Score) -> list[Any]:
    return [score.value, score.low, score.high, score.n]


def _row(found: Mapping[str, Any]) -> Row:
    cells = {column: Score(*cell) for column, cell in found["cells"].items()}
    if found["name"] == LOGISTIC:
        del cells["AUC − logistic"]
    return Row(found["name"], cells, found["kind"])


def _baselines(data: _Fitted) -> list[tuple[str, RowKind, Array]]:
    before, after = data.before, data.after
    rate = float(before.y.mean())
    right, wrong = (np.expm1(after.features[:, FEATURES.index(name)]) for name in ("all_right", "all_wrong"))
    counted = columns(COUNTS_AND_RECENCY)
    logistic = fit(before.features[:, counted], before.y)
    return [
        ("constant", "baseline", np.full(len(after.y), rate)),
        ("skill mean", "baseline", sigmoid(after.features[:, FEATURES.index("difficulty")])),
        ("student mean", "baseline", (right + PATIENCE * rate) / (right + wrong + PATIENCE)),
        ("BKT, fitted per skill", "baseline", _classic(data)),
        ("logistic: counts, recency", "baseline", sigmoid(logistic.logits(after.features[:, counted]))),
        (LOGISTIC, "baseline", _by_skill(logistic, before, after)),
    ]


def _by_skill(common: Logistic, before: Answers, after: Answers) -> Array:
    """The logistic model with each skill's own weights for counts and recency."""
    counted, own = columns(COUNTS_AND_RECENCY), columns(BY_SKILL)
    skills = fit_groups(before.features[:, own], before.y, common.logits(before.features[:, counted]), before.topics)
    logits = common.logits(after.features[:, counted])
    for place, topics in enumerate(after.topics):
        for skill in (skills[topic] for topic in topics if topic in skills):
            logits[place] += (skill.intercept + after.features[place, own] @ skill.weights) / len(topics)
    return sigmoid(logits)


def _classic(data: _Fitted) -> Array:
    """Classic BKT: parameters per skill, mastery per student and skill, the mean over a question's skills."""
    skills, found = fit_skills(data.train, data.start.bkt), []
    for student in data.test:
        mastery: dict[str, float] = {}
        for answer in student:
            models = [(topic, skills.get(topic, data.start.bkt)) for topic in answer.topics]
            known = [mastery.get(topic, model.prior) for topic, model in models]
            rights = [bkt.p_correct(p, model) for p, (_, model) in zip(known, models, strict=True)]
            found.append(sum(rights) / len(rights))
            for p, (topic, model) in zip(known, models, strict=True):
                mastery[topic] = bkt.update(p, answer.correct, model)
    return np.array(found)


def _online(students: Sequence[Student], priors: Priors) -> Array:
    """What the library's own tracker foretells, student by student, answer by answer."""
    found = []
    for student in students:
        tracker = Tracker(priors)
        for answer in student:
            found.append(tracker.p_correct(answer.topics))
            tracker.observe(answer.topics, answer.correct)
    return np.array(found)


def told(students: Sequence[Student]) -> dict[str, Array]:
    """What `memory.knowledge()` tells of each question's topics before it is answered, the mean over the topics.

    Its numbers are the tracker's, with the shipped priors (`topics.trace_topics`): the answers are seen as evidence of
    the kinds "correct" and "wrong", and a topic that is new counts as one that has just come up.
    """
    known, right = list[float](), list[float]()
    for student in students:
        tracker = Tracker()
        for answer in student:
            p_known = [tracker.p_known(topic) for topic in answer.topics]
            known.append(bkt.p_correct_together(p_known, tracker.priors.bkt))
            right.append(sum(tracker.p_correct([topic]) for topic in answer.topics) / len(answer.topics))
            tracker.see(answer.topics, "correct" if answer.correct else "wrong")
    return {TOLD_RIGHT: np.array(right), TOLD_KNOWN: np.array(known)}


def _ablations(data: _Fitted) -> list[tuple[str, RowKind, Array]]:
    """Ours with one part left out and the rest fitted again; last, the shipped priors, which know no skill by name."""
    parts = {"links": "links", "skills": "slopes by skill"} | {group: group for group in GROUPS}
    found: list[tuple[str, RowKind, Array]] = []
    for part, about in parts.items():
        found.append((f"ours without {about}", "ablation", expected(data.ours(part), data.after)))
    return [*found, ("ours, shipped priors only", "ablation", _online(data.test, shipped()))]
