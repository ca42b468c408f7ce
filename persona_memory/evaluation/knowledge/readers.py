"""Who says from evidence what a person knows of a topic: ours, ours without a part, and plain rules of thumb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Final

from persona_memory.knowledge import bkt
from persona_memory.knowledge.priors import shipped
from persona_memory.knowledge.topics import FAMILIAR, NEGATIVE, POSITIVE, status
from persona_memory.types import EvidenceKind, Topic, TopicStatus

OURS = "ours"
READ, SHOWN = "read from the words", "read without fault"
"""Where evidence comes from: what the memory made of the words, and what each line truly shows."""
MAJORITY, LAST, COUNTS = "majority", "last evidence only", "counts of evidence"
NO_FORGETTING, NO_MASTERY, NO_ABILITY = "without forgetting", "without mastery", "without ability"

LAST_SAYS: Final[Mapping[EvidenceKind, TopicStatus]] = {
    "mentioned": "discussed", "asked": "learning", "explained": "learning", "correct": "familiar",
    "claimed": "familiar", "wrong": "gap", "confused": "gap",
}  # fmt: skip


def by_last(topic: Topic) -> TopicStatus:
    """What the newest piece of evidence says by itself."""
    return LAST_SAYS[topic.evidence[-1].kind]


def by_counts(topic: Topic) -> TopicStatus:
    """The share of good evidence (right, claimed) in all good or bad: from .7 on familiar, below .4 a gap."""
    kinds = [one.kind for one in topic.evidence]
    good, bad = sum(kind in POSITIVE for kind in kinds), sum(kind in NEGATIVE for kind in kinds)
    if not good + bad:
        return "discussed" if set(kinds) <= {"mentioned"} else "learning"
    share = good / (good + bad)
    return "familiar" if share >= FAMILIAR else "gap" if share < 0.4 else "learning"


def without_forgetting(topic: Topic) -> TopicStatus:
    """Ours, as if nothing faded."""
    return status(_kinds(topic), topic.p_known, None)


def without_mastery(topic: Topic) -> TopicStatus:
    """Ours, by the order of the evidence and by forgetting: mastery neither holds a status back nor carries it."""
    return status(_kinds(topic), FAMILIAR, topic.retrievability)


def without_ability(topic: Topic) -> TopicStatus:
    """Ours with plain knowledge tracing, one topic at a time: no ability of the person, no difficulty of the topic."""
    return status(_kinds(topic), plain_mastery(topic), topic.retrievability)


def plain_mastery(topic: Topic) -> float:
    """p_known by knowledge tracing alone, from the same prior for everybody and everything."""
    model = shipped().bkt
    return reduce(lambda p, kind: bkt.observe(p, kind, model), _kinds(topic), model.prior)


def share_right(topic: Topic) -> float:
    """Right answers among all, with one of each added."""
    kinds: Sequence[EvidenceKind] = _kinds(topic)
    right, wrong = kinds.count("correct"), kinds.count("wrong")
    return (right + 1) / (right + wrong + 2)


def _kinds(topic: Topic) -> list[EvidenceKind]:
    return [one.kind for one in topic.evidence]


READERS: Final[Mapping[str, Callable[[Topic], TopicStatus]]] = {
    LAST: by_last,
    COUNTS: by_counts,
    OURS: lambda topic: topic.status,
    NO_FORGETTING: without_forgetting,
    NO_MASTERY: without_mastery,
    NO_ABILITY: without_ability,
}
"""Each reads the same evidence; a topic without any is `unseen` to all."""

FORETELLING: Final[Mapping[str, Callable[[Topic], float]]] = {
    "right share so far": share_right,
    "ours: p_correct": lambda topic: topic.p_correct,
    "ours: p_correct × retrievability": lambda topic: topic.p_correct * (topic.retrievability or 1.0),
    "without ability": lambda topic: bkt.p_correct(plain_mastery(topic), shipped().bkt),
}
"""The probability that the next answer is right."""

KNOWING: Final[Mapping[str, Callable[[Topic], float]]] = {
    "right share so far": share_right,
    "ours: p_known": lambda topic: topic.p_known,
    "ours: p_known × retrievability": lambda topic: topic.p_known * (topic.retrievability or 1.0),
    "without ability": plain_mastery,
}
"""How much of the topic is known."""
