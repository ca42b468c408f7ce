"""Plain statements are understood; what is asked, supposed, quoted, played or taken back is not."""

from __future__ import annotations

import functools
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.profile.answers import answered
from persona_memory.profile.corrections import is_retraction
from persona_memory.profile.schema import default_schema
from persona_memory.profile.statements import (
    Statement,
    closed_by,
    corrected,
    said_by,
    slots_of,
    statements,
)
from persona_memory.types import Policy

from .fresh_sentences import FIRST, SECOND, THIRD
from .sentences import BEYOND, PLAIN, TRAPS

Facts = set[tuple[str, str]]
FRESH = [*FIRST, *SECOND, *THIRD]


def facts(found: tuple[Statement, ...]) -> Facts:
    """(field, value) pairs that are stated, and ("-field", value) for what is no longer so; "*" is the whole field.

    What says something only of what is known already says nothing here.
    """
    said: Facts = set()
    for statement in found:
        for change in () if statement.presupposes else statement.changes:
            if change.op != "remove":
                said.add((change.field, str(change.value).casefold()))
            elif statement.ended:
                said.add((f"-{change.field}", "*" if change.value is None else str(change.value).casefold()))
    return said


def expected(table: dict[str, list[str | int]]) -> Facts:
    """The same pairs, from a row of the table."""
    return {(field, str(value).casefold()) for field, values in table.items() for value in values}


@pytest.mark.parametrize(("text", "says"), [*PLAIN, *FRESH], ids=[text[:40] for text, _ in [*PLAIN, *FRESH]])
def test_a_plain_statement_says_nothing_that_it_does_not_say(text: str, says: dict[str, list[str | int]]) -> None:
    """No fact beyond those in the table."""
    assert facts(statements(text)) <= expected(says)


@pytest.mark.parametrize("text", TRAPS, ids=[text[:40] for text in TRAPS])
def test_what_is_not_meant_of_the_speaker_states_nothing(text: str) -> None:
    """Questions, play, quotations, jokes, other people, the past."""
    assert facts(statements(text)) == set()


def test_precision_and_recall_on_hand_written_sentences() -> None:
    """At least 97 % of what is found is right, at least 95 % of what is said is found; traps and misses count."""
    right = wrong = missed = 0
    for text, says in [*PLAIN, *FRESH, *BEYOND, *((trap, {}) for trap in TRAPS)]:
        found, wanted = facts(statements(text)), expected(says)
        right += len(found & wanted)
        wrong += len(found - wanted)
        missed += len(wanted - found)
    assert len(PLAIN) + len(TRAPS) > 300
    assert right / (right + wrong) >= 0.97
    assert right / (right + missed) >= 0.95


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I'm allergic to hazelnuts, not walnuts.", ["Is not allergic to walnuts", "Is allergic to hazelnuts"]),
        ("I'm allergic not to walnuts but to hazelnuts.", ["Is not allergic to walnuts", "Is allergic to hazelnuts"]),
        ("I like tea instead of coffee now.", ["Does not like coffee", "Likes tea"]),
        ("I speak Dutch, not German.", ["Does not speak German", "Speaks Dutch"]),
        ("My cat is called Olive, not Oliver.", ["Does not have a cat called Oliver", "Has a cat called Olive"]),
        ("I live in Bergen, not in Oslo.", ["Lives in Bergen"]),
        ("I don't live in Oslo but in Bergen.", ["Lives in Bergen"]),
        ("I'm not a surgeon but a nurse.", ["Works as a nurse"]),
        ("I love pizza, not gonna lie.", ["Loves pizza"]),
        ("I'm vegan, not that you asked.", ["Is vegan"]),
        ("I have a pollen allergy, not asthma.", ["Is allergic to pollen"]),
        ("I don't just like tea but love it.", []),
        ("I'm not a doctor but I play one on TV.", []),
    ],
)
def test_a_contrast_affirms_one_thing_and_denies_the_other(text: str, told: list[str]) -> None:
    """What a field with one value denies needs no statement; what only follows "not" is no contrast."""
    assert [statement.text for statement in statements(text) if not statement.presupposes] == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I went for a walk with my brother Kofi.", ["Has a brother called Kofi"]),
        ("We took a trip for my daughter Sara's birthday.", ["Has a daughter called Sara"]),
        ("My wife Noor and I are learning Italian.", ["Has a wife called Noor", "Is learning Italian"]),
        ("I taught my mum Spanish.", []),
        ("I told my sister Friday is fine.", []),
        ("I miss my dog Rex.", []),
        ("If I lived with my brother Max, I'd cook.", []),
    ],
)
def test_who_is_named_in_passing_is_known(text: str, told: list[str]) -> None:
    """Behind words that cannot give them something; never in what is supposed, nor somebody who is gone."""
    assert [statement.text for statement in statements(text)] == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I just quit my job.", "Quit their job"),
        ("I was laid off.", "Was laid off"),
        ("My girlfriend and I broke up.", "Broke up with their girlfriend"),
        ("My dog Rex died.", "Their dog Rex died"),
        ("I no longer live in Oslo.", "No longer lives in Oslo"),
        ("I'm not married any more.", "Is no longer married"),
        ("I've stopped playing tennis.", "No longer plays tennis"),
        ("I no longer collect stamps.", "No longer collects stamps"),
        ("Blur isn't my favourite band any more.", "Their favourite band is no longer Blur"),
    ],
)
def test_what_has_ended_reads_as_people_say_it(text: str, told: str) -> None:
    """And the memory is still known to be about the same thing."""
    (statement,) = statements(text)
    assert statement.text == told
    assert statement.ended
    assert statement.slot in slots_of(told)


