"""What a learner's turns show of topics."""

from __future__ import annotations

import pytest

from persona_memory.learning.rules.topics import topic_evidence
from persona_memory.protocols import Window

from .test_rules import turns

Shown = list[tuple[str, str, int]]


def shown(*texts: object, topics: tuple[str, ...] = ()) -> Shown:
    """(kind, topic, turn) of each piece of evidence."""
    found = topic_evidence(Window(turns(*texts), topics=topics))  # type: ignore[arg-type]
    return [(item.kind, item.topic, item.seq) for item in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can you explain recursion to me?", [("asked", "recursion")]),
        ("Please help me understand the chain rule.", [("asked", "chain rule")]),
        ("What is a monad?", [("asked", "monad")]),
        ("What does polymorphism mean?", [("asked", "polymorphism")]),
        ("How do I solve quadratic equations?", [("asked", "quadratic equations")]),
        ("What's the difference between a list and a tuple?", [("asked", "list"), ("asked", "tuple")]),
        ("Explain how photosynthesis works, please.", [("asked", "photosynthesis")]),
        ("I don't understand pointers.", [("confused", "pointers")]),
        ("I'm so confused about eigenvalues!", [("confused", "eigenvalues")]),
        ("I struggle with fractions.", [("confused", "fractions")]),
        ("Long division confuses me.", [("confused", "Long division")]),
        ("I'm bad at geometry.", [("confused", "geometry")]),
        ("I know Python well.", [("claimed", "Python")]),
        ("I already understand loops.", [("claimed", "loops")]),
        (
            "I'm good at linear algebra but I struggle with proofs.",
            [("claimed", "linear algebra"), ("confused", "proofs")],
        ),
        ("Recursion makes sense now!", [("claimed", "Recursion")]),
        ("I got the quadratic formula wrong again.", [("wrong", "quadratic formula")]),
        ("I failed my calculus exam.", [("wrong", "calculus")]),
        ("I passed my driving test and my statistics exam.", [("correct", "driving")]),
        ("I managed to prove Pythagoras' theorem.", [("correct", "Pythagoras' theorem")]),
        ("I'm learning about neural networks.", [("mentioned", "neural networks")]),
        ("My homework is on probability.", [("mentioned", "probability")]),
    ],
)
def test_learners_show_what_they_know_in_many_words(text: str, expected: list[tuple[str, str]]) -> None:
    """Each with its kind of evidence."""
    assert [(kind, topic) for kind, topic, _ in shown(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "What is your name?",
        "What's the weather like?",
        "What's going on?",
        "What's new?",
        "How are you?",
        "Can you help me with this?",
        "Explain that again.",
        "I know what you mean.",
        "I know, right?",
        "I know the owner.",
        "I don't know.",
        "I don't understand you.",
        "I get it.",
        "I got up late.",
        "I struggled with my mental health.",
        "I'm working on a cool project.",
        "If I understood calculus, I would pass.",
        'My friend says "I don\'t understand loops".',
        "I'm fine.",
        "Yes, I understand now. The answer is 60.",
        "I know, thanks.",
    ],
)
def test_small_talk_shows_nothing(text: str) -> None:
    """No topics out of thin air."""
    assert shown(text) == []


def test_it_means_the_topic_that_was_named_last() -> None:
    """ "Got it" and "I still don't get it" are about something."""
    assert shown(
        "Can you explain recursion?",
        ("assistant", "It calls itself."),
        "I still don't get it.",
        ("assistant", "Think of mirrors."),
        "Oh I see, that makes sense!",
        "I understand now. It stops at the base case.",
    ) == [
        ("asked", "recursion", 1),
        ("confused", "recursion", 3),
        ("claimed", "recursion", 5),
        ("claimed", "recursion", 6),
    ]


def test_the_tutors_verdict_counts_for_the_answer() -> None:
    """Only for an answer to a question of the tutor's."""
    talk = (
        "Explain fractions, please.",
        ("assistant", "Sure. What is 1/2 + 1/4?"),
        "It is 3/4.",
        ("assistant", "Exactly! And 1/3 + 1/3?"),
        "2/6",
        ("assistant", "Not quite, look at the denominators."),
        "Thanks",
        ("assistant", "Correct!"),
    )
    assert shown(*talk) == [("asked", "fractions", 1), ("correct", "fractions", 3), ("wrong", "fractions", 5)]


def test_praise_without_a_question_or_a_topic_is_no_evidence() -> None:
    """An assistant is polite."""
    assert shown("I went to Rome.", ("assistant", "Great job! Nice?"), "yes", ("assistant", "Perfect!")) == []


def test_names_that_mean_the_same_are_told_by_the_tracked_one() -> None:
    """Also when it only comes up."""
    assert shown("I don't understand ML.", topics=("machine learning",)) == [("confused", "machine learning", 1)]
    assert shown("My cousin works in machine learning", topics=("machine learning",)) == [
        ("mentioned", "machine learning", 1)
    ]


@pytest.mark.parametrize(
    ("text", "topics", "expected"),
    [
        ("I got the tree exercise with recursion right!", (), [("correct", "recursion", 1)]),
        ("I got the tree exercise with recursion right!", ("Recursion",), [("correct", "Recursion", 1)]),
        ("I finally solved exercise 3 on binary search.", (), [("correct", "binary search", 1)]),
        ("I got the recursion tree homework wrong.", ("recursion",), [("wrong", "recursion", 1)]),
        ("I failed the quiz on inheritance.", (), [("wrong", "inheritance", 1)]),
        ("I aced my last test on fractions.", (), [("correct", "fractions", 1)]),
        ("I got the question about photosynthesis wrong.", (), [("wrong", "photosynthesis", 1)]),
        ("I solved the problem with Docker.", (), []),
        ("I solved my problem with sleep.", (), []),
    ],
)
def test_an_exercise_is_evidence_for_what_it_is_on(
    text: str, topics: tuple[str, ...], expected: list[tuple[str, str, int]]
) -> None:
    """The known topic that it names, else what it is on; trouble with a thing is no exercise."""
    assert shown(text, topics=topics) == expected


def test_only_fresh_turns_are_cited_and_other_threads_keep_their_own_topic() -> None:
    """What was named before the window is still understood."""
    before = turns("Can you explain loops?", first=1)
    other = turns("I don't get it.", first=2, thread="t2")
    fresh = turns("I don't get it.", first=3)
    found = topic_evidence(Window((*other, *fresh), before=before))
    assert [(item.kind, item.topic, item.seq) for item in found] == [("confused", "loops", 3)]
