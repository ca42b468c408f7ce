"""What Ctrl-C and SIGTERM mean to commands that work for long: they end after the batch under way, and say so.

A second Ctrl-C does not wait. That loses nothing: what was stored is durable, and jobs of a process that is gone are
taken over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from persona_memory import PersonaMemory
from persona_memory.cli.output import err, note
from persona_memory.errors import StaleJob
from persona_memory.protocols import Embedder

INTERRUPTED = 130
STOPPING = "stopping after the current batch … (Ctrl-C again to stop now; nothing is lost)"
TEXTS = 32
"""Texts that a local model embeds between two looks at whether to stop: well below a second on one core."""


def raise_on(number: signal.Signals) -> None:
    """End as with Ctrl-C: what was claimed is given back."""

    def interrupt(number: int, *_: Any) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    signal.signal(number, interrupt)


def stop_on_signals(memory: PersonaMemory, stopping: threading.Event | None = None) -> None:
    """The first Ctrl-C or SIGTERM ends a running worker after its batches; the second one does not wait for them."""

    def stop(number: int, *_: Any) -> None:
        raise_on(signal.Signals(number))
        if stopping is not None:
            stopping.set()
        memory.stop_worker()
        if number == signal.SIGINT:
            note(STOPPING)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


@contextmanager
def stoppable(stopping: threading.Event) -> Iterator[None]:
    """Inside the block Ctrl-C and SIGTERM raise KeyboardInterrupt, and whoever is at work is told to end soon."""
    raise_on(signal.SIGTERM)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        _leave_at_once_on_signals()
        stopping.set()
        if signal.SIGTERM not in interrupt.args:  # nobody is there to press Ctrl-C again
            note(STOPPING)
        raise


class StoppableEmbedder:
    """A local embedder that gives up between small batches once it is to stop.

    Its jobs are given back to the ledger then.

    Args:
        inner: an embedder that computes in this process; `embed_documents` may be called from several threads.
        stopping: set when it is to stop.
    """

    def __init__(self, inner: Any, stopping: threading.Event) -> None:
        self.inner, self.stopping = inner, stopping
        self.fingerprint: str = inner.fingerprint
        self.dimension: int = inner.dimension
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="persona-memory-cli-embed")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector per text, in order.

        Raises:
            StaleJob: it is to stop.
        """
        vectors: dict[int, list[float]] = {}
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # little padding within a batch
        for start in range(0, len(texts), TEXTS):
            if self.stopping.is_set():
                raise StaleJob("stopped; what is not indexed yet waits in the ledger")
            batch = by_length[start : start + TEXTS]
            vectors |= zip(batch, self.inner.embed_documents([texts[place] for place in batch]), strict=True)
        return [vectors[place] for place in range(len(texts))]

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        found: list[float] = self.inner.embed_query(text)
        return found

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.embed_query, text)


def stoppable_embedder(embedder: Embedder, stopping: threading.Event) -> Embedder:
    """The embedder, which stops promptly if it is the local model; others answer quickly or are awaited."""
    slow = str(getattr(embedder, "fingerprint", "")).startswith("minilm")
    return StoppableEmbedder(embedder, stopping) if slow else embedder


def _leave_at_once_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(*_: Any) -> None:
    """End the process now, as a kill would, but with the terminal as it was."""
    err.show_cursor(True)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a stream that nobody takes any more
            stream.flush()
    os._exit(INTERRUPTED)
