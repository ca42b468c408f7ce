"""Sentences, clauses and small grammar."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.profile.english.clauses import clauses
from persona_memory.profile.english.deeds import same_deed
from persona_memory.profile.english.grammar import (
    affirmed,
    bases,
    first_person,
    gerund,
    negated,
    no_longer,
    third_person,
)
from persona_memory.profile.english.lexicon import number
from persona_memory.profile.english.sentences import MASK, own_speech, sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Hi! I'm Ana. I live in Porto.", ["Hi!", "I'm Ana.", "I live in Porto."]),
        ("Dr. Silva lives in Washington D.C. and pays 3.5 %.", ["Dr. Silva lives in Washington D.C. and pays 3.5 %."]),
        ("I get up at 6 a.m. every day. I like it.", ["I get up at 6 a.m. every day.", "I like it."]),
        ("i like tea. i hate milk", ["i like tea.", "i hate milk"]),
        ("I live in Porto 😊 I love it", ["I live in Porto 😊", "I love it"]),
        ("Wait... really?! Yes", ["Wait...", "really?!", "Yes"]),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("  … !!  ", []),
    ],
)
def test_sentences_end_where_people_end_them(text: str, parts: list[str]) -> None:
    """Not at abbreviations, initials and decimals; at emoji and line breaks, too."""
    assert [sentence.text for sentence in sentences(text)] == parts


@pytest.mark.parametrize(
    ("text", "gone", "stays"),
    [
        ("```\nI am code\n``` I am me", "I am code", "I am me"),
        ("> I am quoted\nI am me", "I am quoted", "I am me"),
        ("He said “I am vegan” but I am me", "I am vegan", "I am me"),
        ("'I'm old,' she said. I'm the dogs' friend", "I'm old", "I'm the dogs' friend"),
        ("Ben: I am Ben\nNote: I am me", "I am Ben", "I am me"),
        ("see https://example.org/I-am-a-link I am me", "I-am-a-link", "I am me"),
        ('I love "Pulp Fiction"', "nothing at all", "Pulp Fiction"),
    ],
)
def test_what_is_not_the_persons_speech_is_masked(text: str, gone: str, stays: str) -> None:
    """Code, quotations, links and other speakers; a short title stays. Offsets do not move."""
    masked = own_speech(text)
    assert len(masked) == len(text)
    assert gone not in masked
    assert stays in masked


@given(st.text(max_size=200))
def test_reading_keeps_every_offset(text: str) -> None:
    """A sentence or clause is found in the masked text where it says it is."""
    masked = own_speech(text)
    assert len(masked) == len(text)
    for sentence in sentences(text):
        assert masked[sentence.start : sentence.start + len(sentence.text)] == sentence.text
    for clause in clauses(text):
        assert 0 <= clause.start <= clause.end <= len(text)
        assert clause.text.endswith(masked[clause.start : clause.end])


def test_clauses_share_a_subject() -> None:
    """What is left out is put back, and the quote stays the person's own words."""
    text = "I'm 34, live in Porto and work as a nurse, but I hate mornings, why?"
    assert [(clause.text, clause.asserted) for clause in clauses(text)] == [
        ("I'm 34", True),
        ("I live in Porto", True),
        ("I work as a nurse", True),
        ("I hate mornings", True),
        ("why?", False),
    ]


@pytest.mark.parametrize(
    "text", ["I don't like to run and play tennis", "I want to quit and live in Rome", "peace and love"]
)
def test_negated_and_unreal_heads_share_nothing(text: str) -> None:
    """ "… and live in Rome" is wanted, not so."""
    assert len(clauses(text)) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I don't eat pork with my family", "Does not eat pork with their family"),
        ("I'm moving to Rome", "Is moving to Rome"),
        ("I've been to Japan", "Has been to Japan"),
        ("We have two kids", "Has two kids"),
        ("I usually watch TV by myself", "Usually watches TV by myself"),
        ("I went to Rome with my wife", "Went to Rome with their wife"),
        ("I try to sleep", "Tries to sleep"),
        ("I can't swim", "Cannot swim"),
        ("I no longer collect stamps", "No longer collects stamps"),
        ("We really no longer try my soup", "No longer tries their soup"),
        ("I'm no longer vegan", "Is no longer vegan"),
    ],
)
def test_statements_turn_into_the_third_person(said: str, told: str) -> None:
    """Without subject, with the pronouns of a person whose gender nobody asked."""
    assert third_person(said) == told.replace("myself", "themselves")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("The user's name is Ana", "My name is Ana"),
        ("User is vegan", "I am vegan"),
        ("They live in Porto", "I live in Porto"),
        ("Watches TV", "I watch TV"),
        ("Loves his job", "I love my job"),
        ("Their favourite colour is green", "My favourite colour is green"),
        ("Ben is vegan", "Ben is vegan"),
        ("Wants the assistant not to use emojis", "From now on, do not use emojis"),
    ],
)
def test_memories_turn_back_into_the_first_person(told: str, said: str) -> None:
    """Only what is said of the user."""
    assert first_person(told) == said


