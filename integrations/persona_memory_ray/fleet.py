"""A fleet of workers on a Ray cluster: queue, leases and fences are the ledger's, Ray keeps the workers alive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import ray

from persona_memory import InvalidInput, PersonaMemory, Workload
from persona_memory_ray.worker import Sign, Worker

PATIENCE_S = 5.0
"""Seconds that a worker has to answer; one that does not is being placed or restarted, or its node is gone."""

CALLS = 5
"""Of a worker at a time: it works, queues, counts, gives signs of life and hears that it is to stop."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fleet has come.

    Attributes:
        workers: those that answer.
        restarts: of workers that had died.
        left: jobs that can be done now, queued and running; at least 1 until a worker has looked for them.
        waiting: jobs that wait for a budget, or for a model that is down.
        parked: jobs that failed again and again and wait for somebody to look at them.
        trained: adapters that were trained and examined, as far as workers could tell before they died.
        seconds: since the fleet was started.
    """

    workers: int
    restarts: int
    left: int
    waiting: int
    parked: int
    trained: int
    seconds: float

    @property
    def per_hour(self) -> float:
        """Adapters an hour, over the whole time."""
        return self.trained * 3600 / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        told = [
            f"{self.workers} workers", f"{self.left} jobs left",
            f"{self.trained} adapters trained, {self.per_hour:.0f} an hour",
        ]  # fmt: skip
        rare = {"restarts": self.restarts, "jobs waiting": self.waiting, "jobs parked": self.parked}
        return " · ".join([*told, *(f"{number} {name}" for name, number in rare.items() if number)])


class Fleet:
    """Workers that learn, index and train for everybody of a memory on Postgres, each a Ray actor of its own.

        def open_memory() -> PersonaMemory:
            base = Trainer(BaseModel.load("Qwen/Qwen3-0.6B"))
            return PersonaMemory.open("/shared/home", url=url, model="openai:gpt-5-mini", parametric=base, worker=False)

        with Fleet(open_memory, workers=8, gpus_per_worker=1) as fleet:
            fleet.run(progress=print)

    A worker that dies is started again by Ray, on another node if need be. Its jobs go to whoever is free: at once on
    the same machine, where its death is seen, else when the lease has run out. At the end of the block, be it by Ctrl-C
    or SIGTERM, workers stop at their next safe point and give back what is not done.

    Args:
        open_memory: called in each worker; opens the memory with `worker=False`. Without `parametric` nobody trains.
        workers: how many. Those for whom the cluster has no room yet begin when it has.
        cpus_per_worker, gpus_per_worker: what each needs of its node; parts of a GPU are shared.
        restarts: of a worker, at most; −1 for any number.
        options: further options of the actors, e.g. `runtime_env`, `scheduling_strategy`, `resources`.
    """

    def __init__(
        self,
        open_memory: Callable[[], PersonaMemory],
        *,
        workers: int,
        cpus_per_worker: float = 1.0,
        gpus_per_worker: float = 0.0,
        restarts: int = -1,
        **options: Any,
    ) -> None:
        if workers < 1:
            raise InvalidInput(f"workers is {workers!r}; pass at least 1")
        actor: Any = ray.remote(Worker)
        placed = actor.options(
            **{"scheduling_strategy": "SPREAD", **options}, num_cpus=cpus_per_worker, num_gpus=gpus_per_worker,
            max_restarts=restarts, max_task_retries=restarts, max_concurrency=CALLS,
        )  # fmt: skip
        self._began = time.monotonic()
        self._workers = [placed.remote(open_memory) for _ in range(workers)]
        self._working = [worker.work.remote() for worker in self._workers]
        self._counting: list[Any] = []  # the question how much is left, while it is not answered
        self._asked: dict[int, Any] = {}  # by the worker's place, a question that is not answered yet
        self._heard: dict[tuple[int, str], Sign] = {}  # the last one of each worker's each incarnation

    def consolidate(self, user_ids: Sequence[str] | None = None) -> int:
        """Queue the training of the next adapter of these people, or of everybody; returns how many they are.

        Who has said little since the last training is not trained, see `PersonaMemory.consolidate`. Where the
        application routes turns by an adapter, it queues trainings by itself.

        Raises:
            InvalidInput: workers were opened without `parametric`.
            NotFound: nothing is known of one of them; those before are queued.
        """
        return int(ray.get(self._workers[0].consolidate.remote(user_ids)))

    def run(
        self, *, forever: bool = False, progress: Callable[[Progress], None] | None = None, every: float = 2.0
    ) -> Progress:
        """Work until all jobs are done that can be done now; what waits or is parked is in the answer.

        Args:
            forever: until the process is interrupted.
            progress: called every few seconds.
            every: seconds between two looks.

        Raises:
            InvalidInput: workers that train do not see the same adapters' folder.
            RayError: a worker cannot open the memory (it is also an instance of what was raised there), or died more
                often than it may.
        """
        while True:
            ended, _ = ray.wait(self._working, timeout=every)  # work ends by `close` only, or because it cannot be done
            ray.get(ended)
            now = self.progress()
            if progress is not None:
                progress(now)
            if now.workers and not now.left and not forever:
                return now

    def progress(self) -> Progress:
        """How far it is, from the workers that answer within some seconds.

        Raises:
            InvalidInput: as `run`.
        """
        signs = self._signs()
        self._heard |= {(place, sign.incarnation): sign for place, sign in signs.items()}
        _check_shared(self._heard.values())
        at_work = [place for place, sign in signs.items() if sign.at_work]
        work = self._workload(at_work)
        return Progress(
            workers=len(at_work),
            restarts=len(self._heard) - len({place for place, _ in self._heard}),
            left=work.left,
            waiting=work.waiting,
            parked=work.parked,
            trained=sum(sign.trained for sign in self._heard.values()),
            seconds=time.monotonic() - self._began,
        )

    def _signs(self) -> dict[int, Sign]:
        """Of the workers that answer, by place; the others were asked, and are not asked again until they do."""
        for place, worker in enumerate(self._workers):
            if place not in self._asked:
                self._asked[place] = worker.sign.remote()
        ready = _ready(list(self._asked.values()))
        answered = {place: asked for place, asked in self._asked.items() if asked in ready}
        self._asked = {place: asked for place, asked in self._asked.items() if place not in answered}
        return {place: ray.get(asked) for place, asked in answered.items()}

    def _workload(self, at_work: Sequence[int]) -> Workload:
        """As one of them counts it, which is enough: it asks the database. Where none can, something may be left."""
        if not self._counting:
            self._counting = [self._workers[place].workload.remote() for place in at_work[:1]]
        answered = _ready(self._counting)
        self._counting = [one for one in self._counting if one not in answered]
        counted: list[Workload | None] = ray.get(answered)
        return next(filter(None, counted), Workload(left=1, waiting=0, parked=0))

    def close(self, *, timeout: float = 30.0) -> None:
        """Let workers come to their next safe point, for at most `timeout` seconds, and end them; safe to call again.

        What is not done is given back. Nothing is lost either way.
        """
        told = {worker.stop.remote(): working for worker, working in zip(self._workers, self._working, strict=True)}
        working = [told[reached] for reached in _ready(list(told))]  # not those that are still to be placed
        if working:
            ray.wait(working, num_returns=len(working), timeout=timeout)
        for worker in self._workers:
            ray.kill(worker)
        self._workers, self._working, self._asked, self._counting = [], [], {}, []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _ready(asked: list[Any]) -> list[Any]:
    """Those of these questions that are answered within some seconds."""
    return ray.wait(asked, num_returns=len(asked), timeout=PATIENCE_S)[0] if asked else []


def _check_shared(signs: Iterable[Sign]) -> None:
    """Whoever trains has to see the same folder: what one begins another one goes on with, and somebody else serves."""
    seen = {sign.folder[1]: (sign.folder[0], sign.node) for sign in signs if sign.folder is not None}
    if len(seen) > 1:
        (one, here), (other, there) = list(seen.values())[:2]
        raise InvalidInput(
            f"adapters are not kept in one place: {one!r} on node {here[:8]} is not {other!r} on node {there[:8]}; "
            "open the memory in a folder of a file system that all nodes share"
        )
