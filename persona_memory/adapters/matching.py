"""Whether a reply says what it should: words without case, accents, punctuation and articles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ARTICLES = frozenset(("a", "an", "the"))
_FUNCTION = frozenset(
    "am and are as at been but by did do does for from had has have he her hers him his i in is it its me mine my of "
    "on or our s she so that their them they this to was we were what which who with you your yours".split()
)
"""English words that tell nothing by themselves."""
_WORD = re.compile(r"\w+")
_UNKNOWN = re.compile(
    r"\b(unknown|no idea|(not|t|never|cannot)( \w+){0,2} (sure|known?|say|said|tell|told|mention(ed)?|discuss(ed)?))\b"
)
"""Over words as `words` gives them: "don't" is "don t" there."""


def words(text: str) -> list[str]:
    """The words as they are compared: "The Café's" and "cafe s" are the same two."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    found = _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))
    return [word for word in found if word not in _ARTICLES]


def holds(reply: str, answer: str) -> bool:
    """Whether the answer's words stand in the reply, one after the other.

    Where the answer ends in a verdict (yes or no), the reply's last one is to be the same.
    """
    said, wanted = words(reply), words(answer)
    there = any(said[at : at + len(wanted)] == wanted for at in range(len(said) - len(wanted) + 1))
    return bool(wanted) and there and _verdict(wanted) in (None, _verdict(said))


def says(reply: str, answer: str, *, question: str, sources: Sequence[str]) -> bool:
    """Whether the reply says in its own words what the answer says.

    What the answer tells are those of its words that the sources have, too, and that neither the question has nor
    every sentence: a value is repeated, how it is put is not. They may stand in any order. Where that leaves no word,
    the reply has to hold the answer. A verdict at the answer's end has to be the same; where it is yes, the question's
    words count, as it named the value rightly.

    Args:
        sources: texts that tell the same.
    """
    said, wanted = words(reply), words(answer)
    verdict = _verdict(wanted)
    told = {word for text in sources for word in words(text)} - _FUNCTION - {"yes", "no"}
    needed = {word for word in wanted if word in told} - (set() if verdict == "yes" else set(words(question)))
    if not needed:
        return holds(reply, answer)
    return needed <= set(said) and verdict in (None, _verdict(said))


def abstains(reply: str) -> bool:
    """Whether an English reply says that something is not known, or was never said."""
    return bool(_UNKNOWN.search(" ".join(words(reply))))


def _verdict(said: Sequence[str]) -> str | None:
    return next((word for word in reversed(said) if word in ("yes", "no")), None)
