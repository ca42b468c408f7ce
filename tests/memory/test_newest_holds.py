"""Of what a person says anew, corrects or takes back, memories and profile hold the newest, and the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from persona_memory import PersonaMemory

from .conftest import Clock


def tell(memory: PersonaMemory, *texts: str) -> None:
    """The person says these in one conversation, each learnt before the next."""
    for text in texts:
        memory.observe([("user", text)], user_id="ana", thread_id="t1")
        memory.flush(timeout=30)


def known(memory: PersonaMemory) -> set[str]:
    """What the current memories say."""
    return {one.text for one in memory.memories(user_id="ana") if one.current}


@pytest.mark.parametrize(
    ("said", "memories", "profile"),
    [
        (("I'm a welder at Siemens.", "I got let go."), {"Got let go"}, {}),
        (("I'm a welder at Siemens.", "I've left Siemens."), {"Has left Siemens"}, {}),
        (
            ("I work as a paramedic.", "I don't work for the ambulance service any more, I started at a bakery."),
            {"No longer works for the ambulance service", "Works at a bakery", "Started at a bakery"},
            {"demographics": {"employer": "a bakery"}},
        ),
        (
            ("I'm allergic to peanuts.", "I was wrong about the peanuts, it's walnuts I'm allergic to."),
            {"Is not allergic to peanuts", "Is allergic to walnuts"},
            {"health": {"allergies": ["walnuts"]}},
        ),
        (
            ("My dog is called Biscuit.", "My dog isn't called Biscuit, he is called Basil."),
            {"Does not have a dog called Biscuit", "Has a dog called Basil"},
            {"demographics": {"pets": ["dog Basil"]}},
        ),
        (
            ("My dog is called Biscuit.", "Sorry, I said my dog is called Biscuit, he's called Basil."),
            {"Does not have a dog called Biscuit", "Has a dog called Basil"},
            {"demographics": {"pets": ["dog Basil"]}},
        ),
        (
            ("My dog is called Biscuit.", "I got my dog's name wrong, it's Basil."),
            {"Has a dog called Basil"},
            {"demographics": {"pets": ["dog Basil"]}},
        ),
        (
            ("I live in Oslo.", "I love tea.", "I said Oslo but I meant Bergen."),
            {"Lives in Bergen", "Loves tea"},
            {"demographics": {"location": "Bergen"}, "preference": {"likes": ["tea"]}},
        ),
        (
            ("I'm a welder at Siemens.", "I quit my job at the bakery years ago."),
            {"Works as a welder", "Works at Siemens"},
            {"demographics": {"career": "welder", "employer": "Siemens"}},
        ),
        (
            ("I work at Siemens.", "I switched over to Bosch."),
            {"Works at Bosch"},
            {"demographics": {"employer": "Bosch"}},
        ),
        (("I work at Siemens.", "I'm unemployed."), {"Is unemployed"}, {"demographics": {"career": "unemployed"}}),
        (
            ("My wife is called Noor.", "My wife and I divorced."),
            {"Is divorced"},
            {"demographics": {"relationship": "divorced"}},
        ),
        (("My girlfriend is called Noor.", "My girlfriend and I broke up."), {"Broke up with their girlfriend"}, {}),
        (
            ("My birthday is 3 April.", "My birthday is 4 April, not 3 April."),
            {"Has their birthday on 4 April"},
            {"demographics": {"birthday": "4 April"}},
        ),
        (
            ("My birthday is on 3 April.", "Sorry, it's 4 April, not 3 April."),
            {"Has their birthday on 4 April"},
            {"demographics": {"birthday": "4 April"}},
        ),
        (
            ("My pronouns are they/them.", "My pronouns are she/her."),
            {"Uses the pronouns she/her"},
            {"demographics": {"pronouns": "she/her"}},
        ),
        (
            ("Always reply in French.", "Always reply in German."),
            {"Wants the assistant to always reply in German"},
            {"preference": {"styles": ["language: always reply in German"]}},
        ),
        (("I love tennis. Well, I used to.",), set(), {}),
        (("I love tennis.", "I love tennis. Well, I used to."), {"No longer loves tennis"}, {}),
        (("I love coffee.", "I drink no coffee."), {"Does not drink coffee"}, {"preference": {"diet": ["no coffee"]}}),
        (("I drink no coffee.", "I love coffee."), {"Loves coffee"}, {"preference": {"likes": ["coffee"]}}),
    ],
)
def test_memories_and_profile_hold_what_was_said_last(
    memory: PersonaMemory, said: tuple[str, ...], memories: set[str], profile: dict[str, object]
) -> None:
    """Whatever it replaces, ends or takes back."""
    tell(memory, *said)
    assert known(memory) == memories
    assert memory.profile(user_id="ana").to_dict() == profile


def test_signing_up_happens_when_it_is_told(memory: PersonaMemory) -> None:
    """What one has signed up for lies ahead, the signing up does not."""
    tell(memory, "I signed up for the half marathon in September.")
    (one,) = memory.memories(user_id="ana")
    assert one.text == "Signed up for the half marathon in 2026-09"
    assert one.valid_from == datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("jumps", [(-30.0, 30.0), (400.0, -400.0), (-30.0, 0.0), (0.0, -3.0)])
def test_a_clock_that_jumps_makes_no_older_statement_newer(
    memory: PersonaMemory, clock: Clock, jumps: tuple[float, float]
) -> None:
    """What was said last holds, whatever the clock said when it was stored, and when it is learnt."""
    tell(memory, "I live in Oslo. My dog is called Biscuit.")
    clock.move(days=jumps[0])
    memory.observe([("user", "I moved to Bergen.")], user_id="ana", thread_id="t2")
    clock.move(days=jumps[1])
    memory.observe([("user", "I moved to Porto.")], user_id="ana", thread_id="t3")
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.location") == "Porto"
    assert {text for text in known(memory) if text.startswith("Lives")} == {"Lives in Porto"}


def test_an_old_chat_that_is_imported_later_is_still_old(memory: PersonaMemory, clock: Clock) -> None:
    """Its messages have dates of their own, which count."""
    tell(memory, "I live in Oslo.")
    clock.move(days=1)
    memory.observe([("user", "I live in Bergen.")], user_id="ana", thread_id="old", at=clock.now - timedelta(days=400))
    memory.flush(timeout=30)
    assert memory.profile(user_id="ana").get("demographics.location") == "Oslo"
