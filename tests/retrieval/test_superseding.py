"""A newer figure for the same thing takes the place of the older, in front of it, and only then."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest

from persona_memory.retrieval import PersonView, rank, understand
from persona_memory.retrieval.superseding import superseded
from persona_memory.types import Role, Turn
from tests.retrieval.people import turn

FILLER = (
    "The train to the coast leaves in the morning.",
    "Her kitten is afraid of thunder.",
    "We planted tomatoes behind the shed.",
    "That novel has a slow beginning.",
    "My neighbour plays the trumpet.",
)
SNACKS = ("My snack budget for the movie marathon is $65.", "I've adjusted the snack budget for the marathon to $75.")


def person(*texts: str, roles: Sequence[Role] = (), speakers: Sequence[str | None] = ()) -> PersonView:
    """A few turns about other things, then these."""
    turns: list[Turn] = [turn(seq, text) for seq, text in enumerate(FILLER, 1)]
    for place, text in enumerate(texts):
        role = roles[place] if roles else "user"
        speaker = speakers[place] if speakers else None
        turns.append(turn(len(turns) + 1, text, role=role, speaker=speaker))
    return PersonView(turns)


def marked(view: PersonView, question: str) -> dict[int, int]:
    """Of the texts given to `person` (from 0), which are superseded by which."""
    start = len(FILLER)
    found = superseded(view, understand(question), range(len(view)))
    return {old - start: new - start for old, new in found.items()}


def test_a_diary_of_figures_needs_no_memory_to_speak_of() -> None:
    """Sixty turns with two dozen prices each are a million pairs: only those of the best turns are compared."""
    bought = [
        ". ".join(f"I paid {day + place} dollars for groceries item{day * 24 + place}" for place in range(24))
        for day in range(60)
    ]
    view = person(*bought)
    tracemalloc.start()
    marked(view, "How many dollars did I pay for groceries?")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize(
    ("old", "new", "question"),
    [
        (*SNACKS, "What is my snack budget?"),
        (
            "My Zotero library has 45 sources, tagged by theme.",
            "I've added 52 sources to my Zotero library.",
            "How many sources are in my Zotero library?",
        ),
        (
            "The peer-reviewed draft has its deadline on April 20.",
            "I worry about the new April 25 deadline of my peer-reviewed draft.",
            "What is the deadline of the draft for peer review?",
        ),
        (
            "The webinar on ethics in hiring is on March 20.",
            "Can you tell me what day the webinar on ethics in hiring was rescheduled to?",
            "When is the webinar on ethics in hiring?",
        ),
    ],
)
def test_a_newer_figure_for_the_same_thing_supersedes(old: str, new: str, question: str) -> None:
    """Amounts, counts and dates; a date also by the mere word that it was moved."""
    assert marked(person(old, new), question) == {0: 1}


@pytest.mark.parametrize(
    ("old", "new", "question"),
    [
        (SNACKS[0], "The snack budget for the marathon stays $65.", "What is my snack budget?"),
        (SNACKS[0], "I've raised the rent budget for the flat to $900.", "What is my snack budget?"),
        (SNACKS[0], "The marathon snack budget buys 30 cupcakes now.", "What is my snack budget?"),
        ("The Zoom call with Ana is on April 21.", "The Zoom call with Ben is on May 12.", "When is the Zoom call?"),
        (*SNACKS, "When does the train leave?"),
        (*reversed(SNACKS), "What is my snack budget?"),
    ],
)
def test_another_thing_or_the_same_figure_supersedes_nothing(old: str, new: str, question: str) -> None:
    """Nor does another kind of figure, another date without a word of change, or what was not asked for."""
    assert marked(person(old, new), question) == {}


def test_of_three_the_last_holds() -> None:
    """Both older ones give way to it."""
    last = "I've increased the snack budget for the marathon to $85."
    assert marked(person(*SNACKS, last), "What is my snack budget?") == {0: 2, 1: 2}


def test_only_the_same_speaker_takes_back_what_was_said() -> None:
    """What the assistant or somebody else says changes nothing of the person's."""
    assert marked(person(*SNACKS, roles=["user", "assistant"]), "What is my snack budget?") == {}
    assert marked(person(*SNACKS, speakers=["Ana", "Ben"]), "What is my snack budget?") == {}


def test_the_newer_stands_before_the_older_and_the_older_is_marked() -> None:
    """However much better the older one's words match; the parts still add up."""
    view = person(*SNACKS)
    hits = rank(view, understand("What is my snack budget for the movie marathon?"), dense={}, limit=2)
    assert [(hit.sources[0] - len(FILLER), hit.since_changed) for hit in hits] == [(2, False), (1, True)]
    assert all(sum(hit.parts.values()) == pytest.approx(hit.score) for hit in hits)
