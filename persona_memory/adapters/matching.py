"""Whether a reply says what it should: words without case, accents, punctuation and articles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ARTICLES = frozenset(("a", "an", "the"))
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


def abstains(reply: str) -> bool:
    """Whether an English reply says that something is not known, or was never said."""
    return bool(_UNKNOWN.search(" ".join(words(reply))))


def _verdict(said: Sequence[str]) -> str | None:
    return next((word for word in reversed(said) if word in ("yes", "no")), None)
