"""What a person knows of each topic, from evidence and the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.knowledge.topics import fold_topics, status
from persona_memory.knowledge.tracing import Tracker
from persona_memory.types import EvidenceKind, Topic, TopicEvidence, TopicStatus

START = datetime(2025, 3, 1, 9, tzinfo=UTC)
KINDS: list[EvidenceKind] = ["mentioned", "asked", "explained", "wrong", "correct", "claimed", "confused"]
NAMES = ["loops", "Loop", "loops in Python", "recursion", "ML", "machine learning"]


def shown(*kinds: EvidenceKind, topic: str = "loops") -> list[TopicEvidence]:
    """Evidence of one topic, an hour apart."""
    return [TopicEvidence(topic, kind, seq, START + timedelta(hours=seq)) for seq, kind in enumerate(kinds, start=1)]


def topic(*kinds: EvidenceKind, days: float = 1) -> Topic:
    """The only topic, so many days later."""
    (found,) = fold_topics(shown(*kinds), now=START + timedelta(days=days))
    return found


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["mentioned"], "discussed"),
        (["mentioned", "mentioned"], "discussed"),
        (["asked"], "learning"),
        (["asked", "explained"], "learning"),
        (["claimed"], "familiar"),
        (["correct"], "familiar"),
        (["correct", "correct"], "familiar"),
        (["asked", "explained", "correct", "correct"], "familiar"),
        (["confused"], "gap"),
        (["wrong"], "gap"),
        (["claimed", "wrong"], "gap"),
        (["confused", "claimed"], "learning"),
        (["confused", "explained"], "gap"),
        (["wrong", "correct"], "learning"),
        (["explained"] * 30, "learning"),
        (["wrong", "correct", "correct", "correct"], "familiar"),
        (["correct", "correct", "correct", "correct", "wrong"], "learning"),
    ],
)
def test_status_follows_the_evidence(kinds: list[EvidenceKind], expected: TopicStatus) -> None:
    """A day later, before anything has faded."""
    assert topic(*kinds).status == expected


def test_no_evidence_is_unseen() -> None:
    """Nothing is folded from nothing."""
    assert status([], 0.2, None) == "unseen"
    assert fold_topics([], now=START) == ()


def test_a_familiar_topic_fades_with_the_clock_that_is_passed_in() -> None:
    """It should be refreshed, but nobody has seen a mistake: learning, not a gap. Mastery itself does not decay."""
    fresh, faded = topic("correct", "correct", days=1), topic("correct", "correct", days=200)
    assert (fresh.status, faded.status) == ("familiar", "learning")
    assert fresh.p_known == faded.p_known
    assert fresh.retrievability is not None
    assert faded.retrievability is not None
    assert faded.retrievability < fresh.retrievability


def test_practice_makes_a_topic_last() -> None:
    """Right answers weeks apart are still present when one alone would have faded."""
    once = [TopicEvidence("loops", "correct", 1, START)]
    spaced = [TopicEvidence("loops", "correct", n, START + timedelta(days=20 * n)) for n in range(4)]
    asked_at = START + timedelta(days=150)
    (weak,), (strong,) = fold_topics(once, now=asked_at), fold_topics(spaced, now=asked_at)
    assert (weak.status, strong.status) == ("learning", "familiar")


def test_what_was_never_learnt_has_nothing_to_fade() -> None:
    """No retrievability before the first review."""
    assert (topic("asked").retrievability, topic("asked").stability) == (None, None)


def test_names_that_mean_the_same_are_one_topic_with_its_aliases() -> None:
    """The first name is kept; evidence keeps the name it came with."""
    evidence = [
        *shown("asked", topic="Machine Learning"),
        *shown("correct", topic="ML"),
        *shown("mentioned", topic="machine-learning"),
        *shown("asked", topic="loops"),
    ]
    first, second = fold_topics(evidence, now=START)
    assert (first.name, first.aliases) == ("Machine Learning", ("ML", "machine-learning"))
    assert [item.topic for item in first.evidence] == ["Machine Learning", "ML", "machine-learning"]
    assert second.name == "loops"


def test_aliases_that_were_found_elsewhere_are_used() -> None:
    """E.g. by an embedder."""
    evidence = [*shown("asked", topic="gradient descent"), *shown("correct", topic="steepest descent")]
    (only,) = fold_topics(evidence, aliases={"Steepest Descent": "gradient descent"}, now=START)
    assert (only.name, only.aliases) == ("gradient descent", ("steepest descent",))


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), st.integers(-3, 300)), max_size=15),
    st.integers(-10, 1000),
)
def test_every_piece_of_evidence_is_in_one_topic_and_all_numbers_are_probabilities(
    items: list[tuple[str, EvidenceKind, int]], day: int
) -> None:
    """For any history, also with clocks going backwards."""
    evidence = [TopicEvidence(name, kind, n, START + timedelta(days=d)) for n, (name, kind, d) in enumerate(items)]
    topics = fold_topics(evidence, now=START + timedelta(days=day))
    assert sorted(item.seq for found in topics for item in found.evidence) == list(range(len(items)))
    for found in topics:
        assert 0 <= found.p_known <= 1
        assert found.retrievability is None or 0 < found.retrievability <= 1
        assert found.status != "unseen"


def test_who_knows_much_starts_a_new_topic_higher_but_is_not_familiar_with_it() -> None:
    """Mastery starts where ability says; the label waits for evidence of the topic itself."""
    able = [TopicEvidence(f"t{n}", "correct", n, START) for n in range(9)]
    lost = [TopicEvidence(f"t{n}", "wrong", n, START) for n in range(9)]
    new = [TopicEvidence("loops", kind, 20, START) for kind in ("mentioned", "asked")]
    high, plain, low = (fold_topics([*before, new[1]], now=START)[-1] for before in (able, [], lost))
    assert low.p_known < plain.p_known < high.p_known
    assert low.p_correct < plain.p_correct < high.p_correct
    for item, expected in zip(new, ("discussed", "learning"), strict=True):
        assert fold_topics([*able, item], now=START)[-1].status == expected
    right = TopicEvidence("loops", "correct", 20, START)
    assert fold_topics([*lost, right], now=START)[-1].status == "learning"
    assert fold_topics([*able, right], now=START)[-1].status == "familiar"


def test_mastery_and_the_next_answer_are_the_trackers() -> None:
    """Whatever the evidence: one mathematics, the shipped priors, no numbers of its own."""
    kinds: list[EvidenceKind] = ["asked", "explained", "wrong", "claimed", "correct", "confused", "mentioned"]
    evidence = [TopicEvidence("ab"[n % 2], kind, n, START) for n, kind in enumerate(kinds * 2)]
    tracker = Tracker()
    for item in evidence:
        tracker.see([item.topic], item.kind)
    for found in fold_topics(evidence, now=START):
        assert (found.p_known, found.p_correct) == (tracker.p_known(found.name), tracker.p_correct([found.name]))


def test_what_one_turn_shows_of_several_topics_is_one_answer() -> None:
    """A right answer that takes two topics moves ability once; two right answers move it twice."""
    together = [TopicEvidence(name, "correct", 1, START) for name in ("loops", "lists")]
    apart = [TopicEvidence(name, "correct", seq, START) for seq, name in enumerate(("loops", "lists"))]
    asked = TopicEvidence("maps", "mentioned", 2, START)
    once, twice = (fold_topics([*items, asked], now=START)[-1] for items in (together, apart))
    assert once.p_correct < twice.p_correct
    tracker = Tracker()
    tracker.observe(["loops", "lists"], True)
    assert once.p_correct == tracker.p_correct(["maps"])


def test_what_one_turn_shows_alike_is_one_moment_in_any_order() -> None:
    """A mistake told between two right answers does not part them."""
    kinds: list[tuple[str, EvidenceKind]] = [("loops", "correct"), ("sets", "wrong"), ("queues", "correct")]
    told = [TopicEvidence(name, kind, 1, START) for name, kind in kinds]
    found = [
        {one.name: one.p_correct for one in fold_topics(order, now=START)}
        for order in (told, sorted(told, key=lambda one: one.kind))
    ]
    assert found[0] == pytest.approx(found[1])