@pytest.mark.parametrize(
    "text",
    [
        "I've given up pottery.",
        "I used to live in Lisbon.",
        "I switched from tennis to squash.",
        "Rex passed away.",
        "I don't speak German.",
    ],
)
def test_what_ends_something_unknown_says_nothing_by_itself(text: str) -> None:
    """It presupposes what it ends."""
    assert all(statement.ended and statement.presupposes for statement in statements(text))
    assert statements(text)


@pytest.mark.parametrize(
    ("older", "newer", "replaced"),
    [
        ("Lives in Lisbon", "I no longer live in Lisbon.", True),
        ("Lives in Porto", "I no longer live in Lisbon.", False),
        ("Enjoys pottery", "I've given up pottery.", True),
        ("Plays chess", "I've given up pottery.", False),
        ("Goes running every morning", "I stopped running.", True),
        ("Wants to run a marathon", "I stopped running.", False),
        ("No longer lives in Lisbon", "I live in Lisbon again.", True),
        ("No longer lives in Lisbon", "I live in Porto.", False),
    ],
)
def test_an_ending_replaces_what_says_that_it_goes_on(older: str, newer: str, replaced: bool) -> None:
    """Of the same value, not of the same slot alone."""
    said, told = statements(newer), said_by(older)
    assert told
    assert any(new.replaces(old) for new in said for old in told) is replaced


def test_who_quits_a_job_leaves_the_employer_too() -> None:
    """Both memories end."""
    (left,) = statements("I quit my job.")
    (nurse,), (at_work,), (student,) = map(statements, ("I'm a nurse.", "I work at Siemens.", "I study law."))
    assert left.replaces(nurse)
    assert left.replaces(at_work)
    assert not left.replaces(student)


def test_the_closer_statement_takes_the_place_of_the_vague_one() -> None:
    """ "Has a cat called Pixel" says "Has a cat", never the other way round; two cats are another matter."""
    said = ("I have a cat.", "My cat is called Pixel.", "I have two cats.", "I adopted a cat.")
    (vague,), (close,), (two,), (adopted,) = map(statements, said)
    assert close.replaces(vague)
    assert not vague.replaces(close)
    assert vague.told_by(close.slot)
    assert not adopted.told_by(close.slot)
    assert not close.replaces(two)
    assert not two.told_by(close.slot)


def test_a_denied_memory_is_known_to_be_about_what_it_denies() -> None:
    """So that a change of mind ends it, and a closed category covers it."""
    assert slots_of("Is not allergic to walnuts") == {"allergy:walnuts"}
    assert slots_of("Does not speak German") == {"language:german"}
    assert slots_of("Lives with their partner Miguel") == {"household"}
    assert closed_by("Is not allergic to walnuts", default_schema(), Policy(never_infer=("health",)))


@pytest.mark.parametrize(("text", "says"), PLAIN, ids=[text[:40] for text, _ in PLAIN])
def test_the_quote_is_an_exact_span_of_the_turn(text: str, says: dict[str, list[str | int]]) -> None:
    """Also behind greetings, typographic apostrophes and other sentences."""
    turn = f"Oh… well “then” – good. {text} Thanks 😊!"
    for statement in statements(turn):
        assert turn[statement.start : statement.start + len(statement.quote)] == statement.quote
        assert statement.quote


