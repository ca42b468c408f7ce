"""What the steps of background work share: their tools, and how a result is recorded and a job is finished."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from persona_memory.learning import fold
from persona_memory.learning.consolidation import memory_id
from persona_memory.learning.storing import Storing
from persona_memory.ledger import Ledger, Person, events, jobs, people
from persona_memory.ledger.events import NewEvent
from persona_memory.profile import ProfileSchema
from persona_memory.protocols import Extractor, Optimizer, ParametricMemory, Teacher
from persona_memory.registry import AdapterRegistry
from persona_memory.retrieval import Semantic
from persona_memory.types import Event, Job, JobKind

P = ParamSpec("P")
T = TypeVar("T")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Learning:
    """Everything that the steps need; made once by `PersonaMemory`.

    Attributes:
        storing: how results of jobs are written.
        attempts: before a job is parked.
        ending: set when work has to stop: a step then returns at its next safe point, and its job is given back.
    """

    ledger: Ledger
    extractor: Extractor
    optimizer: Optimizer
    schema: ProfileSchema
    semantic: Semantic
    executor: Executor
    storing: Storing
    clock: Clock
    adapters: AdapterRegistry
    parametric: ParametricMemory | None = None
    teacher: Teacher | None = None
    attempts: int = 4
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def kinds(self) -> tuple[JobKind, ...]:
        """Of jobs that can be done here: adapters may be trained by another process only."""
        return tuple(kind for kind in jobs.KINDS if kind != "consolidate" or self.parametric is not None)

    def person(self, user_id: str) -> Person:
        """The person in the ledger's namespace."""
        return Person(self.ledger.namespace, user_id)

    def identify(self, person: Person) -> fold.Identify:
        """The function that names the person's memories."""
        owner = (person.namespace, person.user_id)
        return lambda kind, text, sources: memory_id(self.ledger.secret, owner, kind, text, sources)

    async def in_executor(self, call: Callable[..., T], *args: Any) -> T:
        """Run what is synchronous by nature (the ledger, a local index) off the event loop.

        Raises:
            CancelledError: the executor is closed, because the memory or the whole process is.
        """
        with _ending_is_cancelling():
            running = asyncio.get_running_loop().run_in_executor(self.executor, call, *args)
        return await running

    async def store(self, write: Callable[Concatenate[Connection, P], T], *args: P.args, **more: P.kwargs) -> T:
        """What `write(tx, …)` returns, run in a write transaction that other jobs may share; durable by then.

        Raises:
            CancelledError: as `in_executor`.
        """
        with _ending_is_cancelling():
            stored = self.storing.store(lambda tx: write(tx, *args, **more))
        return await stored


@contextmanager
def _ending_is_cancelling() -> Iterator[None]:
    """A closed executor cancels what asks for it: the memory is closed, or the whole process ends."""
    try:
        yield
    except RuntimeError as error:
        raise asyncio.CancelledError("the process ends; what is left waits in the ledger") from error


def record(
    tx: Connection,
    person: Person,
    found: people.Counters,
    answer: dict[str, Any],
    *,
    now: datetime,
    identify: fold.Identify,
) -> None:
    """Append an answer to the person's log and apply it."""
    (seq,) = events.append(tx, person, found, [NewEvent("answer", now, data=answer)], now=now)
    event = Event(seq, "answer", now, data=answer)
    standing = events.standing(tx, person, among=fold.cited(event))
    fold.apply(tx, person, event, standing=standing, identify=identify)


def finish(tx: Connection, learning: Learning, person: Person, job: Job) -> None:
    """The job is done, under its fence."""
    people.lock(tx, person)
    jobs.finish(tx, job, now=learning.clock())
