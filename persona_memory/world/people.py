"""The people of the world: at least 400 keyed facts each, from a seed."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from random import Random

from persona_memory.world.pools import draw
from persona_memory.world.slots import MATES, SLOTS
from persona_memory.world.values import ME, Fact, Key, Person, Split

FACTS = 420
"""Facts of a person."""
BEGIN = date(2026, 1, 5)
"""The day from which a person's first facts are true."""


@lru_cache(maxsize=4096)
def person(split: Split, seed: int) -> Person:
    """The person of this split and seed: the same in every process.

    All slots of the person are filled, and the names of all the people around; the other facts are spread over these.
    """
    random = Random(f"person|{split}|{seed}")
    mates = tuple(random.sample(MATES, 14))
    keys = [Key(ME, slot) for slot in SLOTS] + [Key(mate, "name") for mate in mates]
    rest = [Key(mate, slot) for mate in mates for slot in SLOTS if slot != "name"]
    keys += random.sample(rest, FACTS - len(keys))
    random.shuffle(keys)
    facts = tuple(Fact(key, draw(random, key.slot, SLOTS[key.slot].pool, split), BEGIN) for key in keys)
    return Person(f"{split}-{seed}", split, mates, facts)


def other_value(random: Random, key: Key, split: Split, *values: str) -> str:
    """Another value for the key than these."""
    while (value := draw(random, key.slot, SLOTS[key.slot].pool, split)) in values:
        pass
    return value
