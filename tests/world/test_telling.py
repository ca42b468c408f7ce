"""Telling and asking: what follows from what was said."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from persona_memory.world import Schedule, Session, dialogue, history, pair, person, scene
from persona_memory.world.people import BEGIN
from persona_memory.world.questions import KINDS, ask
from persona_memory.world.slots import SLOTS
from persona_memory.world.telling import Telling
from persona_memory.world.values import UNKNOWN, Key, Kind, Label, Question


def telling(seed: int = 0, told: int = 6) -> Telling:
    made = Telling(person("train", seed), Random(seed), "train")
    while len(made.told) < told:
        made.tell("new")
    return made


def test_a_lasting_shift_changes_what_is_true_and_a_one_off_does_not() -> None:
    """The later value is current, the earlier one is remembered as the one before."""
    told = telling()
    before = {key: known.value for key, known in told.told.items()}
    told.tell("one_off")
    assert {key: known.value for key, known in told.told.items()} == before
    shift = None
    while shift is None:
        shift = told.tell("shift")
    assert shift.key is not None
    assert told.told[shift.key].value == shift.value != before[shift.key]
    assert told.told[shift.key].old == before[shift.key]


def test_a_repetition_says_the_same_again() -> None:
    """It is further evidence for the same value."""
    told = telling()
    again = told.tell("repeat")
    assert again is not None
    assert again.key is not None
    assert told.told[again.key].value == again.value
    assert told.told[again.key].evidence[-1] == again.id


def test_noise_is_about_nobody() -> None:
    """It has no key, and nothing can be asked about it."""
    told = Telling(person("train", 0), Random(0), "train")
    noise = told.tell("noise")
    assert noise is not None
    assert noise.key is None
    assert all(ask(told, kind, Random(0)) is None for kind in KINDS if kind != "unknown")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_the_answer_follows_from_the_evidence(kind: Kind, seed: int) -> None:
    """The evidence was said, and the answer is in it, but for verdicts and for what was never said."""
    made = scene(kind, seed, split="test", phrasing="test")
    said = {one.id: one for one in made.interactions}
    question = made.question
    if kind == "unknown":
        assert question.answer.endswith(f" {UNKNOWN}.")
        assert question.evidence == ()
        assert all(one.key != question.key for one in made.interactions)
        return
    evidence = [said[one] for one in question.evidence]
    assert any(one.key == question.key for one in evidence)
    if kind == "inverse":
        assert any(one.value == question.value for one in evidence)
    else:
        assert any(f" {one.value}" in question.answer.split(", so")[0] for one in evidence)


@pytest.mark.parametrize("seed", range(8))
def test_a_two_hop_question_needs_the_name_and_the_fact(seed: int) -> None:
    """Question and statement speak of the same person in different words; only the name ties them together."""
    made = scene("two_hop", seed, split="test", phrasing="train")
    said = {one.id: one for one in made.interactions}
    naming, *rest = [said[one] for one in made.question.evidence]
    subject, name = made.question.key.subject, naming.value
    assert naming.key == Key(subject, "name")
    assert name is not None
    fact = next(one for one in rest if one.key == made.question.key)
    assert (name in made.question.text) != (name in fact.text)
    assert (f"my {subject}" in made.question.text.lower()) != (f"my {subject}" in fact.text.lower())


def test_yes_and_no_are_asked_about_equally_often() -> None:
    """The verdict follows the value that the answer states first."""
    asked = [scene("yes_no", seed, split="test", phrasing="train").question for seed in range(200)]
    assert 70 < sum(question.yes for question in asked) < 130
    for question in asked:
        assert question.answer.endswith(f" is {question.value}, so {'yes' if question.yes else 'no'}.")


def test_the_questions_of_a_pair_differ_in_the_value_alone() -> None:
    """One is true, one is false, in the same words."""
    for seed in range(20):
        right, wrong = pair(seed, split="test", phrasing="train")
        assert right.yes
        assert not wrong.yes
        assert right.asked is not None
        assert wrong.asked is not None
        assert right.text.replace(right.asked, "…") == wrong.text.replace(wrong.asked, "…")


def test_scenes_ask_about_other_peoples_facts_of_the_same_slot_too() -> None:
    """What is near is there to be mixed up with."""
    made = [scene("open", seed, split="test", phrasing="train", facts=8) for seed in range(30)]
    near = [
        any(
            one.key and one.key.slot == each.question.key.slot and one.key != each.question.key
            for one in each.interactions
        )
        for each in made
    ]
    assert sum(near) > 10


def test_a_dialogue_can_be_read_from_any_seed_again() -> None:
    """Training data are a function of the seed."""
    first = list(islice(dialogue(5, people=10), 30))
    assert first == list(islice(dialogue(5, people=10), 30))
    assert first != list(islice(dialogue(6, people=10), 30))


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, ...]:
    return history(person("test", 2), Schedule(), seed=4)


def labels(sessions: tuple[Session, ...], period: int) -> set[Label]:
    return {one.label for session in sessions if session.period == period for one in session.interactions}


def test_a_history_follows_its_schedule(sessions: tuple[Session, ...]) -> None:
    """Sessions are dated in order, as many and as long as asked for; a calm period has no drift."""
    schedule = Schedule()
    assert len(sessions) == schedule.periods * schedule.sessions
    assert [session.on for session in sessions] == sorted({session.on for session in sessions})
    assert all(len(session.interactions) == schedule.sayings for session in sessions)
    assert sessions[0].on == BEGIN
    assert labels(sessions, 0) <= {"new", "repeat", "one_off", "noise"}
    assert labels(sessions, 2) <= {"repeat", "one_off", "noise"}
    assert labels(sessions, 3) == {"new", "repeat", "shift", "one_off", "noise"}


def test_answers_are_true_on_the_day_they_are_asked(sessions: tuple[Session, ...]) -> None:
    """The value of an open question is the last lasting one that was said until then."""
    current: dict[Key, str] = {}
    checked = 0
    for session in sessions:
        for one in session.interactions:
            if one.key is not None and one.value is not None and one.label in ("new", "shift"):
                current[one.key] = one.value
        for question in session.questions:
            assert question.as_of == session.on
            if question.kind in ("open", "updated", "need", "two_hop"):
                checked += 1
                assert question.answer.endswith(f" is {current[question.key]}.")
    assert checked > 40


def test_there_is_as_much_to_deny_as_to_affirm(sessions: tuple[Session, ...]) -> None:
    """Pairs are about what their session said; without negatives a model would learn to say yes to everything."""
    for session in sessions:
        keys = {one.key for one in session.interactions if one.label in ("new", "repeat", "shift")}
        positive = [pair for pair in session.pairs if pair.kind != "unknown" and (pair.asked is None or pair.yes)]
        assert len(positive) * 2 == len(session.pairs)
        assert {pair.key for pair in positive} == keys
        assert all(f" is {UNKNOWN}." in pair.answer for pair in session.pairs if pair.kind == "unknown")


def test_a_domain_can_be_held_out() -> None:
    """For meta-learning: a person who talks about chit-chat alone."""
    quiet = history(person("test", 2), Schedule(domains=("chit-chat",), periods=2), seed=4)
    keys = {one.key for session in quiet for one in session.interactions if one.key}
    assert {SLOTS[key.slot].domain for key in keys} == {"chit-chat"}


def test_questions_can_be_phrased_unlike_what_was_said() -> None:
    """The same facts are asked about in the frames of another split."""
    someone, schedule = person("test", 2), Schedule(periods=2)
    seen, new = (history(someone, schedule, seed=4, asked=asked) for asked in (None, "test"))
    assert [one.interactions for one in seen] == [one.interactions for one in new]

    def texts(sessions: tuple[Session, ...]) -> set[str]:
        return {question.text for session in sessions for question in session.questions}

    assert not texts(seen) & texts(new)


def test_histories_are_the_same_for_the_same_seed() -> None:
    """And differ for another."""
    someone = person("test", 2)
    made = [history(someone, Schedule(periods=1), seed=seed) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_a_yes_is_what_names_the_value() -> None:
    """A question without a value that it names is no yes/no question."""
    question = Question("open", Key("me", "colour"), "?", "red.", "red", (), BEGIN)
    assert not question.yes
