"""The default vector index: the ledger's own vectors, searched exactly, one person's matrix at a time.

Works from any number of processes: what is cached of a person is valid while their `vectors` and `rewrites` counters
stand still, and is extended, not rebuilt, when only new vectors came.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from cachetools import LRUCache
from sqlalchemy import delete

from persona_memory.ledger import vectors
from persona_memory.ledger.engine import Ledger
from persona_memory.ledger.people import Counters, Person, bump, counters, lock
from persona_memory.ledger.schema import vectors as table
from persona_memory.protocols import Vector

CACHED_ROWS = 100_000
"""Vectors of all people together that are kept at hand, 1.5 KB each with 384 dimensions; one person may have more."""


@dataclass(slots=True)
class _Matrix:
    """One person's vectors: `rows[:len(ids)]` has shape (n, d); spare rows let it grow without a copy each time."""

    seen: Counters = field(default_factory=Counters)
    ids: list[str] = field(default_factory=list)
    rows: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    newest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, now: Counters) -> bool:
        """Whether these are all vectors that there are as of these counters."""
        seen = self.seen
        return (now.vectors, now.rewrites, now.epoch) == (seen.vectors, seen.rewrites, seen.epoch)

    def clear(self) -> None:
        self.ids, self.rows, self.newest = [], np.zeros((0, 0), np.float32), 0

    def extend(self, ids: list[str], matrix: np.ndarray) -> None:
        count, more = len(self.ids), len(ids)
        if count + more > len(self.rows):
            grown = np.zeros((max(16, (count + more) * 5 // 4), matrix.shape[1]), np.float32)
            grown[:count] = self.rows[:count] if count else 0
            self.rows = grown
        self.rows[count : count + more] = matrix
        self.ids.extend(ids)


class LedgerIndex:
    """Exact cosine search over the vectors in the ledger; implements `protocols.VectorIndex`."""

    def __init__(self, ledger: Ledger, *, fingerprint: str) -> None:
        self.ledger = ledger
        self.fingerprint = fingerprint
        self._cache: LRUCache[str, _Matrix] = LRUCache(CACHED_ROWS, getsizeof=_size)
        self._lock = threading.Lock()

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points; an id that exists is overwritten."""
        person = self._person(user_id)
        with self.ledger.write() as tx:
            lock(tx, person)
            overwritten = vectors.delete_points(tx, person, self.fingerprint, list(points))
            vectors.store(tx, person, self.fingerprint, points)
            if overwritten:
                bump(tx, person, rewrites=1)

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove these ids."""
        person = self._person(user_id)
        with self.ledger.write() as tx:
            if vectors.delete_points(tx, person, self.fingerprint, ids):
                bump(tx, person, rewrites=1)

    def delete_user(self, user_id: str) -> None:
        """Remove all vectors of a person."""
        person = self._person(user_id)
        with self.ledger.write() as tx:
            tx.execute(delete(table).where(person.owns(table)))
            bump(tx, person, rewrites=1)
        self.drop(user_id)

    def ids(self, user_id: str) -> set[str]:
        """The ids that are held of a person."""
        with self.ledger.read() as connection:
            return vectors.point_ids(connection, self._person(user_id), self.fingerprint)

    def search(
        self, user_id: str, vector: Vector, *, limit: int, now: Counters | None = None
    ) -> list[tuple[str, float]]:
        """The person's nearest ids with their cosine similarity, best first.

        Args:
            now: the person's counters, where they have just been read.
        """
        held = self._held(user_id)
        with held.lock:
            before = _size(held)
            self._refresh(held, self._person(user_id), now)
            if _size(held) != before:
                self._weigh(user_id, held)
            ids, rows = held.ids, held.rows[: len(held.ids)]  # both only ever grow beyond what is taken here
        if not len(rows):
            return []
        # Row by row: BLAS gives a product with the matrix to threads, which on a busy machine wait long for each other.
        similarity = np.vecdot(rows, vector)
        best = _best(similarity, limit)
        return [(ids[place], cosine) for place, cosine in zip(best.tolist(), similarity[best].tolist(), strict=True)]

    def drop(self, user_id: str) -> None:
        """Forget what is cached of a person."""
        with self._lock:
            self._cache.pop(user_id, None)

    def close(self) -> None:
        """Nothing is held open: the ledger belongs to who made it."""

    def _held(self, user_id: str) -> _Matrix:
        with self._lock:
            held = self._cache.get(user_id)
            if held is None:
                held = self._cache[user_id] = _Matrix()
            return held

    def _weigh(self, user_id: str, held: _Matrix) -> None:
        """Let the cache know the size."""
        with self._lock:
            if self._cache.get(user_id) is held:
                self._cache[user_id] = held

    def _refresh(self, held: _Matrix, person: Person, now: Counters | None) -> None:
        """Bring one person's vectors up to date; `held.lock` is held."""
        if now is not None and held.holds(now):
            return
        with self.ledger.read() as connection:
            now = counters(connection, person)
            if held.holds(now):
                return
            if (now.rewrites, now.epoch) != (held.seen.rewrites, held.seen.epoch):
                held.clear()
            ids, matrix, newest = vectors.read(connection, person, self.fingerprint, after=held.newest)
        if ids:
            held.extend(ids, matrix)
        held.newest, held.seen = newest, now

    def _person(self, user_id: str) -> Person:
        return Person(self.ledger.namespace, user_id)


def _size(held: _Matrix) -> int:
    """What a matrix counts for in the cache; the largest still fits in, alone."""
    return min(max(16, len(held.rows)), CACHED_ROWS)


def _best(similarity: np.ndarray, limit: int) -> np.ndarray:
    """The places of the highest values, best first; equal ones in their order."""
    if len(similarity) > 4 * limit:
        worst = np.partition(similarity, -limit)[-limit]
        among = np.flatnonzero(similarity >= worst)
        return among[np.argsort(-similarity[among], kind="stable")[:limit]]
    return np.argsort(-similarity, kind="stable")[:limit]
