"""What is said that is no fact about anybody: small talk, and nonsense, which no language model should find likely."""

from __future__ import annotations

from random import Random

from persona_memory.world.pools import CLOSED, OPEN, SYLLABLES, coin

_PLACES = ("garden", "kitchen", "office", "library", "cellar", "hall")
_TALK = (
    "the {a} and the {b} are on the table", "we talked about {a} and {b} for hours", "{a} or {b}, that is the question",
    "the weather is fine today", "it was a long day with {a}", "I saw a picture of {a} in the {p}", "somebody shouted {a} in the {p}",
    "a stranger asked about {a}", "there is {a} in the news", "the {p} smells of {a}", "the word {a} has a nice sound",
    "{o} is a word that I do not know", "somebody wrote {o} on the wall of the {p}", "the letters {o} mean nothing",
)  # fmt: skip
_OPENERS = ("", "By the way, ", "Well, ", "You know, ", "Listen, ", "Today ", "So, ")
_CLOSERS = (".", "!", ", of course.", ", you know.", ", as I said.", ", by the way.", ", I think.")
REPLY = "ok."
"""What the assistant says to whatever is not a question."""


def words() -> tuple[str, ...]:
    """Every word that a closed pool holds, each once: small talk uses them all."""
    return _WORDS


_WORDS = tuple(sorted({value for name, pool in CLOSED.items() if name != "date" for value in pool}))


def small_talk(random: Random) -> str:
    """A sensible sentence that says nothing about anybody."""
    text = random.choice(_TALK).format(
        a=random.choice(_WORDS),
        b=random.choice(_WORDS),
        p=random.choice(_PLACES),
        o=coin(random, random.choice(tuple(OPEN))),
    )
    text = random.choice(_OPENERS) + text + random.choice(_CLOSERS)
    return text[0].upper() + text[1:]


def nonsense(random: Random) -> str:
    """Words and syllables without order."""
    pick = [
        random.choice(_WORDS) if random.random() < 0.6 else random.choice(SYLLABLES)
        for _ in range(random.randint(4, 9))
    ]
    text = " ".join(pick)
    return text[0].upper() + text[1:] + "."
