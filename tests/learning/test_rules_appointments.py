"""What lies ahead has its own date, and a newer date takes the place of the older."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from persona_memory.learning.rules import RuleExtractor
from persona_memory.protocols import ExtractedMemory, Window
from persona_memory.types import Memory, Turn

JUNE = datetime(2026, 6, 3, 13, tzinfo=UTC)
"""A Wednesday."""


async def said(*texts: str, known: tuple[str, ...] = ()) -> tuple[ExtractedMemory, ...]:
    """The memories of these turns; the known ones are called m0, m1 …"""
    memories = tuple(
        Memory(f"m{place}", "episodic", text, (place,), JUNE - timedelta(days=30)) for place, text in enumerate(known)
    )
    turns = tuple(Turn(seq, "t1", 1, "user", text, JUNE) for seq, text in enumerate(texts, start=100))
    return (await RuleExtractor().extract(Window(turns, memories=memories))).memories


@pytest.mark.parametrize(
    ("text", "told", "day"),
    [
        ("I signed up for the half marathon in September.", "Signed up for the half marathon in 2026-09", None),
        ("I booked a flight to Lisbon on 12 August!", "Booked a flight to Lisbon on 2026-08-12", None),
        ("I've registered for the course next month.", "Has registered for the course in 2026-07", None),
        ("I have tickets for the opera on Friday.", "Has tickets for the opera on 2026-06-05", "2026-06-05"),
        ("I booked the hotel yesterday.", "Booked the hotel on 2026-06-02", "2026-06-02"),
        (
            "Last week I signed up for a marathon in September.",
            "Signed up for a marathon in 2026-09 in the week of 2026-05-25",
            "2026-05-25",
        ),
        ("I visited Rome in September.", "Visited Rome in 2025-09", "2025-09-01"),
        ("My sister is coming on Friday.", "Their sister is coming on 2026-06-05", "2026-06-05"),
        ("They moved our meeting from Thursday to Friday.", "They moved their meeting to 2026-06-05", "2026-06-05"),
        ("The exam isn't on 12 June but on 19 June.", "The exam is on 2026-06-19", "2026-06-19"),
        ("The deadline is in June, not May.", "The deadline is in 2026-06", "2026-06-01"),
    ],
)
async def test_what_is_planned_is_dated_ahead(text: str, told: str, day: str | None) -> None:
    """What was done for it was done when it is told, or when it is said; what it is for keeps its date in the text."""
    (memory,) = await said(text)
    assert (memory.text, memory.valid_from and memory.valid_from.date().isoformat()) == (told, day)


@pytest.mark.parametrize(
    ("text", "known", "replaced"),
    [
        ("The exam is on 19 June, not on 12 June.", "Their exam is on 2026-06-12", True),
        ("The exam is on 19 June, not on 12 June.", "Has a maths exam on 12 June", True),
        ("The exam is not on 12 June but on 19 June.", "exam on 12 June", True),
        ("The exam has been moved to 19 June.", "Has an exam on 2026-06-12", True),
        ("My exam got postponed to 19 June.", "Their maths exam is on 2026-06-12", True),
        ("I moved my dentist appointment to Friday.", "Has a dentist appointment on 2026-06-04", True),
        ("My exam is on 19 June.", "Their exam is on 2026-06-12", True),
        ("My exam is on 19 June.", "Their exam is on 2026-06-19", False),
        ("My exam is on 19 June.", "Their exam is on 2026-05-12", False),
        ("My physics exam is on 19 June.", "Their maths exam is on 2026-06-12", False),
        ("The exam is on 19 June, not on 12 June.", "Bought a pen for the exam on 2026-06-12", False),
        ("The exam is on 19 June, not on 12 June.", "Their wedding is on 2026-06-12", False),
    ],
)
async def test_a_newer_date_takes_the_place_of_the_older(text: str, known: str, replaced: bool) -> None:
    """Of the same thing; what is over, or only happens on that day, stays."""
    (memory,) = await said(text, known=(known,))
    assert memory.replaces == (("m0",) if replaced else ())


async def test_a_date_is_corrected_within_a_window() -> None:
    """The first one is kept as history."""
    first, second = await said("My exam is on 12 June.", "The exam is on 19 June, not on 12 June.")
    assert (first.replaces, second.replaces) == ((), ("#0",))


async def test_which_of_two_is_moved_is_not_guessed() -> None:
    """Neither is replaced."""
    known = ("Their maths exam is on 2026-06-12", "Their physics exam is on 2026-06-15")
    (memory,) = await said("The exam has been moved to 19 June.", known=known)
    assert memory.replaces == ()


@pytest.mark.parametrize(
    "text",
    [
        "Is the exam on 19 June?",
        "If the exam is on 19 June, I'll cry.",
        "The game is on!",
        "I booked in May.",
        "Maybe the exam is on 19 June.",
        "He says the exam is on 19 June.",
    ],
)
async def test_what_is_asked_or_supposed_is_no_appointment(text: str) -> None:
    """Nothing is kept."""
    assert await said(text) == ()


async def test_what_is_known_more_closely_is_not_said_again() -> None:
    """ "Has a cat" does not stand beside "Has a cat called Pixel"; "Has a cat" goes when the name is told."""
    assert await said("I have a cat.", known=("Has a cat called Pixel",)) == ()
    (named,) = await said("My cat is called Pixel.", known=("Has a cat",))
    assert (named.text, named.replaces) == ("Has a cat called Pixel", ("m0",))
    sisters = await said("I have a sister.", "My sister is called Ana.")
    assert [(one.text, one.replaces) for one in sisters] == [("Has a sister", ()), ("Has a sister called Ana", ("#0",))]
    cars = await said("I have a car.", "My car is a Toyota Yaris.")
    assert [(one.text, one.replaces) for one in cars] == [("Has a car", ()), ("Has a car, a Toyota Yaris", ("#0",))]


async def test_an_end_is_told_once_with_its_day() -> None:
    """And ends what it ends."""
    (left,) = await said("I quit my job yesterday.", known=("Works as a nurse", "Works at Siemens", "Likes tea"))
    assert (left.text, left.replaces) == ("Quit their job on 2026-06-02", ("m0", "m1"))


async def test_a_contrast_ends_the_memory_that_it_denies() -> None:
    """The other one is told beside it."""
    denied, allergic = await said("I'm allergic to hazelnuts, not walnuts.", known=("Is allergic to walnuts",))
    assert (denied.text, denied.replaces) == ("Is not allergic to walnuts", ("m0",))
    assert (allergic.text, allergic.replaces) == ("Is allergic to hazelnuts", ())
