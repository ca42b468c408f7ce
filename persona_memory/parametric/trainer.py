"""Trainings in this process: the base is loaded once, and one person after another is trained on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import torch

from persona_memory.adapters import parse_name
from persona_memory.errors import AdapterRetired
from persona_memory.parametric import studying
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.handing import CHECKPOINT
from persona_memory.parametric.local import LocalAdapters, acquire, cipher_of
from persona_memory.parametric.lora import Weights
from persona_memory.parametric.studying import Plan, Task
from persona_memory.parametric.training import Progress
from persona_memory.protocols import Drifted, Example, Revisions, Studied, Study
from persona_memory.types import Adapter, Route


class Trainer:
    """`ParametricMemory` of a process that trains and answers nobody, such as a worker of a fleet.

        with PersonaMemory.open(home, url=url, model=teacher, parametric=Trainer(base), worker=False) as memory:
            memory.run_worker()

    `LocalAdapters` gives each training a process of its own, which loads the base anew and holds it a second time. What
    kills that process fails the job; what kills this one ends its worker, whose job another one takes over.

    Args:
        base: the model; it belongs to this object.
        plan: how adapters are trained and when they are good enough. Its `threads` are this process's.
        progress: hears of trainings: the adapter's name, the share that is done, the loss.
    """

    def __init__(
        self,
        base: BaseModel,
        *,
        plan: Plan | None = None,
        progress: Callable[[str, float, float], None] | None = None,
    ) -> None:
        self._base, self._plan, self._progress = base, plan or Plan(), progress
        self._turn = threading.BoundedSemaphore()  # who runs the base
        self._lock = threading.Lock()
        self._ends: dict[str, threading.Event] = {}  # of adapters that are being trained
        self._revisions: Revisions | None = None
        if self._plan.threads:
            torch.set_num_threads(self._plan.threads)

    @property
    def base_model(self) -> str:
        """The base's path or hub id."""
        return self._base.name

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """See `studying.fingerprint`."""
        return studying.fingerprint(self._base, self._plan)

    def trainable(self) -> bool:
        """Always: that is what it is for."""
        return True

    def interpolates(self) -> bool:
        """Never: nobody is answered here."""
        return False

    def serve(self, revisions: Revisions) -> None:
        """Where the adapters are that it trains."""
        self._revisions = revisions

    def route(self, user_id: str, route: Route) -> None:
        """Nothing is served here, so there is nothing to load."""

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """End the training of the owner's other revisions at its next step."""
        with self._lock:
            for name, end in self._ends.items():
                if parse_name(name)[0] == owner and name not in adapter_ids:
                    end.set()

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        """See `LocalAdapters.drift`."""
        async with self._asking() as local:
            return await local.drift(adapter, fresh)

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        """See `LocalAdapters.foretell`."""
        async with self._asking() as local:
            return await local.foretell(profiles, said)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[LocalAdapters]:
        """The base with room for an adapter, while nobody is trained on it."""
        assert self._revisions is not None  # a memory that is open asks
        await acquire(self._turn)
        try:
            with LocalAdapters(self._base, plan=self._plan, slots=1) as local:
                local.serve(self._revisions)
                yield local
        finally:
            self._turn.release()

    async def train(self, study: Study) -> Studied:
        """Train and examine the adapter on a thread; one that is cancelled ends at its next step.

        Raises:
            InvalidInput, TrainingError: it cannot be trained.
            AdapterRetired: something that it is trained on was erased meanwhile.
        """
        end = threading.Event()
        with self._lock:
            self._ends[study.adapter_id] = end
        try:
            parent = await self._weights(study.parent)
            await acquire(self._turn)
            training = asyncio.ensure_future(asyncio.to_thread(self._study, study, parent, end))
            try:
                return await asyncio.shield(training)
            except asyncio.CancelledError:
                end.set()
                await asyncio.gather(training, return_exceptions=True)
                raise
        finally:
            with self._lock:
                del self._ends[study.adapter_id]

    async def _weights(self, parent: str | None) -> Weights | None:
        """Those of the revision that training goes on from, if any."""
        if parent is None:
            return None
        async with self._asking() as local:
            return await local.weights(parent)

    def _study(self, study: Study, parent: Weights | None, end: threading.Event) -> Studied:
        def go_on(progress: Progress | None = None) -> None:
            if end.is_set():
                raise AdapterRetired(study.adapter_id, "something that it is trained on was erased")
            if progress is not None and self._progress is not None:
                self._progress(study.adapter_id, progress.done, progress.losses.get(0, 0.0))

        try:
            if self._revisions is not None:  # it may have been erased before `keep` could know of it
                self._revisions.digest(study.adapter_id)
            go_on()
            study.workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
            return studying.study(
                self._base, Task.of(self._base, self._plan, study), parent=parent,
                checkpoint=study.workspace / CHECKPOINT, cipher=cipher_of(study), progress=go_on,
            )  # fmt: skip
        finally:
            self._turn.release()
