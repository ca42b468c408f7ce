"""What sort of person they say they are: "a morning person", "more of a green tea person"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from persona_memory.profile.english import lexicon as lex
from persona_memory.profile.english.found import I_AM, Found, Rule, rule
from persona_memory.profile.english.taste import VERY, liked


def _kind_of_person(match: re.Match[str]) -> Iterator[Found]:
    """ "I'm more of a green tea person": what they like; a morning person is only that."""
    what = match["what"].casefold()
    noun = what.split()[-1]
    if noun in _PERSON_OF:
        yield Found(f"person:{noun}", f"Is {'an' if what[0] in 'aeiou' else 'a'} {what} person")
    elif noun in _LIKED_BY:
        yield from liked(f"{what}s" if noun in _COUNTED else f"the {what}" if noun in _PLACES else what)


_PERSON_OF: Final = lex.words("morning evening night people outdoors outdoorsy indoor ideas numbers")
_COUNTED: Final = lex.words("dog cat horse bird book plant cocktail car")
_PLACES: Final = lex.words("beach sea ocean city countryside mountain desert")
_LIKED_BY: Final = (
    _COUNTED
    | _PLACES
    | lex.words(
        """tea coffee espresso latte cappuccino matcha chai wine beer cider whisky whiskey gin rum juice water milk
        cocoa chocolate cheese pasta pizza rice bread soup salad meat fish dessert cake fruit music jazz rock pop metal
        techno opera theatre theater film movie tv radio podcast audiobook paper tennis football running yoga summer
        winter autumn spring snow sun rain camping hiking"""
    )
)

RULES: Final[tuple[Rule, ...]] = (
    rule(
        rf"{I_AM}{VERY}(?:more of |such |definitely |very much )?an? (?:big |huge |real )?"
        r"(?P<what>[a-z-]+(?: [a-z-]+)?) (?:person|lover)\b",
        _kind_of_person,
    ),
)
