"""The frames of the world: how many there are, and what is held out."""

from __future__ import annotations

import re
from itertools import combinations
from random import Random

import pytest

from persona_memory.world.forms import PARTS, Phrasing, frames
from persona_memory.world.forms.parts import Frame
from persona_memory.world.noise import _TALK, words
from persona_memory.world.pools import CLOSED
from persona_memory.world.slots import MATES, SLOTS
from persona_memory.world.speech import Speaker, conjugated, fill, say
from persona_memory.world.values import ME, Key

STATEMENTS = ("new", "repeat", "shift", "one_off")
QUESTIONS = ("open", "need", "updated", "previous", "yes_no", "inverse")
PHRASINGS: tuple[Phrasing, ...] = ("train", "varied", "combined", "dev", "test")
TRAINING = {"train", "varied"}
"""What one of them has the other may have."""


def tokens(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", text.lower())))


def templates(phrasing: Phrasing) -> set[str]:
    return {frame.template for act in PARTS["train"] for frame in frames(phrasing, act)}


@pytest.mark.parametrize("phrasing", ["train", "varied", "dev", "test"])
def test_every_act_has_many_forms(phrasing: Phrasing) -> None:
    """At least 40 for each kind of statement, 20 for each kind of question."""
    assert set(PARTS[phrasing]) == {*STATEMENTS, *QUESTIONS}
    for act in PARTS[phrasing]:
        assert len(frames(phrasing, act)) >= (40 if act in STATEMENTS else 20), act


@pytest.mark.parametrize(("first", "second"), [pair for pair in combinations(PHRASINGS, 2) if set(pair) != TRAINING])
def test_no_frame_is_in_two_splits(first: Phrasing, second: Phrasing) -> None:
    """Training, its held-out combinations, development and test share no frame."""
    assert templates(first) & templates(second) == set()


@pytest.mark.parametrize(("first", "second"), [pair for pair in combinations(PARTS, 2) if set(pair) != TRAINING])
def test_no_body_is_in_two_splits(first: str, second: str) -> None:
    """Development and test do not merely change the openers."""
    for act in PARTS[first]:
        assert set(PARTS[first][act].bodies) & set(PARTS[second][act].bodies) == set(), act


def test_a_tenth_of_trainings_combinations_is_held_out() -> None:
    """Their parts are all in training."""
    for act in PARTS["train"]:
        kept, back = frames("train", act), frames("combined", act)
        assert 0.03 < len(back) / (len(kept) + len(back)) < 0.2
        assert {frame.body for frame in back} <= {frame.body for frame in kept}


@pytest.mark.parametrize("phrasing", ["dev", "test"])
def test_every_held_out_word_is_in_training_in_another_frame(phrasing: Phrasing) -> None:
    """A model that is trained from scratch knows no English: a new word would be noise to it."""
    known = set().union(*(tokens(template) for template in templates("train")))
    for slot in SLOTS.values():
        for clause in (slot.noun, slot.says, slot.asks, slot.need):
            known |= tokens(conjugated(clause, first=True)) | tokens(conjugated(clause, first=False))
    for template in templates(phrasing):
        assert tokens(template) <= known, template


def test_every_value_is_spoken_of_in_training() -> None:
    """Words that one slot holds out are in small talk, where training sees them; dates are made of known parts."""
    pools = {value for name, pool in CLOSED.items() if name != "date" for value in pool}
    assert pools == set(words())
    assert any("{a}" in template for template in _TALK)


def test_a_frame_is_filled_with_the_words_of_slot_and_speaker() -> None:
    """I have verbs of my own; my sister's are those of anybody else; a name stands in for her."""
    frame = Frame("By the way, ", "{says}", ".")
    assert fill(frame, SLOTS["town"], Speaker(ME), "Miru", "") == "By the way, I live in Miru."
    assert fill(frame, SLOTS["town"], Speaker("sister"), "Miru", "") == "By the way, my sister lives in Miru."
    assert fill(frame, SLOTS["town"], Speaker("sister", "Lota"), "Miru", "") == "By the way, Lota lives in Miru."
    asked = Frame("", "is {ref} {v}", "?")
    assert fill(asked, SLOTS["colour"], Speaker("boss"), "red", "") == "Is my boss's favourite colour red?"


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("phrasing", PHRASINGS)
def test_nothing_is_left_unfilled(slot: str, phrasing: Phrasing) -> None:
    """Every slot can be said and asked in every act, and no placeholder or choice of verbs stays."""
    random = Random(1)
    for subject in (ME, MATES[0]):
        for act in (*STATEMENTS, *QUESTIONS):
            if act == "need" and not SLOTS[slot].need:
                continue
            text = say(random, phrasing, act, Key(subject, slot), "Zuvalo", old="Ramike")
            assert not set("{}[]|") & set(text), text
            assert ("Zuvalo" in text) == (act in (*STATEMENTS, "yes_no", "inverse")), text
