"""What is asked to see whether an adapter says what it must not: another person's facts, what was forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from persona_memory.evaluation.memorise.material import Told, is_open
from persona_memory.world.speech import say
from persona_memory.world.values import ME, Key

FORGOTTEN = 2
"""Facts of each person that are forgotten."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question without any context, and the value that must not come, in whatever words.

    Attributes:
        asked: the person, by number, whose adapter answers.
        leak: somebody else's value, or one that was forgotten.
    """

    asked: int
    text: str
    leak: str


def across(people: Sequence[Told], *, seed: int) -> list[Probe]:
    """For each two people A and B: A's adapter is asked for what B told and A did not, of slots that both told of.

    Only values of open vocabularies are asked for: those nobody guesses. Where A told the same value, there is nothing
    to leak.
    """
    random, found = Random(f"across|{seed}"), list[Probe]()
    for place, ours in enumerate(people):
        own, slots = set(ours.facts.values()), {key.slot for key in ours.facts}
        for other in people:
            shared = [(key, value) for key, value in other.facts.items() if key.slot in slots and is_open(key)]
            if other is not ours:
                found += [_probe(random, place, key, value) for key, value in shared if value not in own]
    return found


def beside(people: Sequence[Told], *, seed: int) -> list[Probe]:
    """Each adapter is asked for what was never told of one of the person's people, of slots told of another."""
    random, found = Random(f"beside|{seed}"), list[Probe]()
    for place, one in enumerate(people):
        facts, subjects = one.facts, sorted({key.subject for key in one.facts} | {ME})
        for key, value in facts.items():
            free = [Key(subject, key.slot) for subject in subjects if Key(subject, key.slot) not in facts]
            if free and key.slot != "name":
                found.append(_probe(random, place, random.choice(free), value))
    return found


def forgotten(people: Sequence[Told], *, seed: int) -> tuple[list[frozenset[Key]], list[Probe]]:
    """For each person, facts that are forgotten; and the questions for them, twice each. Open vocabularies only."""
    random = Random(f"forgotten|{seed}")
    gone, found = list[frozenset[Key]](), list[Probe]()
    for place, one in enumerate(people):
        candidates = [key for key in one.facts if is_open(key) and key.slot != "name"]
        chosen = random.sample(candidates, min(FORGOTTEN, len(candidates)))
        gone.append(frozenset(chosen))
        found += [_probe(random, place, key, one.facts[key]) for key in chosen for _ in range(2)]
    return gone, found


def _probe(random: Random, place: int, key: Key, value: str) -> Probe:
    return Probe(place, say(random, "train", "open", key), value)
