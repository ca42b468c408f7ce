"""People's adapters on this machine: trained in a process of their own, served from a pool over the same base."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self, TypeVar

from persona_memory.adapters import parse_name
from persona_memory.encryption import DataKey
from persona_memory.errors import AdapterRefused, AdapterRetired, EncryptionError, InvalidInput, NotFound, TrainingError
from persona_memory.parametric import continuing, handing, studying
from persona_memory.parametric.base import BaseModel
from persona_memory.parametric.chat_model import PersonaChatModel
from persona_memory.parametric.lora import Weights
from persona_memory.parametric.pool import AdapterPool
from persona_memory.parametric.scoring import foretold
from persona_memory.parametric.slots import Slots
from persona_memory.parametric.studying import Plan, Task
from persona_memory.protocols import Drifted, Example, Revisions, Studied, Study
from persona_memory.types import Adapter, Route

T = TypeVar("T")

AT_ONCE = 8
"""Pairs that are scored at a time: people who wait for a reply come in between."""

KEPT = 4096
"""Bytes of the end of what a training says on its standard error."""

GRACE_S = 5.0
"""Seconds that a training has to end by itself when it is no longer wanted."""


class _Served:
    """Which revisions may be served, by all memories that are open over one home, such as a server's tenants."""

    def __init__(self) -> None:
        self._known: list[Revisions] = []

    def add(self, revisions: Revisions) -> None:
        """Another namespace of the home, or the same once more."""
        self._known = [*self._open(), revisions]

    def digest(self, adapter_id: str) -> str | None:
        """See `Revisions.digest`; what one namespace does not know may be another's."""
        for one in self._open():
            with suppress(NotFound):
                return one.digest(adapter_id)
        raise NotFound(f"there is no adapter {adapter_id!r}")

    def open(self, place: str, sealed: bytes) -> bytes:
        """See `Opener`; the namespaces of a home have one store of keys."""
        opener = next((one.opener for one in self._open()), None)
        if opener is None:
            raise EncryptionError(f"{place}: the memory that it belongs to is closed")
        return opener.open(place, sealed)

    def _open(self) -> list[Revisions]:
        return [one for one in self._known if not one.closed]


