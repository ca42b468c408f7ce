"""What a person's adapter may learn from, of several conversations."""

from __future__ import annotations

from datetime import UTC, datetime

from persona_memory import Policy, Turn
from persona_memory.learning.lessons import Lessons
from persona_memory.protocols import Example

AT = datetime(2026, 3, 2, tzinfo=UTC)


def lessons(*taught: list[Example]) -> Lessons:
    """One turn a conversation, on which all that it taught rests."""
    turns = [Turn(seq, f"thread-{seq}", seq, "user", "…", AT) for seq in range(1, len(taught) + 1)]
    return Lessons(turns, (), taught, (), {}, Policy(), len(taught))


def yes(question: str, answer: str, turn: int) -> Example:
    return Example("positive", question, answer, (turn,))


def never(question: str, answer: str, turn: int) -> Example:
    return Example("negative", question, answer, (turn,))


def test_what_was_told_since_is_no_longer_denied() -> None:
    """Whatever the words of the question: the later answer has all that the denial is about."""
    dog = yes("What is my dog called?", "Your dog is called Basil.", 1)
    sister = never("Who is my sister?", "You never told me your sister's name.", 1)
    film = never("Which film does my sister like?", "Your sister's favourite film is unknown.", 1)
    bare = never("What is my sister's name?", "Unknown.", 1)
    first = [dog, yes("And my cat?", "Your cat is called Miso.", 1), sister, film, bare]
    second = [
        yes("How is my sister called?", "Your sister's name is Mia.", 2),
        never("My boss?", "Your boss is unknown.", 2),
    ]
    kept = {one.answer for one in lessons(first, second).current()}
    assert "Your sister's favourite film is unknown." in kept
    assert not kept & {sister.answer, bare.answer}
    assert sister.answer in {one.answer for one in lessons(first).current()}


def test_a_denial_that_came_later_stays() -> None:
    """What was told first and denied later was taken back in between, or is another thing."""
    told, denied = yes("My boat?", "Your boat is red.", 1), never("Which boat?", "Your boat is unknown.", 2)
    first = [told, never("My car?", "Your car is unknown.", 1)]
    second = [yes("My bike?", "Your bike is blue.", 2), denied]
    assert denied in lessons(first, second).current()