def test_memories_read_in_the_third_person() -> None:
    """Without subject, with the pronouns turned."""
    told = "I'm a nurse. I live with my sister. My favourite colour is green. I'm learning to play my dad's guitar."
    assert [statement.text for statement in statements(told)] == [
        "Works as a nurse",
        "Lives with their sister",
        "Their favourite colour is green",
        "Is learning to play their dad's guitar",
    ]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Lives in Lisbon", "I moved to Porto."),
        ("The user lives in Lisbon", "I live in Porto now."),
        ("User is vegetarian", "I'm vegan now."),
        ("Is vegetarian", "I'm not vegetarian any more."),
        ("Works as a nurse", "I'm a teacher."),
        ("Their favourite colour is green", "My favorite colour is blue."),
        ("Likes coffee", "I hate coffee."),
        ("Has a dog called Rex", "My dog died."),
        ("Has a dog called Rex", "My dog Rex passed away."),
        ("Wants to be called Bea", "Call me Beatrice."),
        ("Wants the assistant to keep answers short", "I prefer detailed answers."),
    ],
)
def test_a_newer_statement_replaces_what_an_older_memory_says_of_the_same_slot(older: str, newer: str) -> None:
    """Whoever wrote the memory, as long as it says it of the user."""
    (statement,) = statements(newer)
    assert any(statement.replaces(told) for told in said_by(older))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("Likes coffee", "I love tea."),
        ("Has a dog called Rex", "I have a cat."),
        ("Has a dog called Rex", "I have a dog called Max."),
        ("Their friend Ben is vegan", "I'm vegetarian."),
        ("Is allergic to nuts", "I'm allergic to cats."),
        ("Their favourite colour is green", "My favourite band is Blur."),
    ],
)
def test_other_slots_are_left_alone(older: str, newer: str) -> None:
    """Two pets, two tastes, two people can hold at once."""
    (statement,) = statements(newer)
    assert not any(statement.replaces(told) for told in said_by(older))


@pytest.mark.parametrize(
    ("question", "reply", "fact"),
    [
        ("What is your name?", "Ana", ("demographics.name", "ana")),
        ("Nice! Where do you live?", "in Porto", ("demographics.location", "porto")),
        ("Where do you live?", "porto", ("demographics.location", "porto")),
        ("How old are you?", "34", ("demographics.age", "34")),
        ("What do you do for a living?", "nurse", ("demographics.career", "nurse")),
        ("What do you do for a living?", "I'm a nurse.", ("demographics.career", "nurse")),
        ("Which languages do you speak?", "Dutch", ("demographics.languages", "dutch")),
        ("Is there anything that you do not eat?", "mushrooms", ("preference.diet", "no mushrooms")),
        ("Do you prefer short or detailed answers?", "short", ("preference.styles", "length: short answers")),
        (
            "Do you prefer short or detailed answers?",
            "Detailed ones",
            ("preference.styles", "length: detailed answers"),
        ),
        ("What do you like to do in your free time?", "chess", ("personality.interests", "chess")),
        (
            "Is there something you are working towards?",
            "pay off my debts",
            ("personality.goals", "pay off their debts"),
        ),
        ("Is there something you are working towards?", "learning Greek", ("personality.goals", "learn greek")),
    ],
)
def test_a_short_answer_states_what_was_asked(question: str, reply: str, fact: tuple[str, str]) -> None:
    """Either by itself or together with the question."""
    assert facts((*answered(question, reply), *statements(reply))) == {fact}


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("Where do you live?", "Why do you ask?"),
        ("Where do you live?", "I'd rather not say"),
        ("Do you have any allergies?", "no"),
        ("Porto is lovely.", "Porto"),
        ("What would you cook?", "mushrooms"),
        ("Do you prefer short or detailed answers?", "no idea"),
        ("What do you like to do in your free time?", "I read"),
        ("Where do you live? Or where are you from?", "Porto"),
        ("Where do you live?", "well that is a long story which I will tell you later"),
    ],
)
def test_other_replies_state_nothing(question: str, reply: str) -> None:
    """Refusals, questions, and what answers no question that is known."""
    assert answered(question, reply) == ()


