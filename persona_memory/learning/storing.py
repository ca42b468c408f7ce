"""Storing what jobs have brought: results that are ready at the same time share one write transaction."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection

from persona_memory.ledger import Ledger

T = TypeVar("T")

TOGETHER = 8
"""Results that share a transaction at most: whoever has something to observe waits until it ends."""


@dataclass(frozen=True, slots=True)
class _Result:
    """What waits to be written, and the future that hears of it."""

    write: Callable[[Connection], Any]
    stored: asyncio.Future[Any]


class Storing:
    """Writes results to the ledger in the order in which they came.

    SQLite has one writer, and a commit costs more than what it makes durable: one thread writes, some results at a
    time. On Postgres, where a transaction that holds the rows of several people could wait in a circle with another
    one, each result has a transaction of its own, beside the others.
    """

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        self._ledger, self._executor = ledger, executor
        self._waiting: deque[_Result] = deque()
        self._threads = 0
        self._guard = threading.Lock()

    def store(self, write: Callable[[Connection], T]) -> asyncio.Future[T]:
        """What `write` returns; what it has written is durable by then. A `write` may be begun twice, it ends once.

        Raises:
            RuntimeError: the executor is closed.
        """
        stored: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._guard:
            if not self._threads or not self._ledger.is_sqlite:
                self._executor.submit(self._work)
                self._threads += 1
            self._waiting.append(_Result(write, stored))
        return stored

    def _work(self) -> None:
        """Write until nothing waits."""
        while results := self._next():
            self._write([one for one in results if not one.stored.cancelled()])

    def _next(self) -> list[_Result]:
        most = TOGETHER if self._ledger.is_sqlite else 1
        with self._guard:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            if not taken:
                self._threads -= 1
        return taken

    def _write(self, results: list[_Result]) -> None:
        """Write all of these; where one cannot be written, each by itself, so that it takes no other with it."""
        try:
            with self._ledger.write() as tx:
                values = [one.write(tx) for one in results]
        except Exception as error:  # whose it is hears it
            if len(results) == 1:
                _tell(results, asyncio.Future.set_exception, [error])
                return
            for one in results:
                self._write([one])
            return
        _tell(results, asyncio.Future.set_result, values)


def _tell(results: Sequence[_Result], tell: Callable[[asyncio.Future[Any], Any], None], values: Sequence[Any]) -> None:
    """Let the waiting jobs hear; one call for all of a loop, since each wakes it."""

    def now(heard: list[tuple[_Result, Any]]) -> None:
        for one, value in heard:
            if not one.stored.cancelled():
                tell(one.stored, value)

    for loop, heard in groupby(zip(results, values, strict=True), key=lambda pair: pair[0].stored.get_loop()):
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(now, list(heard))
