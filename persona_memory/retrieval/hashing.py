"""An embedder without weights: words and character trigrams, hashed with signs. It matches spelling, not meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import blake2b
from math import sqrt

import numpy as np
from langchain_core.embeddings import Embeddings

from persona_memory.retrieval.words import tokens

DIMENSION = 384
TRIGRAM_WEIGHT = 0.35


class HashingEmbedder(Embeddings):
    """Deterministic vectors of 384 numbers in any script, the same on every machine and in every process.

    Feature hashing with signs (Weinberger et al., arXiv 0902.2206): each word weighs 1, each trigram of its letters
    0.35, so that "colour" and "color" stay near. Costs about 0.3 ms a sentence. Safe to share between threads.
    """

    fingerprint = "hashing-v1"
    dimension = DIMENSION

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector of 384 numbers per text, in order."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text; texts without any letter or digit share one."""
        vector = np.zeros(DIMENSION)
        for feature, weight in _features(text):
            digest = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
            vector[(digest >> 1) % DIMENSION] += weight if digest & 1 else -weight
        length = sqrt(float(vector @ vector))
        if length == 0.0:  # only if all features cancelled out
            vector[0] = length = 1.0
        row: list[float] = (vector / length).tolist()
        return row

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, off the event loop."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`; one text costs too little to change threads for."""
        return self.embed_query(text)


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Words and trigrams with their weights; a text of nothing but stop words counts with all its letters."""
    words = tokens(text) or text.casefold().split() or [""]
    for word in words:
        yield word, 1.0
        framed = f"<{word}>"
        for i in range(len(framed) - 2):
            yield "3" + framed[i : i + 3], TRIGRAM_WEIGHT
