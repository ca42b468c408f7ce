"""Long texts in pieces that an embedder reads whole."""

from __future__ import annotations

import re

ROOM = 1000
"""Of one chunk, in characters of spaced ASCII text: about 200 words, which MiniLM's 256 word pieces hold."""

OVERLAP = 200
"""What a chunk repeats of the one before, so that a sentence cut in two is whole in one of them."""

PIECE = re.compile(r"\S{1,40}\s*|\s+")


def chunks(text: str) -> list[str]:
    """The text itself when it is short, else overlapping pieces of about 200 words that cover it; at least one.

    Cut between words where there are spaces. A character outside ASCII counts three times: in most scripts it is a word
    piece of its own.
    """
    if _cost(text) <= ROOM:
        return [text]
    words = [(m.group(), _cost(m.group())) for m in PIECE.finditer(text)]
    found: list[str] = []
    start = end = 0
    while end < len(words):
        end, cost = start, 0
        while end < len(words) and (end == start or cost + words[end][1] <= ROOM):
            cost += words[end][1]
            end += 1
        found.append("".join(word for word, _ in words[start:end]).strip())
        start = _step_back(words, start, end)
    return [piece for piece in found if piece] or [""]


def _step_back(words: list[tuple[str, int]], start: int, end: int) -> int:
    """Where the next chunk starts: OVERLAP before `end`, but past `start`."""
    cost = 0
    while end - 1 > start and cost + words[end - 1][1] <= OVERLAP:
        end -= 1
        cost += words[end][1]
    return end


def _cost(text: str) -> int:
    return len(text) if text.isascii() else len(text) + 2 * sum(not c.isascii() for c in text)
