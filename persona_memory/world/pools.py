"""What facts can be worth: closed pools of words and open vocabularies made of syllables, each with a base-rate skew.

Of each slot's values 20 % are held out of training in that slot. Their words are learnt elsewhere: as values of other
slots, or in small talk. A model that is trained from scratch knows no English beyond what it is shown.
"""

from __future__ import annotations

import hashlib
from functools import cache
from random import Random

from persona_memory.world.values import Split

HELD_OUT = 0.2
"""Share of a slot's values that training people never have."""

MONTHS = "January February March April May June July August September October November December".split()
CLOSED: dict[str, tuple[str, ...]] = {
    "colour": tuple("red blue green yellow purple orange brown black white grey pink golden silver violet beige".split()),
    "animal": tuple("dog cat horse rabbit parrot goat turtle hamster pony goose duck hen snake lizard mouse".split()),
    "food": tuple("pizza soup rice bread pasta salad curry stew fish cheese beans noodles pancakes pie toast".split()),
    "drink": tuple("coffee tea juice milk water cocoa lemonade cider beer wine soda syrup".split()),
    "fruit": tuple("apples pears plums cherries grapes melons lemons figs dates peaches berries bananas".split()),
    "sport": tuple("tennis football chess rowing boxing hockey golf swimming running skiing climbing sailing".split()),
    "instrument": tuple("piano guitar violin flute drum harp trumpet cello horn banjo".split()),
    "job": tuple("baker nurse pilot farmer lawyer painter plumber teacher writer doctor driver cook".split()),
    "tongue": tuple("French German Spanish Italian Polish Turkish Greek Danish Dutch Czech Arabic Hindi".split()),
    "weekday": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "room": tuple("kitchen garage cellar garden library attic office hall bedroom balcony".split()),
    "thing": tuple("lamp chair table bike phone watch bag coat hat knife clock mirror carpet sofa".split()),
    "code_language": tuple("Python Java Rust Go Ruby Swift Kotlin Haskell Scala Perl".split()),
    "editor": tuple("Vim Emacs Nano Atom Zed Helix Sublime Notepad Eclipse Xcode".split()),
    "system": tuple("Linux Windows Debian Fedora Ubuntu Android Solaris Arch Gentoo Alpine".split()),
    "code_topic": tuple("loops lists sorting recursion pointers classes threads strings queues trees graphs tests".split()),
    "maths_topic": tuple("fractions algebra geometry limits vectors sets primes angles matrices series proofs logs".split()),
    "grade": tuple("one two three four five six seven eight nine ten".split()),
    "date": tuple(f"{day} {month}" for month in MONTHS for day in range(1, 29)),
}  # fmt: skip
"""Closed pools by name; several slots share one, each holding out values of its own."""

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SYLLABLES = tuple(consonant + vowel for consonant in CONSONANTS for vowel in VOWELS)
OPEN: dict[str, tuple[int, int, bool]] = {
    "name": (2, 3, True), "town": (2, 3, True), "title": (3, 3, True), "brand": (2, 3, True), "word": (3, 3, False),
}  # fmt: skip
"""Open vocabularies: at least and at most how many syllables, and whether they begin with a capital."""


def _hash(*parts: str) -> int:
    return int.from_bytes(hashlib.blake2b("|".join(parts).encode(), digest_size=8).digest())


@cache
def values_of(slot: str, pool: str, split: Split) -> tuple[str, ...]:
    """The slot's values in a closed pool, commonest first: in training without the held-out ones, else all of them."""
    ranked = sorted(CLOSED[pool], key=lambda value: _hash("rank", slot, value))
    return tuple(value for value in ranked if split != "train" or not is_held_out(slot, pool, value))


@cache
def held_out_values(slot: str, pool: str) -> frozenset[str]:
    """The values of a closed pool that training people never have in this slot."""
    ordered = sorted(CLOSED[pool], key=lambda value: _hash("held out", slot, value))
    return frozenset(ordered[: max(1, round(len(ordered) * HELD_OUT))])


def is_held_out(slot: str, pool: str, value: str) -> bool:
    """Whether training people never have this value in this slot."""
    if pool in OPEN:
        return _hash("held out", slot, value) % 1000 < 1000 * HELD_OUT
    return value in held_out_values(slot, pool)


def draw(random: Random, slot: str, pool: str, split: Split) -> str:
    """A value for the slot: from a closed pool by its skew (rank r with weight 1 / (r + 2)), else new syllables."""
    if pool not in OPEN:
        values = values_of(slot, pool, split)
        return random.choices(values, [1 / (rank + 2) for rank in range(len(values))])[0]
    while True:
        value = coin(random, pool)
        if split != "train" or not is_held_out(slot, pool, value):
            return value


def coin(random: Random, pool: str) -> str:
    """A new word of an open vocabulary. The first syllables are skewed, so that some words are likelier than others."""
    least, most, capital = OPEN[pool]
    count = random.randint(least, most)
    first = SYLLABLES[min(random.randrange(len(SYLLABLES)), random.randrange(len(SYLLABLES)))]
    word = first + "".join(random.choice(SYLLABLES) for _ in range(count - 1))
    return word.capitalize() if capital else word