@pytest.mark.parametrize(
    ("before", "correction", "text"),
    [
        ("I live in Lisbon.", "Sorry, I meant Porto.", "Lives in Porto"),
        ("I live in Lisbon.", "Porto, not Lisbon!", "Lives in Porto"),
        ("I live in Lisbon.", "No wait, I meant Porto, not Lisbon", "Lives in Porto"),
        ("I'm Ana. I work as a nurse.", "I meant midwife.", "Works as a midwife"),
    ],
)
def test_a_correction_is_understood_from_the_turn_before_it(before: str, correction: str, text: str) -> None:
    """It says the same with the other value, and so replaces it."""
    assert [statement.text for statement in corrected(before, correction)] == [text]


@pytest.mark.parametrize(
    ("before", "correction", "texts"),
    [
        ("I have a dog called Rex.", "oops, should be Max", ["Does not have a dog called Rex", "Has a dog called Max"]),
        ("I'm allergic to nuts.", "No, eggs, not nuts.", ["Is not allergic to nuts", "Is allergic to eggs"]),
        ("I'm allergic to nuts.", "Not nuts, eggs.", ["Is not allergic to nuts", "Is allergic to eggs"]),
        ("I'm allergic to nuts.", "Sorry, I meant eggs.", ["Is not allergic to nuts", "Is allergic to eggs"]),
    ],
)
def test_a_correction_of_one_of_many_takes_back_the_wrong_one(before: str, correction: str, texts: list[str]) -> None:
    """A list would otherwise keep both."""
    assert [statement.text for statement in corrected(before, correction)] == texts


def test_a_correction_of_nothing_says_nothing() -> None:
    """Nor does one whose old value was not said."""
    assert corrected("How are you?", "I meant Porto.") == ()
    assert corrected("I live in Lisbon.", "I meant Porto, not Rome.") == ()
    assert corrected("I live in Lisbon.", "Porto") == ()
    assert corrected("I'm allergic to nuts.", "It's fine, not a problem.") == ()
    assert corrected("I live in Lisbon.", "I meant well.") != corrected("I live in Lisbon.", "I meant Porto.")


@pytest.mark.parametrize(
    "text",
    [
        "Just kidding!",
        "Scratch that.",
        "No wait, that's wrong.",
        "That's not true, I made that up.",
        "haha just kidding",
        "I'm joking, of course.",
        "lol jk",
        "That was a joke 😄",
    ],
)
def test_a_joke_is_taken_back_by_the_next_turn(text: str) -> None:
    """A turn that does nothing else."""
    assert is_retraction(text)


@pytest.mark.parametrize(
    "text", ["I live on Mars. Just kidding.", "No kidding!", "I'm not joking.", "My dog Jk is old.", "Hi"]
)
def test_other_turns_take_nothing_back(text: str) -> None:
    """A joke inside a turn is that turn's own."""
    assert not is_retraction(text)


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("I'm allergic to nuts", True),
        ("Is allergic to nuts", True),
        ("The user has asthma", True),
        ("I live in Porto", False),
        ("Their friend Ben is vegan", False),
    ],
)
def test_what_a_policy_closes_is_seen_in_quotes_and_in_memories(text: str, closed: bool) -> None:
    """So that memories can be kept out, too."""
    assert closed_by(text, default_schema(), Policy(never_infer=("health",))) is closed
    assert not closed_by(text, default_schema(), Policy())


def _kept_in_caches(text: str) -> list[str]:
    """The process-wide caches whose keys hold a text."""
    # By `type`, not `isinstance`: objects of other packages answer for their class, torch's with a warning.
    caches = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]
    held = (one for one in caches for part in gc.get_referents(one) if type(part) is dict and text in part)
    return [one.__wrapped__.__qualname__ for one in held]


def test_no_cache_of_the_process_keeps_a_text_that_a_policy_judges() -> None:
    """Erasure cannot reach into one."""
    memory = "Is allergic to zzyzxberries"
    assert closed_by(memory, default_schema(), Policy(never_infer=("health",)))
    assert _kept_in_caches(memory) == []


@given(st.text(max_size=300))
def test_any_text_is_read_without_failing(text: str) -> None:
    """Whatever people type."""
    for statement in statements(text):
        assert text[statement.start : statement.start + len(statement.quote)] == statement.quote


@pytest.mark.parametrize(
    "text",
    ["'" * 50_000, '"' * 50_000, "I live in " * 10_000, "I'm " * 20_000, "a, " * 50_000, "I love cats and " * 9_000],
)
@pytest.mark.timeout(20)
def test_a_huge_turn_is_read_in_reasonable_time(text: str) -> None:
    """Only its first 20,000 characters are; no pattern runs away."""
    assert isinstance(statements(text), tuple)
