"""What a person knows of each topic, folded from evidence: mastery by BKT, fading by FSRS, a status for people.

A topic that is new to a person starts at the general prior, moved by what they have shown of other topics.

Status, first rule that holds:

* `unseen` — no evidence;
* `gap` — the last evidence that says anything is a mistake or "I don't get it", and mastery is not beyond a slip
  (`p_known` < 0.9); a later right answer or claim lifts it;
* `familiar` — it has not faded (retrievability ≥ 0.7), and `p_known` ≥ 0.7, or the person says that they know it and
  nothing speaks against it: their word decides the label, while the number stays sceptical;
* `learning` — anything was asked, explained, tried or claimed. A familiar topic that has faded comes back here: it
  should be refreshed, but forgetting alone is no gap, because nobody has seen a mistake;
* `discussed` — it only came up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from persona_memory.knowledge import bkt
from persona_memory.knowledge.ability import Belief, assimilate, shifted
from persona_memory.knowledge.forgetting import Strength, fold_reviews, retrievability, reviews_of
from persona_memory.knowledge.naming import canonical, name_key
from persona_memory.knowledge.priors import Priors, shipped
from persona_memory.types import EvidenceKind, Topic, TopicEvidence, TopicStatus

FAMILIAR: Final = 0.7
FADED: Final = 0.7
BEYOND_A_SLIP: Final = 0.9
NEGATIVE: Final[frozenset[EvidenceKind]] = frozenset({"wrong", "confused"})
POSITIVE: Final[frozenset[EvidenceKind]] = frozenset({"correct", "claimed"})


def fold_topics(
    evidence: Sequence[TopicEvidence], *, aliases: Mapping[str, str] | None = None, now: datetime
) -> tuple[Topic, ...]:
    """The person's topics at `now`, in the order in which they first came up.

    Args:
        evidence: all of it, oldest first. Names that mean the same are merged (`naming.canonical`).
        aliases: other names that were found to mean a topic, e.g. by an embedder: other name → topic.
        now: what retrievability and status are computed for; the clock may stand before the evidence.
    """
    named: dict[str, str] = {name_key(other): topic for other, topic in (aliases or {}).items()}
    names: dict[str, str] = {}
    groups: dict[str, list[TopicEvidence]] = {}
    known: list[tuple[str, EvidenceKind]] = []
    for item in evidence:
        wanted = named.get(name_key(item.topic), item.topic)
        name = names.setdefault(name_key(wanted), canonical(wanted, ()))
        groups.setdefault(name, []).append(item)
        known.append((name, item.kind))
    mastery = masteries(known)
    return tuple(_topic(name, items, mastery[name], now) for name, items in groups.items())


def masteries(evidence: Iterable[tuple[str, EvidenceKind]], priors: Priors | None = None) -> dict[str, float]:
    """Each topic's p_known after all the evidence (topic, kind), oldest first.

    It is BKT, topic by topic; but where a topic's mastery starts hangs on how able the person has shown themselves on
    the topics before it (`ability`), by the same mathematics and the same numbers as in `tracing`. Soft evidence moves
    ability by its weight, too.
    """
    priors = shipped() if priors is None else priors
    ability, found = Belief(0.0, priors.ability_variance), dict[str, float]()
    for topic, kind in evidence:
        before = found.get(topic)
        if before is None:
            before = shifted(bkt.DEFAULT.prior, ability.mean, priors.share)
        seen = bkt.OBSERVATIONS[kind]
        if seen.correct is not None:
            expected = bkt.p_correct(before)
            ability = assimilate(ability, expected, seen.correct, others=priors.topic_variance, weight=seen.weight)
        found[topic] = bkt.observe(before, kind)
    return found


def _topic(name: str, items: Sequence[TopicEvidence], p_known: float, now: datetime) -> Topic:
    kinds = [item.kind for item in items]
    strength = strength_of(items)
    recall = None if strength is None else retrievability(strength, now)
    others = dict.fromkeys(item.topic for item in items if item.topic != name)
    return Topic(
        name=name,
        status=status(kinds, p_known, recall),
        p_known=p_known,
        retrievability=recall,
        stability=None if strength is None else strength.stability,
        aliases=tuple(others),
        evidence=tuple(items),
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
    by_itself = last in POSITIVE or bkt.trace(kinds) >= FAMILIAR  # ability alone makes nothing familiar
    if present and last not in NEGATIVE and ((p_known >= FAMILIAR and by_itself) or by_word):
        return "familiar"
    return "discussed" if set(kinds) <= {"mentioned"} else "learning"
