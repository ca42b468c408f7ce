"""Chit-chat: a simulated person tells of themselves over ten sessions, and asks for what only a friend would know."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from persona_memory.evaluation.people import Label, Person, generate
from persona_memory.evaluation.people.generate import WORDINGS
from persona_memory.evaluation.people.oracle import Labels, labels_by_text
from persona_memory.evaluation.people.person import Golden
from persona_memory.evaluation.people.wording import Wording
from persona_memory.evaluation.scenes.script import SESSIONS, Answer, Conversation, Line, Need, Scene
from persona_memory.profile import default_schema

MOST_FIELDS = 12
"""A new acquaintance tells no more than this of themselves."""

STYLES, LENGTHS = "preference.styles", ("short", "detailed")
"""What is answered when the question is "short or detailed?"."""

_NUMBERS = range(1, SESSIONS + 1)


def chitchat(count: int, *, seed: int = 0) -> list[Scene]:
    """`count` scenes: people with 6 or 12 known fields, half of it told by the way.

    Each field is asked about once after it was told, and once more after a change.
    """
    people = [person for person in generate(2 * count, seed=seed, sessions=SESSIONS) if person.size <= MOST_FIELDS]
    return [_scene(person, Random(f"chitchat {seed} {person.user_id}")) for person in people[:count]]


def answers_of(golden: Golden, random: Random) -> dict[str, Answer]:
    """By field, what somebody of whom this is true answers; what is open is drawn."""
    drawn = {wording.field: wording.value(random.choice(wording.pool)) for wording in WORDINGS}
    values = {
        **{field: golden.get(field, (value,))[0] for field, value in drawn.items()},
        STYLES: random.choice(LENGTHS),
    }
    return {field: Answer(str(value).removeprefix("no "), value) for field, value in values.items()}


def _scene(person: Person, random: Random) -> Scene:
    questions = [_question(person, wording, facts, random) for wording, facts in _states(person)]
    by_session = {number: [line for when, line in filter(None, questions) if when == number] for number in _NUMBERS}
    conversations = tuple(
        Conversation(one.number, one.at, (*(Line(said.text) for said in one.sayings), *by_session[one.number]))
        for one in person.stream("mixed")
    )
    answers = answers_of(person.golden(SESSIONS), random)
    labels = {**labels_by_text([person]), **answer_labels(answers)}
    return Scene(person.user_id, "chit-chat", conversations, answers, labels=labels)


def answer_labels(answers: Mapping[str, Answer]) -> Labels:
    """What the short answers mean."""
    many = {spec.path for spec in default_schema().fields if spec.many}
    return {one.said: (Label(field, "add" if field in many else "set", one.value),) for field, one in answers.items()}


def _states(person: Person) -> list[tuple[Wording, range]]:
    """For each field and each state of it, the sessions in which it can be asked about: after it was told."""
    states = []
    for wording in {wording.field: wording for wording in WORDINGS}.values():
        told = sorted({fact.session for fact in person.facts if fact.labels[-1].field == wording.field})
        for now, following in zip(told, [*told, SESSIONS + 1][1:], strict=True):
            states.append((wording, range(now + 1, following)))
    return states


def _question(person: Person, wording: Wording, sessions: range, random: Random) -> tuple[int, Line] | None:
    """The question about this state of the field, once, and when; None where nothing is true of it then."""
    if not sessions or wording.field not in person.golden(sessions[0]):
        return None
    when = random.choice(sessions)
    return when, Line(f"{wording.question} {wording.hint}", _need(person, wording, when))


def _need(person: Person, wording: Wording, now: int) -> Need:
    true = person.golden(now)[wording.field]
    told = [fact.session for fact in person.facts if fact.session <= now and fact.labels[-1].field == wording.field]
    old = [value for field, value, _ in person.changes(now) if field == wording.field and value not in true]
    return Need(true, tuple(old), max(told))
