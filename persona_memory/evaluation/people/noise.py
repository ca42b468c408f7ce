"""What people say that is not true of them: jokes, quotations, suppositions, slips, other people's facts, the past.

Every such saying carries its bait: what somebody who is taken in by it would put into the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from persona_memory.evaluation.people.person import NOISE, Label, Manner, Saying
from persona_memory.evaluation.people.wording import Wording

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frames:
    """What stands around plain statements that are not meant: {} is the statement, of slips the wrong and the right."""

    jokes: tuple[str, ...]
    quotes: tuple[str, ...]
    slips: tuple[str, ...]


SEEN = Frames(
    jokes=("{} Just kidding!", "{} Haha, no, I'm joking.", "{} That was a joke, of course."),
    quotes=(
        'In the film the old man says: "{}"',
        'There was graffiti on the wall that said "{}"',
        'How do you say "{}" in French?',
        "The first line of the song goes: “{}”",
    ),
    slips=("{} No wait, that's wrong. {}", "{} Sorry, I mistyped that. {}", "{} Scratch that, I got mixed up. {}"),
)
REPLIES = {
    "joke": ("Ha, good one!", "You had me there for a second."),
    "quote": ("I see.", "That's an interesting line."),
    "hypothetical": ("That would depend on a few things.", "Hard to say in general."),
    "contradiction": ("No problem, thanks for putting it right.",),
    "friend": ("Nice.", "Good to know."),
    "past": ("Long ago, then.", "Times change."),
}


def noise(
    random: Random,
    wordings: Sequence[Wording],
    frames: Frames,
    own: dict[str, list[str]],
    known: list[tuple[Wording, str]],
) -> Saying:
    """One noisy saying. Other wordings and frames of the same kinds make the same noise in other words.

    Args:
        own: by field, the entries that are or will be true of the person: never a bait.
        known: what was said of them already, to be put right in a slip of the tongue.
    """
    manner = random.choice(NOISE)
    if manner == "contradiction" and known:
        wording, entry = random.choice(known)
        bait = _other(random, wording, own)
        if bait is not None:
            told = pick(random, frames.slips).format(_plainly(random, wording, bait), _plainly(random, wording, entry))
            return _saying(random, told, manner, wording, bait)
    while True:
        wording = random.choice(wordings)
        bait = _other(random, wording, own)
        heard = None if bait is None else _told(random, frames, manner, wording, bait)
        if heard is not None and bait is not None:
            return _saying(random, heard, manner, wording, bait)
        manner = random.choice(NOISE)


def pick(random: Random, words: Sequence[T]) -> T:
    """One of them; unlike `random.choice` it takes one draw, however many there are."""
    return words[int(random.random() * len(words))]


def _told(random: Random, frames: Frames, manner: Manner, wording: Wording, bait: str) -> str | None:
    if manner == "joke":
        return pick(random, frames.jokes).format(_plainly(random, wording, bait))
    if manner == "quote":
        return pick(random, frames.quotes).format(_plainly(random, wording, bait))
    templates = {"hypothetical": wording.supposed, "friend": wording.friend, "past": wording.past}.get(manner, ())
    return wording.say(pick(random, templates), bait) if templates else None


def _plainly(random: Random, wording: Wording, entry: str) -> str:
    return wording.say(random.choice(wording.plain), entry)


def _other(random: Random, wording: Wording, own: dict[str, list[str]]) -> str | None:
    """An entry of the pool that is never true of the person."""
    others = [entry for entry in wording.pool if entry not in own.get(wording.field, ())]
    return random.choice(others) if others else None


def _saying(random: Random, text: str, manner: Manner, wording: Wording, bait: str) -> Saying:
    label = Label(wording.field, "add" if wording.many else "set", wording.value(bait))
    return Saying(text, random.choice(REPLIES[manner]), manner, bait=label)
