"""What was said by mistake does not hold again when its correction is forgotten; what was true before does."""

from __future__ import annotations

import pytest

from persona_memory import PersonaMemory

from .test_newest_holds import known, tell


def forget(memory: PersonaMemory, word: str) -> None:
    """The memories that hold the word."""
    memory.forget([one.id for one in memory.memories(user_id="ana") if word in one.text], user_id="ana")
    memory.flush(timeout=30)


@pytest.mark.parametrize(
    ("said", "word", "left"),
    [
        (("I live in Leipzig. No wait, that's wrong, I live in Kraków.",), "Kraków", {}),
        (
            ("I live in Leipzig. Scratch that. I live in Kraków. I have a dog called Rex.",),
            "Kraków",
            {"demographics": {"pets": ["dog Rex"]}},
        ),
        (("I'm allergic to walnuts. Correction: hazelnuts.",), "hazelnuts", {}),
        (
            ("I love jazz. I'm allergic to walnuts. Oops, I'm allergic to hazelnuts.",),
            "hazelnuts",
            {"preference": {"likes": ["jazz"]}},
        ),
        (("I live in Leipzig.", "Sorry, I meant Kraków."), "Kraków", {}),
        (("I'm allergic to walnuts.", "Sorry, hazelnuts, not walnuts."), "hazelnuts", {}),
        (("I live in Leipzig.", "I moved to Kraków."), "Lives in Kraków", {"demographics": {"location": "Leipzig"}}),
    ],
)
def test_a_forgotten_correction_leaves_nothing_of_the_mistake(
    memory: PersonaMemory, said: tuple[str, ...], word: str, left: dict[str, object]
) -> None:
    """In one message or in two, in fields of one value and in lists; a move is no mistake."""
    tell(memory, *said)
    assert any(word in text for text in known(memory))
    forget(memory, word)
    assert memory.profile(user_id="ana").to_dict() == left
    assert not any(word in text for text in known(memory))
    assert bool(known(memory)) == bool(left)
