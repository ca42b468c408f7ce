"""What is unknown about a person is asked at most once per conversation, and never when it is not wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona_memory.knowledge.gaps import OFTEN_ENOUGH, QuestionEvent, is_rejection, next_question, profile_gaps
from persona_memory.profile.schema import default_schema
from persona_memory.types import Policy, Profile, ProfileEntry, ProfileGap

NOW = datetime(2025, 3, 1, 9, tzinfo=UTC)
SCHEMA = default_schema()
GAPS = tuple(ProfileGap(name, f"What about {name}?", "empty") for name in ("name", "location", "career"))


def known(field: str, value: object, days_ago: float) -> Profile:
    """A profile with one entry of that age."""
    entry = ProfileEntry(field, value, (1,), 0.9, "stated", NOW - timedelta(days=days_ago))
    return Profile({field: entry})


def event(field: str, outcome: str, seq: int, thread: str = "old") -> QuestionEvent:
    """What became of a question."""
    return QuestionEvent(field, thread, outcome, seq)  # type: ignore[arg-type]


def test_an_empty_profile_has_a_natural_question_for_each_gap() -> None:
    """In the order of usefulness, without sensitive fields and without fields that are not asked for."""
    gaps = profile_gaps(Profile(), SCHEMA, Policy(), now=NOW)
    assert gaps[0] == ProfileGap("demographics.name", "What is your name?", "empty")
    assert all(gap.reason == "empty" and gap.question.endswith("?") for gap in gaps)
    asked = {gap.field for gap in gaps}
    assert "pattern.emotion" not in asked
    assert not asked & {spec.path for spec in SCHEMA.fields if spec.sensitive}


def test_what_is_known_is_no_gap_until_it_is_old() -> None:
    """Then the value is in the question."""
    fresh = profile_gaps(known("demographics.location", "Porto", 30), SCHEMA, Policy(), now=NOW)
    assert "demographics.location" not in {gap.field for gap in fresh}
    stale = profile_gaps(known("demographics.location", "Porto", 400), SCHEMA, Policy(), now=NOW)
    assert stale[-1] == ProfileGap("demographics.location", "Do you still live in Porto?", "stale")
    goals = profile_gaps(known("personality.goals", ("sail", "rest"), 400), SCHEMA, Policy(), now=NOW)
    assert goals[-1].question == "Are you still working on this: sail, rest?"


def test_closed_and_sensitive_fields_are_not_asked_for() -> None:
    """A policy closes a section or a field; a host may ask for sensitive fields if it wants."""
    policy = Policy(never_infer=("demographics", "diet"))
    asked = {gap.field for gap in profile_gaps(Profile(), SCHEMA, policy, now=NOW)}
    assert not any(field.startswith("demographics.") for field in asked)
    assert "preference.diet" not in asked
    open_to_all = replace(SCHEMA, fields=tuple(replace(spec, question="May I ask?") for spec in SCHEMA.fields))
    everything = {gap.field for gap in profile_gaps(Profile(), open_to_all, Policy(), now=NOW, sensitive=True)}
    assert "health.allergies" in everything
    assert "health.allergies" not in {gap.field for gap in profile_gaps(Profile(), open_to_all, Policy(), now=NOW)}


def test_the_first_gap_is_asked_for() -> None:
    """And without gaps nothing is."""
    assert next_question(GAPS, [], thread_id="new", now=NOW) == GAPS[0]
    assert next_question([], [], thread_id="new", now=NOW) is None


def test_one_question_per_conversation() -> None:
    """Whatever became of it."""
    assert next_question(GAPS, [event("name", "offered", 1, "new")], thread_id="new", now=NOW) is None
    assert next_question(GAPS, [event("name", "rejected", 1, "new")], thread_id="new", now=NOW) is None


def test_never_the_same_twice_in_a_row() -> None:
    """An ignored question waits until another one was asked."""
    history = [event("name", "offered", 1)]
    second = next_question(GAPS, history, thread_id="b", now=NOW)
    assert second == GAPS[1]
    history.append(event("location", "offered", 2))
    assert next_question(GAPS, history, thread_id="c", now=NOW) == GAPS[0]
    assert next_question(GAPS[:1], [event("name", "offered", 1)], thread_id="b", now=NOW) is None


def test_a_rejected_question_stays_rejected() -> None:
    """Also when the value has grown old."""
    history = [event("name", "offered", 1), event("name", "rejected", 2), event("location", "offered", 3)]
    assert next_question(GAPS, history, thread_id="b", now=NOW) == GAPS[2]
    stale = ProfileGap("name", "Is your name still Ana?", "stale")
    assert next_question([stale], history, thread_id="b", now=NOW) is None


def test_an_answered_question_is_asked_again_only_when_it_is_old() -> None:
    """Even if nothing was learnt from the answer."""
    history = [event("name", "offered", 1), event("name", "answered", 2), event("career", "offered", 3)]
    assert next_question(GAPS[:1], history, thread_id="b", now=NOW) is None
    stale = ProfileGap("name", "Is your name still Ana?", "stale")
    assert next_question([stale], history, thread_id="b", now=NOW) == stale


def test_a_question_that_is_ignored_often_is_let_be() -> None:
    """Nobody likes to be pestered."""
    history = [event(name, "offered", n) for n in range(OFTEN_ENOUGH) for name in ("name", "other")]
    assert next_question(GAPS[:1], history, thread_id="b", now=NOW) is None
    assert next_question(GAPS[:1], history[:-2], thread_id="b", now=NOW) == GAPS[0]


def test_a_host_may_ask_for_a_pause_between_questions() -> None:
    """Counted from the last offer that has a time."""
    history = [replace(event("name", "offered", 1), at=NOW - timedelta(hours=2))]
    assert next_question(GAPS, history, thread_id="b", now=NOW, pause=timedelta(days=1)) is None
    assert next_question(GAPS, history, thread_id="b", now=NOW, pause=timedelta(hours=1)) == GAPS[1]


FIELDS = st.sampled_from(["name", "location", "career"])
EVENTS = st.builds(
    event, FIELDS, st.sampled_from(["offered", "rejected", "answered"]), st.integers(1, 99), st.sampled_from("abc")
)


@given(st.lists(EVENTS, max_size=12))
def test_no_history_brings_back_a_rejected_field_or_repeats_the_last_one(history: list[QuestionEvent]) -> None:
    """Nor a second question in a conversation."""
    asked = next_question(GAPS, history, thread_id="a", now=NOW)
    if asked is None:
        return
    assert asked.field not in {one.field for one in history if one.outcome == "rejected"}
    offered = [one.field for one in history if one.outcome == "offered"]
    assert not offered or offered[-1] != asked.field
    assert all(one.thread_id != "a" for one in history)


@pytest.mark.parametrize(
    "text",
    [
        "I'd rather not say.",
        "I’d prefer not to answer that",
        "Don't ask me that.",
        "please stop asking me personal questions",
        "That's none of your business!",
        "It's private.",
        "I don't want to talk about that.",
        "I won't tell you that",
        "I'm not comfortable sharing this",
        "no comment",
        "Skip that question please",
        "pass",
        "Why? You don't need to know that.",
    ],
)
def test_people_reject_questions_in_many_words(text: str) -> None:
    """Plain English."""
    assert is_rejection(text)


@pytest.mark.parametrize(
    "text",
    [
        "Porto",
        "I'd rather have tea.",
        "Don't ask, it was terrible at work today.",
        "I live in a private house.",
        "Pass me the salt",
        "I don't want to go there",
        "Can you tell me that again?",
        "You don't need to know Python for this.",
    ],
)
def test_other_replies_reject_nothing(text: str) -> None:
    """An answer or another subject."""
    assert not is_rejection(text)
