"""BM25 over one person's own documents, extended one document at a time.

Libraries build such an index in one go; a memory grows by a turn every few seconds, so postings grow in place here.
Scores are Lucene's (as `bm25s` computes them with method="lucene", which the tests compare with):

    score(q, d) = Σ_t idf(t) · tf / (tf + k1 · (1 − b + b · |d| / avg|d|))
    idf(t)      = ln(1 + (N − df + ½) / (df + ½)) > 0
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from persona_memory.retrieval.columns import Column

ORDINARY = 200
"""Documents from which on a person's own word statistics say how much a word tells."""


LENT = 40
"""Words, as many as a long remark has, that a document lends its neighbours at most: a reply of several hundred words
would else speak for all that stands near it."""


class Bm25:
    """Word statistics of one person's documents; a document's row is its place in the order of `add`.

    Not thread-safe: its owner holds a lock.

    Args:
        k1: how soon more occurrences of a word stop counting, ≥ 0.
        b: how much longer documents are marked down, in [0, 1].
    """

    def __init__(self, *, k1: float = 1.2, b: float = 0.75) -> None:
        self.k1, self.b = k1, b
        self._rows: dict[str, array[int]] = {}
        self._counts: dict[str, array[int]] = {}
        self._terms: list[tuple[str, ...]] = []
        self._lengths: Column[np.float32] = Column(np.dtype(np.float32))
        self._alive = 0
        self._total_length = 0

    def __len__(self) -> int:
        """Rows so far, removed ones included."""
        return len(self._terms)

    def add(self, words: Sequence[str]) -> int:
        """Store a document; returns its row. Costs its own length, whatever is stored already."""
        row, counts = len(self._terms), Counter(words)
        for term, count in counts.items():
            if term not in self._rows:
                self._rows[term], self._counts[term] = array("i"), array("i")
            self._rows[term].append(row)
            self._counts[term].append(count)
        self._terms.append(tuple(counts))
        self._lengths.append(len(words))
        self._alive += 1
        self._total_length += len(words)
        return row

    def remove(self, row: int) -> None:
        """Take a document out of scores and statistics; its row stays, and scores 0. Must not be removed twice."""
        for term in self._terms[row]:
            rows, counts = self._rows[term], self._counts[term]
            place = rows.index(row)
            del rows[place], counts[place]
            if not rows:
                del self._rows[term], self._counts[term]
        self._total_length -= int(self._lengths.values[row])
        self._alive -= 1
        self._terms[row] = ()
        self._lengths.values[row] = 0

    def terms(self, row: int) -> tuple[str, ...]:
        """The document's different words."""
        return self._terms[row]

    def idf(self, term: str) -> float:
        """How much a word tells, > 0; a word that no document holds tells most."""
        return self._idf(term, self._alive)

    def _idf(self, term: str, documents: int) -> float:
        df = len(self._rows.get(term, ()))
        return log(1 + (documents - df + 0.5) / (df + 0.5))

    def match(
        self,
        terms: Mapping[str, float],
        *,
        windows: Sequence[tuple[NDArray[np.int32], float]] = (),
        keep: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (n,) and coverage (n,) of all rows for a query's terms with their weights.

        Coverage is the part of the query's information, Σ weight · idf, that a row's words account for, in [0, 1]. Its
        idf is that of a person with at least ORDINARY documents: among three, a word said in all of them would tell
        nothing, and a question about it would seem to be about what was never said.

        Args:
            terms: index words with weights.
            windows: (neighbour, share) pairs: row r's occurrences also count, by that share, as occurrences in row
                neighbour[r] (−1: none). Counted before tf saturates, so a word said in three turns running is still one
                word.
            keep: rows that may score or lend their words; None keeps all.
        """
        n = len(self)
        scores, covered, information = np.zeros(n, np.float32), np.zeros(n, np.float32), 0.0
        norm = self._length_norm(windows)
        for term, weight in terms.items():
            worth = weight * self._idf(term, max(self._alive, ORDINARY))
            information += worth
            if term not in self._rows:
                continue
            tf = self._frequencies(term, windows, keep)
            scores += weight * self.idf(term) * tf / (tf + norm)
            covered += worth * np.minimum(tf, 1)
        if information > 0:
            covered /= information
        if keep is not None:
            scores, covered = scores * keep, covered * keep
        return scores, covered

    def _frequencies(
        self, term: str, windows: Sequence[tuple[NDArray[np.int32], float]], keep: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """How often each row has the term, its neighbours' shares included, shape (n,)."""
        rows = np.frombuffer(self._rows[term], dtype=np.int32)
        counts = np.frombuffer(self._counts[term], dtype=np.int32).astype(np.float32)
        if keep is not None:
            counts = counts * keep[rows]
        tf = np.zeros(len(self) + 1, np.float32)  # the last place takes what has no neighbour (−1)
        tf[rows] = counts
        lent = counts * self._lent()[rows] if windows else counts
        for neighbours, share in windows:
            tf[neighbours[rows]] += np.float32(share) * lent
        return tf[:-1]

    def _length_norm(self, windows: Sequence[tuple[NDArray[np.int32], float]]) -> NDArray[np.float32]:
        """k1 · (1 − b + b · |d| / avg|d|) of each row with what it borrows from its neighbours, shape (n,)."""
        own = lengths = self._lengths.values
        lent: NDArray[np.float32] = np.append(own * self._lent(), np.float32(0))
        for neighbours, share in windows:
            lengths = lengths + np.float32(share) * lent[neighbours]
        average = float(lengths.sum()) / self._alive if self._total_length else 1.0
        norm: NDArray[np.float32] = self.k1 * (1 - self.b + self.b * lengths / np.float32(average))
        return norm

    def _lent(self) -> NDArray[np.float32]:
        """The part of each row's words that its neighbours get their share of, shape (n,), in (0, 1]."""
        return (LENT / np.maximum(self._lengths.values, LENT)).astype(np.float32)
