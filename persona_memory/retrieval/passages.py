"""Where a long text says what is asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from persona_memory.retrieval.chunks import PIECE
from persona_memory.retrieval.words import tokens

PASSAGE = 600
"""Characters within which words that are asked for speak for one another: a paragraph."""

_BREAK = re.compile(r"\n|[.!?…]+[\"')\]]*\s|[。！？।؟]")  # noqa: RUF001
"""After these a sentence, a line or an item of a list begins."""

TINY = 1e-9
"""Less than any word is worth: sums of the same words in another order are equal."""

LEAD = 200
"""Characters at most that a passage is led by, so that it begins with a sentence."""


def passage(text: str, worth: Mapping[str, float]) -> int:
    """The offset in characters at which the passage begins that holds most of what is asked for; 0 if none does.

    The stretch of PASSAGE characters whose different index words are worth most in all, the first of equals, from the
    beginning of its sentence on.

    Args:
        worth: of each index word that is asked for: its weight in the question times its idf, > 0.
    """
    best, found = 0.0, 0
    said: list[tuple[int, str]] = []
    inside: Counter[str] = Counter()
    first, total = 0, 0.0
    for at, word in _asked(text, worth):
        said.append((at, word))
        total += 0.0 if inside[word] else worth[word]
        inside[word] += 1
        while at - said[first][0] > PASSAGE:
            gone = said[first][1]
            inside[gone] -= 1
            total -= 0.0 if inside[gone] else worth[gone]
            first += 1
        if total > best + TINY:
            best, found = total, said[first][0]
    return _sentence(text, found)


def _asked(text: str, worth: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    """Each place of the text with an index word that is asked for."""
    for piece in PIECE.finditer(text):
        for word in tokens(piece.group()):
            if word in worth:
                yield piece.start(), word


def _sentence(text: str, at: int) -> int:
    """Where the sentence around this place begins; the place itself where its beginning is far."""
    earliest = max(0, at - LEAD)
    begins = [match.end() for match in _BREAK.finditer(text, earliest, at)]
    return begins[-1] if begins else earliest if earliest == 0 else at
