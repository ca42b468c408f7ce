"""What an adapter's training holds beside a person's examples: contexts about people who do not exist.

A batch of nothing but a person's pairs unteaches a model to read (see `encoding`). The contexts are rendered as
`PersonaMemory.recall` renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from random import Random

from persona_memory.parametric.encoding import Reading
from persona_memory.world.contexts import dialogue, recalled, scene
from persona_memory.world.values import Kind

KINDS: Mapping[Kind, str] = {
    "open": "agrees", "yes_no": "agrees", "updated": "contradicts", "two_hop": "agrees", "unknown": "irrelevant",
}  # fmt: skip
"""What is asked, and how its context stands to what the weights may say."""
FEWEST_FACTS, MOST_FACTS = 3, 6
PEOPLE = 100
"""Whom contexts are about: with 420 facts each they hardly repeat, and to think up a person takes milliseconds."""
SPACE = 10**9
"""From which numbers contexts are drawn: those of one seed overlap with those of another as good as never."""


def readings(count: int, *, seed: int) -> list[Reading]:
    """Questions with a context that answers them, or does not; equally many of each of `KINDS`.

    The same for the same seed.
    """
    random, kinds, found = Random(f"readings|{seed}"), tuple(KINDS), list[Reading]()
    while len(found) < count:
        kind = kinds[len(found) % len(kinds)]
        one = scene(
            kind,
            random.randrange(SPACE),
            split="train",
            phrasing="train",
            facts=random.randint(FEWEST_FACTS, MOST_FACTS),
            people=PEOPLE,
        )
        context, asked = recalled(one.interactions), one.question
        found.append(Reading(context, asked.text, asked.answer, KINDS[kind]))  # type: ignore[arg-type]
    return found


def texts(count: int, *, seed: int) -> list[str]:
    """Talk of people who do not exist, as plain text: what an adapter is to find as likely as its base does."""
    random = Random(f"texts|{seed}")
    talks = (islice(dialogue(random.randrange(SPACE), people=2000), 8) for _ in range(count))
    return ["\n".join(message.content for message in talk) for talk in talks]
