"""Loading adapters into an engine and letting go of them, as requests in order: whoever drives them sends them.

An adapter's copy is on the shelf before the engine is asked to load it, and goes after the engine was asked to let go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Generator
from ssl import SSLContext
from typing import TypeVar

import httpx2

from persona_memory import Doors, PersonaMemoryError, Revisions
from persona_memory_vllm.engine import Engine, EngineError, adapters_of, check_loaded, check_unloaded, served, silent
from persona_memory_vllm.format import check_format
from persona_memory_vllm.residents import Residents
from persona_memory_vllm.shelf import Shelf

log = logging.getLogger("persona_memory.vllm")

GRACE_S = 2.0
"""Seconds that a reply with a retired adapter has to end before the engine is asked to let go of it."""

T = TypeVar("T")
Steps = Generator[httpx2.Request, httpx2.Response, T]
"""Requests, each sent back with its answer or thrown what became of it, and what comes of them in the end."""


class Loader:
    """What loads and unloads.

    Args:
        doors: what cannot be unloaded is noted there, and tried again by the next `withdraw`.
        max_lora_rank: the engine's.
    """

    def __init__(
        self, engine: Engine, shelf: Shelf, residents: Residents, doors: Doors, *, max_lora_rank: int = 16
    ) -> None:
        self._engine, self._shelf, self._residents, self._doors = engine, shelf, residents, doors
        self._max_lora_rank = max_lora_rank
        self._idle: set[str] = set()

    def load(self, name: str, revisions: Revisions) -> Steps[None]:
        """Load the adapter, unless it is.

        Raises:
            PersonaMemoryError: it may not be served, or cannot be; it is not tried again for a while.
        """
        if self._residents.hit(name):
            return
        try:
            files = revisions.files(name)
            check_format(name, files, max_lora_rank=self._max_lora_rank)
            check_loaded((yield self._engine.load(name, self._shelf.put(name, files))), name)
        except PersonaMemoryError as error:
            self._residents.refuse(name, str(error))
            not_served(name, error)  # its copy goes with `tidy`: another process may have loaded it from there
            raise
        self._residents.loaded(name)
        try:
            revisions.digest(name)
        except PersonaMemoryError:  # it was erased while it was loaded
            yield from self.unload([name])
            self._shelf.drop([name])
            raise

    def unload(self, names: Collection[str]) -> Steps[None]:
        """Let go of these; their copies stay."""
        for name in sorted(names):
            self._residents.lose([name])
            with self._doors.open("unload"):
                check_unloaded((yield self._engine.unload(name)), name)

    def withdraw(self, gone: Callable[[set[str]], set[str]]) -> Steps[int]:
        """Let go of what is gone among all adapters that are known here or in the engine; how many that were.

        Raises:
            OSError: a copy cannot be deleted.
        """
        known, listed = self._residents.names() | self._shelf.names(), set[str]()
        with self._doors.open("engine"):
            listed = adapters_of(served((yield self._engine.models())))
            self._residents.lose(known - listed)  # it was started anew
        ended = gone(known | listed)
        self._residents.end(ended, patience=GRACE_S)
        yield from self.unload(ended & listed)
        self._shelf.drop(ended)
        return len(ended)

    def tidy(self) -> Steps[None]:
        """Delete copies that the engine has let go of, or never loaded, the second time that they are seen."""
        self._shelf.sweep()
        try:
            listed = served((yield self._engine.models()))
        except EngineError:  # `withdraw` has told it
            return
        idle = self._shelf.names() - listed.keys()
        self._shelf.drop(idle & self._idle)
        self._idle = idle


def not_served(name: str, error: Exception) -> None:
    """Say why; neither a name nor an engine's answer to a load quotes anybody."""
    told = {"event.name": "persona_memory.adapter.not_served", "error.type": type(error).__name__}
    log.warning("persona-memory: the base answers, as adapter %s is not served: %s", name, error, extra=told)


def send(client: httpx2.Client, steps: Steps[T]) -> T:
    """Send one request after the other; what comes of them."""
    try:
        request = next(steps)
        while True:
            try:
                response = client.send(request)
            except httpx2.TransportError as error:
                request = steps.throw(silent(request, error))
            else:
                request = steps.send(response)
    except StopIteration as done:
        result: T = done.value
        return result


async def asend(tls: SSLContext, steps: Steps[None]) -> None:
    """As `send`: what reads ledger and files runs in a thread, requests on the event loop."""
    request = await asyncio.to_thread(_next, steps)
    if request is None:
        return
    async with httpx2.AsyncClient(verify=tls) as client:
        while request is not None:
            try:
                response = await client.send(request)
            except httpx2.TransportError as error:
                request = await asyncio.to_thread(_next, steps, error=silent(request, error))
            else:
                request = await asyncio.to_thread(_next, steps, response)


def _next(
    steps: Steps[None], response: httpx2.Response | None = None, *, error: EngineError | None = None
) -> httpx2.Request | None:
    """The next request, after what became of the one before; None at the end."""
    try:
        if error is not None:
            return steps.throw(error)
        return next(steps) if response is None else steps.send(response)
    except StopIteration:
        return None
