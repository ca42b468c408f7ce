"""Vectors that stay from run to run: a data set's texts are embedded once per embedder."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from persona_memory.protocols import Embedder
from persona_memory.retrieval import fingerprint, own_dimension

Matrix = NDArray[np.float32]


class Kept:
    """An embedder that embeds no text twice: what it gave is kept in memory, and on disk for the next run.

    It stands for the embedder wherever one is wanted, so that what a memory embeds is kept, too.

    Args:
        embedder: what is kept.
        cache: folder of what earlier runs have embedded.
    """

    def __init__(self, embedder: Embedder, cache: Path) -> None:
        self._embedder, self._cache = embedder, cache
        self._documents: dict[str, Matrix] = {}
        self._queries: dict[str, Matrix] = {}
        self.fingerprint = fingerprint(embedder)
        self.dimension = own_dimension(embedder)

    def documents(self, texts: Sequence[str]) -> Matrix:
        """The unit vectors of texts that are stored, shape (n, d)."""
        return self._of(texts, self._documents, self._embedder.embed_documents, "")

    def queries(self, texts: Sequence[str]) -> Matrix:
        """The unit vectors of texts that are looked for, shape (n, d): some embedders tell the two apart."""
        return self._of(texts, self._queries, self._each, "query")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `documents`."""
        vectors: list[list[float]] = self.documents(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """As `queries`, of one text."""
        vector: list[float] = self.queries([text])[0].tolist()
        return vector

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, off the event loop."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, off the event loop."""
        return await asyncio.to_thread(self.embed_query, text)

    def _each(self, texts: list[str]) -> list[list[float]]:
        return [self._embedder.embed_query(text) for text in texts]

    def _of(
        self, texts: Sequence[str], known: dict[str, Matrix], embed: Callable[[list[str]], list[list[float]]], use: str
    ) -> Matrix:
        new = [text for text in texts if text not in known]
        if new:
            known.update(zip(new, self._on_disk(new, embed, use), strict=True))
        return np.array([known[text] for text in texts], dtype=np.float32)

    def _on_disk(self, texts: list[str], embed: Callable[[list[str]], list[list[float]]], use: str) -> Matrix:
        key = hashlib.sha256("\0".join([self.fingerprint + use, *texts]).encode()).hexdigest()[:24]
        path = self._cache / "vectors" / f"{key}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = path.with_suffix(f".{os.getpid()}.npy")  # an interrupted run leaves no half file under the name
            np.save(whole, np.array(embed(texts), dtype=np.float32))
            whole.replace(path)
        found: Matrix = np.load(path)
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return (found / np.where(norms > 0, norms, 1)).astype(np.float32)
