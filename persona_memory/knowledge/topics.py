"""What a person knows of each topic, folded from evidence: mastery and the next answer, fading, a status for people.

Mastery and the next answer are the `Tracker`'s, with the priors that the library ships: one mathematics for exercises
that are marked and for what shows in a conversation.

Status, first rule that holds:

* `unseen` — no evidence;
* `gap` — the last evidence that says anything is a mistake or "I don't get it", and mastery is not beyond a slip
  (`p_known` < 0.9); a later right answer or claim lifts it;
* `familiar` — the last evidence that says anything is a right answer or a claim, it has not faded (retrievability
  ≥ 0.7), and `p_known` ≥ 0.7, or the person says that they know it and nothing speaks against it: their word decides
  the label, while the number stays sceptical. Where mastery starts makes nothing familiar by itself;
* `learning` — anything was asked, explained, tried or claimed. A familiar topic that has faded comes back here: it
  should be refreshed, but forgetting alone is no gap, because nobody has seen a mistake;
* `discussed` — it only came up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from persona_memory.knowledge.forgetting import Strength, fold_reviews, retrievability, reviews_of
from persona_memory.knowledge.naming import canonical, name_key
from persona_memory.knowledge.tracing import Tracker
from persona_memory.types import EvidenceKind, Topic, TopicEvidence, TopicStatus

FAMILIAR: Final = 0.7
FADED: Final = 0.7
BEYOND_A_SLIP: Final = 0.9
NEGATIVE: Final[frozenset[EvidenceKind]] = frozenset({"wrong", "confused"})
POSITIVE: Final[frozenset[EvidenceKind]] = frozenset({"correct", "claimed"})


@dataclass(frozen=True, slots=True)
class Traced:
    """What a topic's evidence comes to, whenever one asks; see `Topic`.

    Attributes:
        strength: how firmly it sits; None where nothing of it was a review.
    """

    name: str
    evidence: tuple[TopicEvidence, ...]
    p_known: float
    p_correct: float
    strength: Strength | None


def fold_topics(
    evidence: Sequence[TopicEvidence], *, aliases: Mapping[str, str] | None = None, now: datetime
) -> tuple[Topic, ...]:
    """The person's topics at `now`, in the order in which they first came up.

    Args:
        evidence, aliases: as for `trace_topics`.
        now: what retrievability and status are computed for; the clock may stand before the evidence.
    """
    return as_of(trace_topics(evidence, aliases=aliases), now)


def trace_topics(evidence: Sequence[TopicEvidence], *, aliases: Mapping[str, str] | None = None) -> tuple[Traced, ...]:
    """The person's topics as far as they do not hang on the moment of asking, in the order in which they came up.

    Args:
        evidence: all of it, oldest first. Names that mean the same are merged (`naming.canonical`).
        aliases: other names that were found to mean a topic, e.g. by an embedder: other name → topic.
    """
    named: dict[str, str] = {name_key(other): topic for other, topic in (aliases or {}).items()}
    names: dict[str, str] = {}
    groups: dict[str, list[TopicEvidence]] = {}
    found: list[tuple[str, TopicEvidence]] = []
    for item in evidence:
        wanted = named.get(name_key(item.topic), item.topic)
        name = names.setdefault(name_key(wanted), canonical(wanted, ()))
        groups.setdefault(name, []).append(item)
        found.append((name, item))
    tracker = Tracker()
    for topics, kind in _moments(found):
        tracker.see(topics, kind)
    return tuple(
        Traced(name, tuple(items), tracker.p_known(name), tracker.p_correct([name]), strength_of(items))
        for name, items in groups.items()
    )


def as_of(traced: Iterable[Traced], now: datetime) -> tuple[Topic, ...]:
    """The topics at `now`."""
    return tuple(_topic(one, now) for one in traced)


def _moments(found: Iterable[tuple[str, TopicEvidence]]) -> Iterator[tuple[tuple[str, ...], EvidenceKind]]:
    """What one turn shows of several topics alike is one moment: an answer to a question on all of them."""
    for _, items in groupby(found, key=lambda one: one[1].seq):
        alike: dict[EvidenceKind, dict[str, None]] = {}
        for name, item in items:
            alike.setdefault(item.kind, {})[name] = None
        for kind, names in alike.items():
            yield tuple(names), kind


def _topic(traced: Traced, now: datetime) -> Topic:
    strength, items = traced.strength, traced.evidence
    recall = None if strength is None else retrievability(strength, now)
    others = dict.fromkeys(item.topic for item in items if item.topic != traced.name)
    return Topic(
        name=traced.name,
        status=status([item.kind for item in items], traced.p_known, recall),
        p_known=traced.p_known,
        p_correct=traced.p_correct,
        retrievability=recall,
        stability=None if strength is None else strength.stability,
        aliases=tuple(others),
        evidence=items,
    )


def strength_of(items: Sequence[TopicEvidence]) -> Strength | None:
    """How firmly a topic sits after this evidence; None where nothing of it was a review."""
    return fold_reviews(reviews_of((item.kind, item.at) for item in items))


def status(kinds: Sequence[EvidenceKind], p_known: float, recall: float | None) -> TopicStatus:
    """The topic's status from its evidence in order, its mastery and its retrievability, as the module says."""
    if not kinds:
        return "unseen"
    telling = [kind for kind in kinds if kind in NEGATIVE or kind in POSITIVE]
    last = telling[-1] if telling else None
    if last in NEGATIVE and p_known < BEYOND_A_SLIP:
        return "gap"
    present = recall is None or recall >= FADED
    by_word = last == "claimed" and not NEGATIVE.intersection(kinds)
    if present and last in POSITIVE and (p_known >= FAMILIAR or by_word):
        return "familiar"
    return "discussed" if set(kinds) <= {"mentioned"} else "learning"
