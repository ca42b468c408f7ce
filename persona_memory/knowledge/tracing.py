"""How likely a person's next answer is right: mastery, ability, difficulty, practice and recency, mixed.

Four lines of work meet: Bayesian knowledge tracing gives a mastery per topic (Corbett & Anderson 1995; the prior is
shifted by ability as in Pardos & Heffernan 2010), an online item-response model gives ability and difficulty
(`ability`), performance factors give the practice counts (Pavlik, Cen & Koedinger 2009), and what was seen long ago
counts less. A logistic mixture, fitted offline, joins them; a skill that the priors know has slopes of its own.

Answers have no times here: time is counted in answers. All that is kept of a person is a few numbers per topic, so an
answer costs the same after ten and after ten thousand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from persona_memory.errors import InvalidInput
from persona_memory.knowledge import bkt
from persona_memory.knowledge.ability import Belief, assimilate, logit, shifted, sigmoid
from persona_memory.knowledge.priors import Priors, SkillPrior, shipped
from persona_memory.types import EvidenceKind

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "difficulty": ("difficulty", "hardest", "topics"),
    "ability": ("ability", "deviation"),
    "mastery": ("mastery", "weakest"),
    "practice": ("right", "wrong", "all_right", "all_wrong"),
    "recency": ("recent", "new", "lag", "last_right", "last_wrong"),
    "form": ("form", "long_form", "topic_form", "before", "same", "overlap", "same_before", "overlap_before", "streak"),
    "runs": (
        *("right_once", "right_more", "wrong_once", "wrong_more"),
        *("repeat_1", "repeat_2", "repeat_3", "repeats", "repeats_before"),
    ),
}
"""The features by the part they belong to; `GROUPS["ability"]` are those that an ablation of ability leaves out."""

FEATURES: Final = tuple(name for names in GROUPS.values() for name in names)
FORM, LONG_FORM, TOPIC_FORM = 0.8, 0.93, 0.75  # how much of the last surprises is left one answer later


@dataclass(slots=True)
class TopicState:
    """What is kept of one person and topic. `run` counts right answers in a row, wrong ones below zero."""

    deviation: Belief
    p_known: float
    form: float = 0.0
    right: int = 0
    wrong: int = 0
    at: int | None = None
    last: bool = False
    run: int = 0


class Tracker:
    """One person's answers, one by one.

    Args:
        priors: where to start; the shipped ones by default.
    """

    def __init__(self, priors: Priors | None = None) -> None:
        self.priors = shipped() if priors is None else priors
        self._unknown = SkillPrior(self.priors.difficulty)
        self._topics: dict[str, TopicState] = {}
        self._ability = Belief(0.0, self.priors.ability_variance)
        self._right = self._wrong = self._streak = self._repeats = 0
        self._form = self._long_form = 0.0
        self._last: tuple[str, ...] = ()
        self._before = 0.5

    def p_known(self, topic: str) -> float:
        """BKT's probability that the topic is mastered; for one not seen yet, the prior of a person of this ability."""
        known = self._topics.get(topic)
        return self._new(topic).p_known if known is None else known.p_known

    def p_correct(self, topics: Sequence[str]) -> float:
        """The probability that the next answer, to a question on these topics, is right.

        Raises:
            InvalidInput: no topic is given.
        """
        return self.foretold(topics, self.features(topics))

    def foretold(self, topics: Sequence[str], features: Sequence[float]) -> float:
        """The same from features that are at hand, in the order of `FEATURES`."""
        values = dict(zip(FEATURES, features, strict=True))
        total = self.priors.intercept + sum(weight * values[name] for name, weight in self.priors.weights.items())
        for skill in map(self._skill, topics):
            own = skill.intercept + sum(slope * values[name] for name, slope in skill.slopes.items())
            total += own / len(topics)
        link = self.priors.links.get((self._last, tuple(topics)))
        if link is not None:
            total += link.intercept + link.slope * values["before"]
        return sigmoid(total)

    def features(self, topics: Sequence[str]) -> list[float]:
        """What is known before the answer, in the order of `FEATURES`; means over the topics.

        Raises:
            InvalidInput: no topic is given.
        """
        if not topics:
            raise InvalidInput("an exercise without a topic cannot be foretold; pass at least one")
        same = tuple(topics) == self._last
        overlap = not same and not set(topics).isdisjoint(self._last)
        return [
            *self._of_topics(topics),
            *self._of_forms(topics, same, overlap),
            *self._of_runs(topics, self._repeats if same else 0),
        ]

    def observe(self, topics: Sequence[str], correct: bool) -> None:
        """Take an answer in.

        Raises:
            InvalidInput: no topic is given.
        """
        self.see(topics, "correct" if correct else "wrong")

    def see(self, topics: Sequence[str], kind: EvidenceKind) -> None:
        """Take one piece of evidence from dialogue in; `bkt.OBSERVATIONS` says how each kind counts.

        An answer moves all that is kept. What is softer moves by its weight what is believed (mastery, ability, what
        is special to the topic), but is no practice: counts, form and runs are of answers, as the mixture was fitted.

        Raises:
            InvalidInput: no topic is given.
        """
        if not topics:
            raise InvalidInput("evidence of no topic tells nothing; pass at least one")
        seen = bkt.OBSERVATIONS[kind]
        if seen.correct is None and not seen.learns:
            return
        states = [self._topics.setdefault(topic, self._new(topic)) for topic in topics]
        if seen.correct is not None:
            surprise = self._believe(states, topics, seen.correct, seen.weight)
            if seen.weight == bkt.GRADED:
                self._practise(states, tuple(topics), seen.correct, surprise)
        for state in states:
            state.p_known = bkt.observe(state.p_known, kind, self.priors.bkt)

    def _skill(self, topic: str) -> SkillPrior:
        return self.priors.skills.get(topic, self._unknown)

    def _new(self, topic: str) -> TopicState:
        easier = self._skill(topic).difficulty - self.priors.difficulty
        known = shifted(self.priors.bkt.prior, self._ability.mean + easier, self.priors.share)
        return TopicState(Belief(0.0, self.priors.topic_variance), known)

    def _believe(
        self, states: Sequence[TopicState], topics: Sequence[str], correct: bool, weight: float
    ) -> tuple[float, float]:
        """Move ability and deviations; returns how much better it was than all together foretold, and than ability."""
        priors, count = self.priors, len(states)
        difficulty = sum(self._skill(topic).difficulty for topic in topics) / count
        expected = sigmoid(difficulty + self._ability.mean + sum(s.deviation.mean for s in states) / count)
        by_ability = sigmoid(difficulty + self._ability.mean)
        spread = sum(state.deviation.variance for state in states) / count**2
        theta = self._ability.variance
        self._ability = assimilate(
            self._ability, expected, correct, others=spread, drift=weight * priors.ability_drift, weight=weight
        )
        for state in states:
            others = theta + spread - state.deviation.variance / count**2
            state.deviation = assimilate(
                state.deviation, expected, correct, others=others, drift=weight * priors.topic_drift,
                weight=weight / count,
            )  # fmt: skip
        return correct - expected, correct - by_ability

    def _practise(
        self, states: Sequence[TopicState], topics: tuple[str, ...], correct: bool, surprise: tuple[float, float]
    ) -> None:
        """Count the answer, and remember how much better or worse it was than foretold."""
        for state in states:
            state.form = TOPIC_FORM * state.form + surprise[0]
            state.right += correct
            state.wrong += not correct
            state.at, state.last, state.run = self._right + self._wrong, correct, _longer(state.run, correct)
        self._form = FORM * self._form + surprise[1]
        self._long_form = LONG_FORM * self._long_form + surprise[1]
        self._right += correct
        self._wrong += not correct
        self._streak = _longer(self._streak, correct)
        self._repeats = self._repeats + 1 if topics == self._last else 1
        self._last, self._before = topics, float(correct)

    def _of_topics(self, topics: Sequence[str]) -> list[float]:
        """Difficulty, ability, mastery, practice and recency."""
        count, now = len(topics), self._right + self._wrong
        hard = [self._skill(topic).difficulty for topic in topics]
        states = [self._topics.get(topic) or self._new(topic) for topic in topics]
        seen = [(state, now - state.at) for state in states if state.at is not None]
        p = [state.p_known for state in states]
        return [
            sum(hard) / count,
            min(hard),
            float(count),
            self._ability.mean,
            sum(state.deviation.mean for state in states) / count,
            logit(bkt.p_correct_together(p, self.priors.bkt)),
            logit(bkt.p_correct(min(p), self.priors.bkt)),
            sum(math.log1p(state.right) for state in states) / count,
            sum(math.log1p(state.wrong) for state in states) / count,
            math.log1p(self._right),
            math.log1p(self._wrong),
            sum(1 / (1 + lag) for _, lag in seen) / count,
            1 - len(seen) / count,
            sum(math.log1p(lag) for _, lag in seen) / count,
            sum(state.last for state, _ in seen) / count,
            sum(not state.last for state, _ in seen) / count,
        ]

    def _of_forms(self, topics: Sequence[str], same: bool, overlap: bool) -> list[float]:
        forms = [state.form for topic in topics if (state := self._topics.get(topic)) is not None]
        return [
            self._form,
            self._long_form,
            sum(forms) / len(topics),
            self._before,
            float(same),
            float(overlap),
            same * self._before,
            overlap * self._before,
            math.copysign(math.log1p(abs(self._streak)), self._streak),
        ]

    def _of_runs(self, topics: Sequence[str], repeats: int) -> list[float]:
        runs = [state.run for topic in topics if (state := self._topics.get(topic)) is not None]
        return [
            *(sum(test) / len(topics) for test in ([r == 1 for r in runs], [r > 1 for r in runs])),
            *(sum(test) / len(topics) for test in ([r == -1 for r in runs], [r < -1 for r in runs])),
            *(float(repeats == number) for number in (1, 2, 3)),
            math.log1p(repeats),
            math.log1p(repeats) * self._before,
        ]


def _longer(run: int, correct: bool) -> int:
    return max(run, 0) + 1 if correct else min(run, 0) - 1
