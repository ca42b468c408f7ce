"""Fitting the priors of knowledge tracing on answers of a population; the library itself never does.

In two steps, because the tracker's features do not hang on the mixture's weights: the features of every answer are
computed online, person by person, then the mixture is a logistic regression, and each skill's deviation from it is
shrunk towards zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from persona_memory.evaluation.answers import Pair, Student
from persona_memory.evaluation.hidden_markov import fit_bkt
from persona_memory.evaluation.logistic import Array, Logistic, fit, fit_groups, sigmoid
from persona_memory.knowledge.ability import logit
from persona_memory.knowledge.priors import Link, Priors, SkillPrior
from persona_memory.knowledge.tracing import FEATURES, GROUPS, Tracker

SHRINKAGE = 10.0
"""Answers at the population's rate that are added to a skill's own."""

OWN_SLOPES = (
    *("ability", "deviation", "mastery", "right", "wrong", "last_right", "last_wrong", "lag", "all_right", "topics"),
    *("same", "repeat_1", "repeats", "right_once", "right_more", "wrong_once", "wrong_more"),
    *("topic_form", "long_form", "new", "recent", "all_wrong", "hardest"),
)
"""What may weigh differently from skill to skill: how fast practice teaches it, how soon it fades, how far ability
goes.

Not the answer before to another skill: where two rows are one question, that answer is this one. See `linked`."""

LINK_RIDGE = 4.0


Topics = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of many people in a table.

    Attributes:
        features: shape (n, len(FEATURES)).
        y: 1 for a right answer, shape (n,).
        people: whose it is, numbers from 0, shape (n,).
        topics: of each answer.
    """

    features: Array
    y: Array
    people: NDArray[np.intp]
    topics: tuple[tuple[str, ...], ...]


def fit_priors(students: Sequence[Student], *, skills: bool = True, one_question: Set[Pair] = frozenset()) -> Priors:
    """The priors of these students.

    Args:
        skills: whether single skills get difficulties, slopes and links; without them all are taken for alike.
        one_question: pairs of skills that are never linked, because their rows are one answer.
    """
    start = starting(students, skills=skills)
    return mixed(start, table(students, start), one_question=one_question)


def starting(students: Sequence[Student], *, skills: bool = True) -> Priors:
    """Difficulties and BKT's parameters: what the features need."""
    seen, right = Counter[str](), Counter[str]()
    for answer in (answer for student in students for answer in student):
        seen.update(answer.topics)
        right.update(answer.topics * answer.correct)
    rate = right.total() / seen.total()
    difficulty = {name: (right[name] + SHRINKAGE * rate) / (seen[name] + SHRINKAGE) for name in seen if skills}
    return Priors(
        difficulty=logit(rate),
        bkt=fit_bkt(students),
        skills={name: SkillPrior(logit(share)) for name, share in difficulty.items()},
    )


def table(students: Iterable[Student], priors: Priors) -> Answers:
    """The features of every answer, each computed before the answer is seen."""
    rows, marks, people, topics = [], [], [], []
    for number, student in enumerate(students):
        for answer, features in zip(student, trace(student, priors), strict=True):
            rows.append(np.array(features))
            marks.append(float(answer.correct))
            people.append(number)
            topics.append(answer.topics)
    return Answers(np.array(rows), np.array(marks), np.array(people, dtype=np.intp), tuple(topics))


def trace(student: Student, priors: Priors) -> Iterator[list[float]]:
    """A student's features, answer by answer."""
    tracker = Tracker(priors)
    for answer in student:
        yield tracker.features(answer.topics)
        tracker.observe(answer.topics, answer.correct)


def mixed(
    start: Priors, answers: Answers, *, without: Collection[str] = (), one_question: Set[Pair] = frozenset()
) -> Priors:
    """The priors with the mixture's weights, the skills' deviations from them, and links between skills.

    Args:
        start: as `starting` gives them.
        answers: their features.
        without: groups of features (`tracing.GROUPS`) to leave out, "skills" for their own slopes, "links".
        one_question: as in `fit_priors`.
    """
    left_out = {name for group in without for name in GROUPS.get(group, ())}
    names = [name for name in FEATURES if name not in left_out]
    common = fit(answers.features[:, columns(names)], answers.y)
    priors = replace(start, intercept=common.intercept, weights=dict(zip(names, common.weights.tolist(), strict=True)))
    if start.skills and "skills" not in without:
        own = [name for name in OWN_SLOPES if name in names]
        logits = common.logits(answers.features[:, columns(names)])
        deviations = fit_groups(answers.features[:, columns(own)], answers.y, logits, answers.topics)
        priors = replace(priors, skills=_skills(start.skills, deviations, own))
    if start.skills and "links" not in without:
        priors = replace(priors, links=linked(priors, answers, one_question))
    return priors


def linked(priors: Priors, answers: Answers, one_question: Set[Pair]) -> dict[tuple[Topics, Topics], Link]:
    """What an answer to other skills says of the next one, for every two questions that followed one another.

    Two that are rows of one question are left out: there the answer before is this answer.
    """
    pairs = [_followed(answers, place, one_question) for place in range(len(answers.y))]
    rows = [place for place, pair in enumerate(pairs) if pair is not None]
    before = answers.features[rows][:, columns(["before"])]
    logits = np.array([logit(p) for p in expected(priors, answers)[rows]])
    found = fit_groups(before, answers.y[rows], logits, [(pairs[row],) for row in rows], ridge=LINK_RIDGE, rounds=1)
    return {pair: Link(one.intercept, float(one.weights[0])) for pair, one in found.items() if pair is not None}


def _followed(answers: Answers, place: int, one_question: Set[Pair]) -> tuple[Topics, Topics] | None:
    if place == 0 or answers.people[place - 1] != answers.people[place]:
        return None
    last, now = answers.topics[place - 1], answers.topics[place]
    return None if last == now or (last[-1], now[0]) in one_question else (last, now)


def _skills(
    skills: Mapping[str, SkillPrior], deviations: Mapping[str, Logistic], names: Sequence[str]
) -> dict[str, SkillPrior]:
    return {
        name: replace(
            skill,
            intercept=deviations[name].intercept,
            slopes=dict(zip(names, deviations[name].weights.tolist(), strict=True)),
        )
        for name, skill in skills.items()
    }


def columns(names: Iterable[str]) -> list[int]:
    """Where features stand."""
    return [FEATURES.index(name) for name in names]


def expected(priors: Priors, answers: Answers) -> Array:
    """What the mixture foretells for each answer, shape (n,): as `Tracker.p_correct`, many at a time."""
    weights = np.array([priors.weights.get(name, 0.0) for name in FEATURES])
    logits = answers.features @ weights + priors.intercept
    own = {
        name: (skill.intercept, np.array([skill.slopes.get(feature, 0.0) for feature in FEATURES]))
        for name, skill in priors.skills.items()
    }
    before = FEATURES.index("before")
    for place, topics in enumerate(answers.topics):
        for intercept, slopes in (own[name] for name in topics if name in own):
            logits[place] += (intercept + answers.features[place] @ slopes) / len(topics)
        followed = _followed(answers, place, frozenset()) if priors.links else None
        link = None if followed is None else priors.links.get(followed)
        if link is not None:
            logits[place] += link.intercept + link.slope * answers.features[place, before]
    return sigmoid(logits)
