"""Which known memories a stretch of conversation may be about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from persona_memory.retrieval.bm25 import Bm25
from persona_memory.retrieval.words import tokens
from persona_memory.types import Memory


def relevant_memories(text: str, memories: Sequence[Memory], *, limit: int) -> list[Memory]:
    """At most `limit` memories: those that share most words with the text first, then the most recent ones.

    For the write path, where a missed memory means a duplicate and one too many costs a line of a prompt: nothing is
    gated, and word statistics are those of these memories alone.
    """
    words = Bm25()
    for memory in memories:
        words.add(tokens(memory.text))
    scores, _ = words.match(dict.fromkeys(tokens(text), 1.0))
    recency = np.array([memory.valid_from.timestamp() for memory in memories])
    order = np.lexsort((-np.arange(len(memories)), -recency, -scores))
    return [memories[place] for place in order[:limit]]
