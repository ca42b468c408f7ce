"""The semantic side of recall: an embedder and the index made for it, fixed once its dimension is known.

A host's embedder tells its dimension only by embedding something, and may be a server that is down when we open. So
both come into being at first use, and a later change of dimension is an error that words bridge, never a mixed index.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from persona_memory.errors import EmbeddingError, IndexUnavailable, PersonaMemoryError
from persona_memory.protocols import Embedder, Vector, VectorIndex
from persona_memory.retrieval.embeddings import fingerprint, normalise
from persona_memory.retrieval.gate import UNRELATED, background
from persona_memory.retrieval.rank import Weights, weights_for

MakeIndex = Callable[[str, int], VectorIndex]
"""(fingerprint, dimension d) to the index that holds vectors of shape (d,) made by that embedder."""


@dataclass(frozen=True, slots=True)
class Space:
    """The vector space of one embedder: its identity, its dimension d, the index over it, and how to rank by it."""

    fingerprint: str
    dimension: int
    index: VectorIndex
    weights: Weights


class Semantic:
    """An embedder with its index. Thread-safe.

    Args:
        embedder: any LangChain `Embeddings`.
        make_index: called once, when the dimension is known.
        in_ledger: whether the index lives in the ledger, and so holds nothing that the ledger does not.
    """

    def __init__(self, embedder: Embedder, make_index: MakeIndex, *, in_ledger: bool = True) -> None:
        self.embedder, self.in_ledger = embedder, in_ledger
        self._make_index = make_index
        self._space: Space | None = None
        self._lock = threading.Lock()

    @property
    def known_space(self) -> Space | None:
        """The vector space, if it has been used."""
        return self._space

    def space(self) -> Space:
        """The vector space; for an embedder that is not ours the first call embeds a few texts to learn about it.

        Raises:
            EmbeddingError: the embedder fails.
        """
        if self._space is not None:
            return self._space
        if (dimension := own_dimension(self.embedder)) is not None:
            return self._fix(dimension, 0.0)
        with _failures_named():
            raw = self.embedder.embed_documents(list(UNRELATED))
        return self._measured(raw)

    async def aspace(self) -> Space:
        """As `space`, awaiting a remote embedder."""
        if self._space is not None:
            return self._space
        if (dimension := own_dimension(self.embedder)) is not None:
            return self._fix(dimension, 0.0)
        with _failures_named():
            raw = await self.embedder.aembed_documents(list(UNRELATED))
        return self._measured(raw)

    def query(self, text: str) -> Vector:
        """The query's vector of shape (d,).

        Raises:
            EmbeddingError: the embedder fails or has changed its dimension.
        """
        space = self.space()
        with _failures_named():
            raw = self.embedder.embed_query(text)
        return normalise(raw, dimension=space.dimension)

    async def aquery(self, text: str) -> Vector:
        """As `query`, awaiting a remote embedder."""
        space = await self.aspace()
        with _failures_named():
            raw = await self.embedder.aembed_query(text)
        return normalise(raw, dimension=space.dimension)

    async def documents(self, texts: Sequence[str]) -> list[Vector]:
        """The texts' vectors, each of shape (d,).

        Raises:
            EmbeddingError: the embedder fails, has changed its dimension, or answers with another number of vectors.
        """
        space = await self.aspace()
        with _failures_named():
            raw = await self.embedder.aembed_documents(list(texts))
        if len(raw) != len(texts):
            raise EmbeddingError(f"the embedder gave {len(raw)} vectors for {len(texts)} texts")
        return [normalise(vector, dimension=space.dimension) for vector in raw]

    def close(self) -> None:
        """Release the index, if it was made."""
        if self._space is not None:
            self._space.index.close()

    def _measured(self, raw: Sequence[Sequence[float]]) -> Space:
        vectors = [normalise(vector) for vector in raw]
        return self._fix(len(vectors[0]), background(vectors))

    def _fix(self, dimension: int, unrelated: float) -> Space:
        with self._lock:
            if self._space is None:
                name = fingerprint(self.embedder, dimension=dimension)
                weights = weights_for(name, background=unrelated)
                self._space = Space(name, dimension, self._make_index(name, dimension), weights)
            return self._space


def own_dimension(embedder: Embedder) -> int | None:
    """The dimension of an embedder of ours, which need not be measured; None for others."""
    dimension = getattr(embedder, "dimension", None)
    return dimension if isinstance(dimension, int) and hasattr(embedder, "fingerprint") else None


class NamedFailures:
    """A host's index whose failures have our name, so that recall goes on by words and jobs are tried again.

    Args:
        index: any `VectorIndex`.
    """

    def __init__(self, index: VectorIndex) -> None:
        self.index = index

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """As the index does."""
        with _index_failures_named():
            self.index.upsert(user_id, points)

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """As the index does."""
        with _index_failures_named():
            self.index.delete(user_id, ids)

    def delete_user(self, user_id: str) -> None:
        """As the index does."""
        with _index_failures_named():
            self.index.delete_user(user_id)

    def ids(self, user_id: str) -> set[str]:
        """As the index does."""
        with _index_failures_named():
            return self.index.ids(user_id)

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """As the index does."""
        with _index_failures_named():
            return self.index.search(user_id, vector, limit=limit)

    def close(self) -> None:
        """As the index does."""
        self.index.close()


@contextmanager
def _index_failures_named() -> Iterator[None]:
    try:
        yield
    except PersonaMemoryError:
        raise
    except Exception as error:
        # An index of the host's own may quote the person's id; what is raised here is logged.
        raise IndexUnavailable(f"the index failed with {type(error).__name__}") from error


@contextmanager
def _failures_named() -> Iterator[None]:
    """Whatever an embedder raises leaves the block as `EmbeddingError`, so that a caller can go on by words."""
    try:
        yield
    except PersonaMemoryError:
        raise
    except Exception as error:
        raise EmbeddingError(f"the embedder failed with {type(error).__name__}: {error}") from error
