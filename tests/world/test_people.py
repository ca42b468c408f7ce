"""People and values of the synthetic world."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from persona_memory.world.frozen import DIGEST, digest
from persona_memory.world.people import other_value, person
from persona_memory.world.pools import CLOSED, OPEN, SYLLABLES, coin, draw, is_held_out
from persona_memory.world.slots import SLOTS
from persona_memory.world.values import ME, Key, Split


def test_a_person_has_at_least_400_facts_with_a_key_each() -> None:
    """No key comes twice, and all families and domains are there."""
    someone = person("train", 3)
    keys = {fact.key for fact in someone.facts}
    assert len(keys) == len(someone.facts) >= 400
    assert {SLOTS[key.slot].family for key in keys} == {slot.family for slot in SLOTS.values()}
    assert {SLOTS[key.slot].domain for key in keys} == {"chit-chat", "programming", "maths"}


def test_a_person_knows_what_is_true_of_them_at_first() -> None:
    """The value of a key that the person has, and None for one that they have not."""
    someone = person("train", 3)
    fact = someone.facts[7]
    assert someone.value(fact.key) == fact.value
    assert someone.value(Key("nobody", "name")) is None


def test_people_are_the_same_in_every_process() -> None:
    """Nothing depends on Python's salted hashes."""
    code = "from persona_memory.world.people import person; print(person('test', 5).facts[:40])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(person("test", 5).facts[:40])


def test_two_people_share_few_values() -> None:
    """A question about one is not answered by another."""
    first = {fact.key: fact.value for fact in person("train", 1).facts}
    second = {fact.key: fact.value for fact in person("train", 2).facts}
    both = first.keys() & second.keys()
    assert sum(first[key] == second[key] for key in both) < 0.15 * len(both)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_training_people_never_have_a_held_out_value(split: Split) -> None:
    """Others have them about one time in five."""
    facts = [fact for seed in range(5) for fact in person(split, seed).facts]
    rare = [is_held_out(fact.key.slot, SLOTS[fact.key.slot].pool, fact.value) for fact in facts]
    assert sum(rare) == 0 if split == "train" else 0.1 < sum(rare) / len(rare) < 0.3


def test_a_third_of_the_facts_are_words_that_nobody_can_guess() -> None:
    """At least 30 % of the values are made of syllables: they have to be copied."""
    facts = [fact for seed in range(5) for fact in person("train", seed).facts]
    assert sum(SLOTS[fact.key.slot].open for fact in facts) / len(facts) >= 0.3


def test_new_words_are_made_of_the_syllables() -> None:
    """A capital where the vocabulary wants one."""
    random = Random(1)
    for pool, (least, most, capital) in OPEN.items():
        word = coin(random, pool)
        assert least <= len(word) / 2 <= most
        assert word[0].isupper() == capital
        assert {word.lower()[at : at + 2] for at in range(0, len(word), 2)} <= set(SYLLABLES)


def test_closed_values_have_a_base_rate() -> None:
    """The commonest value of a slot is much commoner than the rarest, and differs from slot to slot."""
    random = Random(1)
    seen = Counter(draw(random, "colour", "colour", "train") for _ in range(4000)).most_common()
    assert seen[0][1] > 3 * seen[-1][1]
    commonest = {
        Counter(draw(random, slot, "room", "train") for _ in range(400)).most_common(1)[0][0]
        for slot in ("meeting", "keys", "study_place")
    }
    assert len(commonest) > 1


def test_another_value_is_another() -> None:
    """Whatever the key has is not drawn again."""
    random = Random(1)
    key = Key(ME, "weekday")
    days = list(CLOSED["weekday"])
    assert other_value(random, key, "test", *days[:-1]) == days[-1]


def test_what_is_measured_on_is_frozen() -> None:
    """If this fails the world has changed: measure the reference model again, then write the new digest down."""
    assert digest() == DIGEST