@pytest.mark.parametrize(
    ("verb", "doing"),
    [("swim", "swimming"), ("bake", "baking"), ("see", "seeing"), ("visit", "visiting"), ("play", "playing")],
)
def test_gerunds(verb: str, doing: str) -> None:
    """Doubled and dropped letters."""
    assert gerund(verb) == doing


@pytest.mark.parametrize(
    ("text", "value"),
    [("34", 34), ("thirty-four", 34), ("Twelve", 12), ("ninety", 90), ("forty eleven", None), ("x", None)],
)
def test_numbers_in_words(text: str, value: int | None) -> None:
    """Below a hundred; anything else is no number."""
    assert number(text) == value


def test_the_mask_matches_no_rule() -> None:
    """A text of masks has no sentence."""
    assert sentences(MASK * 5) == ()


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Is allergic to nuts", "Is not allergic to nuts"),
        ("Has a dog called Rex", "Does not have a dog called Rex"),
        ("Likes tea", "Does not like tea"),
        ("Their favourite colour is red", "Their favourite colour is not red"),
    ],
)
def test_a_statement_is_denied_and_affirmed_again(text: str, denied: str) -> None:
    """One undoes the other."""
    assert negated(text) == denied
    assert affirmed(denied) == text


@pytest.mark.parametrize("text", ["Does not eat pork", "Is no longer vegan", "No longer likes tea", "Dislikes tea"])
def test_what_is_negative_is_not_denied(text: str) -> None:
    """Two negations would say more than anybody did."""
    assert negated(text) is None


def test_importing_the_rules_compiles_no_pattern_of_theirs() -> None:
    """Whoever learns with an LLM never pays for them; they are compiled when they are first tried."""
    code = (
        "import persona_memory.learning.rules, persona_memory.profile.english.regex as regex; "
        "from persona_memory.profile.statements import statements; "
        "before = regex.compiled.cache_info().currsize; statements('I live in Porto.'); "
        "print(before, regex.compiled.cache_info().currsize > 100)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]


@pytest.mark.parametrize(
    ("doing", "base"),
    [("running", "run"), ("playing", "play"), ("living", "live"), ("baking", "bake"), ("meditating", "meditate")],
)
def test_the_base_of_an_ing_form_comes_first(doing: str, base: str) -> None:
    """The others that it could come from follow."""
    assert bases(doing)[0] == base


@pytest.mark.parametrize("said", ["I no longer collect stamps", "I no longer have time", "I am no longer vegan"])
def test_what_a_person_says_is_over_comes_back_in_their_words(said: str) -> None:
    """From the memory that is made of it."""
    assert first_person(third_person(said)) == said


@pytest.mark.parametrize("text", ["Lives in Porto", "Is married", "Plays tennis", "Has a dog called Rex"])
def test_what_is_over_can_be_read_back(text: str) -> None:
    """As the clause that a person would say."""
    assert first_person(no_longer(text)).startswith(("I no longer ", "I am no longer "))


@pytest.mark.parametrize(
    ("said", "held", "same"),
    [
        ("running", "go running every morning", True),
        ("going to the gym", "go to the gym on Mondays", True),
        ("Italian", "learn Italian", True),
        ("nursing", "nurse", True),
        ("running in the evening", "go running every morning", False),
        ("running", "run a marathon", False),
        ("buying bread", "bake bread every Saturday", False),
        ("tennis with Ana", "tennis", False),
    ],
)
def test_an_activity_is_known_by_another_name(said: str, held: str, same: bool) -> None:
    """As long as nothing is added to it."""
    assert same_deed(said, held) is same
