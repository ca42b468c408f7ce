"""What one process knows of the adapters in an engine: which are loaded, which answer somebody, which are refused."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cachetools import TTLCache

RETRY_S = 30.0
"""Seconds after which an adapter that could not be loaded is tried again."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the start. Evictions that keep growing: more people are active than the engine holds."""

    hits: int = 0
    loads: int = 0
    evictions: int = 0


class Residents:
    """The bookkeeping, least recently used first. Thread-safe; it asks nobody.

    Args:
        capacity: adapters that the engine holds at a time.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity, self._lock = capacity, threading.Lock()
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._users: Counter[str] = Counter()
        self._ended: set[str] = set()
        self._refused: TTLCache[str, str] = TTLCache(4096, ttl=RETRY_S)
        self.stats = Stats()

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """Within the block it answers somebody, and is not evicted."""
        with self._lock:
            self._users[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._users[name] -= 1
                if not self._users[name]:
                    del self._users[name]
                    self._ended.discard(name)

    def hit(self, name: str) -> bool:
        """Whether it is loaded; it counts as the one that was used last."""
        with self._lock:
            if name not in self._loaded:
                return False
            self._loaded.move_to_end(name)
            self.stats = replace(self.stats, hits=self.stats.hits + 1)
            return True

    def loaded(self, name: str) -> None:
        """Note that it is."""
        with self._lock:
            self._loaded[name] = None
            self.stats = replace(self.stats, loads=self.stats.loads + 1)

    def surplus(self) -> list[str]:
        """Take out what is over the capacity and answers nobody, the least recently used first."""
        with self._lock:
            over = len(self._loaded) - self._capacity
            idle = [name for name in self._loaded if not self._users[name]][: max(0, over)]
            for name in idle:
                del self._loaded[name]
            self.stats = replace(self.stats, evictions=self.stats.evictions + len(idle))
            return idle

    def lose(self, names: Collection[str]) -> None:
        """Note that the engine has these no more."""
        with self._lock:
            for name in names:
                self._loaded.pop(name, None)

    def names(self) -> set[str]:
        """Those that are loaded or answer somebody."""
        with self._lock:
            return {*self._loaded, *self._users}

    def refuse(self, name: str, reason: str) -> None:
        """Note that it cannot be loaded, for a while."""
        with self._lock:
            self._refused[name] = reason

    def refused(self, name: str) -> str | None:
        """Why it is not tried, or None where it is."""
        with self._lock:
            return self._refused.get(name)

    def end(self, names: Collection[str], *, patience: float) -> None:
        """From now on nobody is answered by these; wait until nobody is, or as many seconds."""
        deadline = time.monotonic() + patience
        with self._lock:
            self._ended |= {name for name in names if self._users[name]}
        while time.monotonic() < deadline and any(self.ended(name) for name in names):
            time.sleep(0.01)

    def ended(self, name: str) -> bool:
        """Whether a reply that is being written with it has to end."""
        with self._lock:
            return name in self._ended