class LocalAdapters:
    """`ParametricMemory` on this machine.

        base = BaseModel.load("Qwen/Qwen3-0.6B")
        adapters = LocalAdapters(base)
        memory = PersonaMemory.open(model=teacher, parametric=adapters)
        graph = persona_graph(memory, adapters.chat_model())

    A training loads the base in another process, by its name and with the options that it was loaded with here. It ends
    with this one; what it had done is not lost.

    Args:
        base: the model; it belongs to this object until `close`.
        plan: how adapters are trained and when they are good enough.
        slots: how many people's adapters are in memory at a time.
        trainings: how many run at a time.
        progress: hears of trainings: the adapter's name, the share that is done, the loss.

    Raises:
        InvalidInput: `base` is no `BaseModel`, or there is no room for anybody.
    """

    def __init__(
        self,
        base: BaseModel,
        *,
        plan: Plan | None = None,
        slots: int = 8,
        trainings: int = 1,
        progress: Callable[[str, float, float], None] | None = None,
    ) -> None:
        if not isinstance(base, BaseModel):
            raise InvalidInput(
                f'base is of type {type(base).__name__}; pass BaseModel.load("folder or name on the hub")'
            )
        if plan is not None and not isinstance(plan, Plan):
            raise InvalidInput(f"plan={plan!r} is no Plan; pass SMALL or Plan(…) of persona_memory.parametric")
        if min(slots, trainings) < 1:
            raise InvalidInput(f"slots={slots}, trainings={trainings}: both are at least 1")
        self._base, self._plan, self._slots = base, plan or Plan(), slots
        self._progress = progress
        self._turn = threading.BoundedSemaphore(trainings)
        self._lock = threading.Lock()
        self._pool: AdapterPool | None = None
        self._served = _Served()
        self._running: dict[str, int | None] = {}  # adapters that are to be trained, with the process that does it
        self._unwanted: set[str] = set()

    @property
    def base_model(self) -> str:
        """The base's path or hub id."""
        return self._base.name

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """See `studying.fingerprint`."""
        return studying.fingerprint(self._base, self._plan)

    @property
    def pool(self) -> AdapterPool:
        """What serves the adapters.

        Raises:
            InvalidInput: no memory was opened with this object yet.
        """
        if self._pool is None:
            raise InvalidInput("open a memory first: PersonaMemory.open(parametric=…) says where the adapters are")
        return self._pool

    def chat_model(self, **options: Any) -> PersonaChatModel:
        """A LangChain chat model over the base and everybody's adapters; options as for `PersonaChatModel`."""
        return PersonaChatModel(pool=self.pool, **options)

    def trainable(self) -> bool:
        """Always: adapters for the base can be trained and run."""
        return True

    def interpolates(self) -> bool:
        """Always: the base can mix two streams."""
        return True

    def serve(self, revisions: Revisions) -> None:
        """Open the pool over these revisions.

        Raises:
            InvalidInput: it serves another memory's already.
        """
        with self._lock:
            if self._pool is None:
                self._pool = AdapterPool(
                    self._base,
                    revisions.folder,
                    self._plan.spec,
                    slots=self._slots,
                    digest_of=self._served.digest,
                    opener=None if revisions.opener is None else self._served,
                )
            elif self._pool.store != revisions.folder:
                raise InvalidInput("these adapters serve another memory; make a LocalAdapters for each home")
            self._served.add(revisions)

    def route(self, user_id: str, route: Route) -> None:
        """Load the adapter that the next step needs.

        Nobody waits for it here: what keeps it from being loaded (its files, no free slot) is raised, or logged, where
        the reply is asked for, see `PersonaChatModel`.
        """
        if route.adapter_id is not None and self._pool is not None and not self._pool.closed:
            self._pool.submit([route.adapter_id], lambda slots, taken: None)

    def keep(self, owner: str, adapter_ids: Collection[str]) -> None:
        """End replies and trainings of the owner's other revisions."""
        if self._pool is not None and not self._pool.closed:
            self._pool.keep(owner, adapter_ids)
        with self._lock:
            for name, pid in self._running.items():
                if parse_name(name)[0] == owner and name not in adapter_ids:
                    self._unwanted.add(name)
                    if pid is not None:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGTERM)

    async def drift(self, adapter: Adapter, fresh: Sequence[Example]) -> Drifted:
        """Whether new pairs surprise the active adapter, or it cannot be loaded any more; asked on the pool's thread.

        Raises:
            AdapterRetired: it was retired meanwhile.
        """
        surprise = adapter.report.get("surprise")
        if surprise is None:
            return Drifted(True, "nobody knows what surprises this adapter")
        scored: list[float] = []
        try:
            for begin in range(0, len(fresh), AT_ONCE):
                scored += await self._scores(adapter.adapter_id, fresh[begin : begin + AT_ONCE])
        except (AdapterRefused, NotFound) as error:  # damaged, or not on this machine: the next one takes its place
            return Drifted(True, f"the adapter cannot be loaded: {error}")
        found = continuing.drifts(fresh, scored, surprise)
        return replace(found, turns=()) if found.drifts and not self._plan.rehearse else found

    async def _scores(self, adapter_id: str, fresh: Sequence[Example]) -> Sequence[float]:
        return await self._asked(
            [adapter_id], lambda slots, taken: continuing.scores(self._base, slots, taken[0], fresh)
        )

    async def foretell(self, profiles: Sequence[str], said: Sequence[str]) -> Sequence[float]:
        """How likely the base finds what a person said after each profile; asked on the pool's thread."""
        return await self._asked([], lambda slots, taken: foretold(self._base, slots, profiles, said))

    async def _asked(self, adapters: Sequence[str], work: Callable[[Slots, tuple[int, ...]], T]) -> T:
        """What `work` returns, see `AdapterPool.submit`.

        Raises:
            CancelledError: the pool is closed, maybe while this waited; a worker tries its job again.
            OutOfMemory, AdapterError: memory ran out; a worker tries its job again later.
        """
        pool = self.pool
        try:
            asking = pool.submit(adapters, work)
        except InvalidInput as closed:
            raise asyncio.CancelledError(str(closed)) from closed
        return await asyncio.wrap_future(asking)

    async def train(self, study: Study) -> Studied:
        """Train and examine the adapter in another process.

        Raises:
            TrainingError: it cannot be trained, or the process was killed.
            AdapterRetired: something that it is trained on was erased meanwhile.
        """
        name = study.adapter_id
        with self._lock:
            self._running[name] = None
        try:
            await acquire(self._turn)
            try:
                ended = await self._run(study)
            finally:
                self._turn.release()
            self._refuse_unwanted(name)
            return _result(study, *ended)
        finally:
            with self._lock:
                del self._running[name]
                self._unwanted.discard(name)

    async def _run(self, study: Study) -> tuple[int, str]:
        """The exit status of the process that trains it, and the last line of its standard error."""
        self._refuse_unwanted(study.adapter_id)  # it may have been erased while it waited for its turn
        if self._pool is not None:  # or before `keep` could know of it
            await asyncio.to_thread(self._served.digest, study.adapter_id)
        parent = None if study.parent is None else await self.weights(study.parent)
        handing.ask(study.workspace, Task.of(self._base, self._plan, study), parent=parent, cipher=cipher_of(study))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "persona_memory.parametric", str(study.workspace),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment(self._base),
        )  # fmt: skip
        try:
            with self._lock:
                self._running[study.adapter_id] = process.pid
            self._refuse_unwanted(study.adapter_id)
            await _say_key(process, study)
            _, last = await asyncio.gather(self._listen(process, study.adapter_id), _last_line(process.stderr))
            return await process.wait(), last
        finally:
            await _end(process)

    async def weights(self, adapter_id: str) -> Weights:
        """The revision's weights, checked as for serving."""
        return await self._asked([adapter_id], lambda slots, taken: slots.read(taken[0]))

    def _refuse_unwanted(self, adapter_id: str) -> None:
        with self._lock:
            if adapter_id in self._unwanted:
                raise AdapterRetired(adapter_id, "something that it is trained on was erased")

    async def _listen(self, process: Process, adapter_id: str) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            told = _told(line)
            if told is not None and self._progress is not None:
                self._progress(adapter_id, *told)

    def close(self) -> None:
        """Give the base its own layers back. Trainings end with the worker that runs them."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _environment(base: BaseModel) -> dict[str, str]:
    """Ours, with the access token that the base was loaded with, as it is to be written nowhere."""
    token = base.options.get("token")
    return {**os.environ, "HF_TOKEN": token} if isinstance(token, str) else dict(os.environ)


def _told(line: bytes) -> tuple[float, float] | None:
    """(share that is done, loss) of a line of progress; None of whatever else a library prints."""
    try:
        told = json.loads(line)
        return float(told["done"]), float(told["loss"])
    except (ValueError, TypeError, KeyError):
        return None


async def _last_line(said: StreamReader | None) -> str:
    """The last line that says something, of however much; it is read as it comes, or whoever writes it would wait."""
    assert said is not None
    end = b""
    while part := await said.read(KEPT):
        end = (end + part)[-KEPT:]
    lines = [line.strip() for line in end.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _result(study: Study, code: int, last: str) -> Studied:
    done = handing.answer(study.workspace, cipher=cipher_of(study)) if study.workspace.is_dir() else ""
    if isinstance(done, Studied):
        return done
    how = f"was killed by signal {-code}: is there enough memory?" if code < 0 else f"ended with {code}"
    raise TrainingError(0, done or f"its process {how}" + (f"; it last said {last!r}" if last else ""))


def cipher_of(study: Study) -> DataKey | None:
    """What encrypts the study's workspace; None where the memory is not encrypted."""
    return None if study.key is None else DataKey(study.key)


async def _say_key(process: Process, study: Study) -> None:
    """The first line of its standard input: the key of the workspace, empty where there is none."""
    assert process.stdin is not None
    process.stdin.write((study.key or b"").hex().encode() + b"\n")
    with suppress(ConnectionError):  # it has ended by itself; its exit status says how
        await process.stdin.drain()


async def acquire(turn: threading.BoundedSemaphore) -> None:
    """Wait for a turn without holding up the event loop."""
    while not turn.acquire(blocking=False):  # workers of several memories may share it, each with a loop of its own
        await asyncio.sleep(0.1)


async def _end(process: Process) -> None:
    """Wait for the process to end; first ask it to, where it still runs."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), GRACE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
