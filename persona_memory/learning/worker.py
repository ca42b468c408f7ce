"""The background worker: claims jobs, runs them as coroutines on one event loop, retries with backoff, then parks.

One worker is one thread; LLM calls of many people wait side by side. Nothing is lost with it: a job is a row in the
ledger, and a worker that dies loses its lease.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

from persona_memory import telemetry
from persona_memory.errors import LedgerError, PersonaMemoryError, StaleJob
from persona_memory.learning import budgets as costs
from persona_memory.learning import erasures, failing
from persona_memory.learning.breaker import Breaker
from persona_memory.learning.budgets import Account, Budgets
from persona_memory.learning.calling import CALLER, Caller
from persona_memory.learning.consolidate import consolidate
from persona_memory.learning.context import Learning, T
from persona_memory.learning.failing import Outcome, Retry
from persona_memory.learning.index import index
from persona_memory.learning.learn import learn
from persona_memory.learning.optimize import optimize
from persona_memory.learning.trouble import contained
from persona_memory.ledger import erasure, jobs, outages, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.types import Job, JobKind, Outage

log = logging.getLogger(__name__)

Step = Callable[[Learning, Job], Awaitable[None]]
STEPS: Mapping[JobKind, Step] = {
    "learn": learn,
    "optimize": optimize,
    "index": index,
    "consolidate": consolidate,
}


ASKING: tuple[JobKind, ...] = ("learn", "optimize")
"""Jobs that are over soon, and ask the language model where there is one."""

QUICK: tuple[JobKind, ...] = ("index", *ASKING)
"""Jobs that are over soon."""

SWEEP_S = 3600.0
"""Seconds between two looks for turns that a retention policy wants erased."""

GRACE_S = 10.0
"""Seconds that calls under way have to end after a stop: an LLM's answer that was paid for is kept."""

GIVING_BACK_S = 5.0

ERASURE_S = 30.0
"""Seconds after which an erasure that an index or a reader of the file has held up is tried again."""


class Worker:
    """Runs the ledger's jobs until it is stopped.

    Args:
        learning: what the steps need.
        concurrency: jobs that run side by side.
        lease: how long a job stays claimed without a sign of life; renewed while it runs.
        poll: seconds between two looks at the queue when nothing wakes the worker.
        budgets: what learning may cost a day.
    """

    def __init__(
        self,
        learning: Learning,
        *,
        concurrency: int = 64,
        lease: timedelta = timedelta(seconds=60),
        retry: Retry = Retry(),  # noqa: B008 - frozen
        poll: float = 0.5,
        budgets: Budgets | None = None,
    ) -> None:
        self.learning, self.budgets = learning, budgets
        self.breaker = Breaker(retry.down_after, retry.delay, learning.clock)
        self._noted: Outage | None = None
        self.concurrency, self.lease, self.retry, self.poll = concurrency, lease, retry, poll
        self._running: dict[int, tuple[Job, asyncio.Task[None]]] = {}
        self._runner = asyncio.Runner()  # one loop from start to start: a chat model's open connections belong to it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._stop = learning.ending
        self._looked = threading.Event()
        self._grace = GRACE_S
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._adopted = False
        self._next_sweep = self._next_renewal = self._next_erasure = 0.0
        self._renew_by = learning.clock()
        self._complaint = ""
        self._owed: list[Job] = []
        self._held_up: str | None = None

    def start(self) -> None:
        """Run in a daemon thread of this process; a second call does nothing."""
        with self._guard:
            if self._thread is None or not self._thread.is_alive():
                self._stop.clear()
                self._looked.clear()
                self._thread = threading.Thread(target=self._run_thread, name="persona-memory-worker", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Look at the queue now instead of at the next poll."""
        loop, event = self._loop, self._wake
        if loop is not None and event is not None:
            with suppress(RuntimeError):  # the loop was closed a moment ago: there is nobody to wake
                loop.call_soon_threadsafe(event.set)

    def stop(self, *, timeout: float = 10.0) -> None:
        """Finish the calls that are under way, for at most `timeout` seconds; give back the rest.

        Nothing is lost either way.
        """
        self._grace = timeout
        self.request_stop()
        with self._guard:  # a thread that is just being started cannot be joined yet
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        thread.join(timeout + GIVING_BACK_S)
        with self._guard:
            if self._thread is thread and not thread.is_alive():
                self._thread = None
                self._stop.clear()

    def close(self, *, timeout: float = 10.0) -> None:
        """Stop for good: the event loop goes, too, in a thread of its own, as one may be running in the caller's.

        A chat model without an asynchronous client, which hangs in a thread of the loop's, is left to itself.
        """
        self.stop(timeout=timeout)
        if not self.running:
            closing = threading.Thread(target=self._runner.close, name="persona-memory-worker-end", daemon=True)
            closing.start()
            closing.join(timeout + GIVING_BACK_S)
            if closing.is_alive():
                log.warning(
                    "persona-memory: a call of the language model does not end; it is left behind",
                    extra=telemetry.event("call.left_behind"),
                )

    def request_stop(self) -> None:
        """End `run` when what runs is done; safe in a signal handler."""
        self._stop.set()
        self.wake()

    @property
    def looked(self) -> bool:
        """Whether it has looked for work since it was started, and so has queued what is to be embedded again."""
        return self._looked.is_set()

    @property
    def running(self) -> bool:
        """Whether the worker's thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def _run_thread(self) -> None:
        try:
            self.run_in(self._runner)
        except asyncio.CancelledError:  # the process ends; what is left waits in the ledger
            with suppress(RuntimeError):  # no thread can be started any more to end the loop's executor
                self._runner.close()

    def run_in(self, runner: asyncio.Runner) -> None:
        """Work in this thread until `stop`.

        A component that asks the process to exit ends neither the worker nor the process: its job has failed. asyncio
        lets `SystemExit` out of the loop at once; what awaited it hears of it when the loop goes on.
        """
        working = runner.get_loop().create_task(self.run())
        while not working.done():
            with suppress(SystemExit):
                runner.run(_ended(working))

    async def run(self) -> None:
        """Work until `stop`; what runs comes to its next safe point, else it is given back."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._adopted, self._next_sweep, self._next_renewal, self._next_erasure = False, 0.0, 0.0, 0.0
        try:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    await self._round()
                    self._complaint = ""
                except PersonaMemoryError as error:  # a locked or unreachable ledger passes; the jobs wait in it
                    self._complain(error)
                    await asyncio.sleep(self.poll)
                self._looked.set()
                await self._rest()
            await self._drain()
        finally:
            self._loop = None

    async def _round(self) -> None:
        """Look once at everything that may be due."""
        await self._give_back()
        await self._note_outage()
        if not self._adopted:
            await self._in_executor(self._ask_budget_anew)
            await self._adopt_unembedded()
            self._adopted = True
        if time.monotonic() >= self._next_sweep:
            await self._in_executor(self._queue_expiring)
            await self._in_executor(self.learning.adapters.sweep)
            await self._in_executor(costs.sweep, self.learning)
            self._next_sweep = time.monotonic() + SWEEP_S
        # By the wall clock, too: put forward, it would let our own leases run out.
        if time.monotonic() >= self._next_renewal or self.learning.clock() >= self._renew_by:
            await self._renew()
            self._next_renewal = time.monotonic() + self.lease.total_seconds() / 3
            self._renew_by = self.learning.clock() + self.lease / 3
        await self._claim()

    def _complain(self, error: PersonaMemoryError) -> None:
        """Say once what keeps the worker from its work."""
        problem = telemetry.told(error)
        if problem != self._complaint:
            log.warning("persona-memory: cannot look for work: %s", problem, extra=_event("worker.held_up", error))
        self._complaint = problem

    async def _rest(self) -> None:
        """Wait for a wake-up, a finished job or the next poll."""
        assert self._wake is not None
        waker = asyncio.create_task(self._wake.wait())
        tasks = [task for _, task in self._running.values()]
        pause = min(self.poll, self.lease.total_seconds() / 3)  # in time to renew the leases
        await asyncio.wait([waker, *tasks], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        waker.cancel()

    async def _claim(self) -> None:
        self._running = {key: pair for key, pair in self._running.items() if not pair[1].done()}
        free = self.concurrency - len(self._running)
        if not free:
            return
        asking = self.breaker.free(running=sum(job.kind in ASKING for job, _ in self._running.values()))
        claimed = await self._in_executor(self._claim_now, free, QUICK if asking is None else ("index",))
        if asking:
            claimed += await self._in_executor(self._claim_now, asking, ASKING)
        idle = asking is None or (asking and not any(job.kind in ASKING for job in claimed))
        if idle and "consolidate" in self.learning.kinds and not self._trains():  # one at a time: trainings take long
            claimed += await self._in_executor(self._claim_now, 1, ("consolidate",))
        for job in claimed:
            self._running[job.id] = (job, asyncio.create_task(self._work(job)))
        if all(job.kind == "consolidate" for job, _ in self._running.values()):
            await self._in_executor(self._finish_erasures)

    def _trains(self) -> bool:
        return any(job.kind == "consolidate" for job, _ in self._running.values())

    def _claim_now(self, limit: int, kinds: tuple[JobKind, ...]) -> list[Job]:
        ledger, now = self.learning.ledger, self.learning.clock()
        with ledger.read() as connection:
            if not jobs.waiting(connection, ledger.namespace, now=now, kinds=kinds):
                return []
        with ledger.write() as tx:
            return jobs.claim(tx, ledger.namespace, now=now, lease=self.lease, limit=limit, kinds=kinds)

    async def _work(self, job: Job) -> None:
        try:
            await self._step(job)
        except LedgerError as error:  # not even the failure could be recorded: it is given back once that can be
            log.warning(
                "persona-memory: %s job %d waits for the ledger: %s", job.kind, job.id, telemetry.told(error),
                extra=_event("job.owed", error, job),
            )  # fmt: skip
            self._owed.append(job)

    async def _step(self, job: Job) -> None:
        """One attempt, measured by what it came to."""
        started, outcome = time.perf_counter(), "given back"
        try:
            with telemetry.span(f"persona_memory.{job.kind}"):
                outcome = await self._attempted(job)
        finally:
            by = {telemetry.KIND: job.kind, telemetry.OUTCOME: outcome}
            telemetry.count(telemetry.JOBS, by)
            telemetry.measure(telemetry.JOB_DURATION, time.perf_counter() - started, by)

    async def _attempted(self, job: Job) -> Outcome:
        account = None if self.budgets is None else Account(self.learning, self.budgets, job)
        CALLER.set(Caller(account, self.breaker.answered))  # for this job's task alone
        try:
            await STEPS[job.kind](self.learning, job)
            if job.kind == "learn" and self.learning.parametric is not None:  # it may have been asked to forget
                await self._in_executor(self.learning.adapters.tidy, job.user_id)
            left = await self._in_executor(self._release, [job]) if self._stop.is_set() else 0
            return "given back" if left else "done"
        except StaleJob as stale:
            log.info(
                "persona-memory: %s job %d is not held any more",
                job.kind,
                job.id,
                extra=_event("job.dropped", stale, job),
            )
            await self._in_executor(self._release, [job])
            return "dropped"
        except (Exception, SystemExit, asyncio.CancelledError) as raised:  # recorded: retried, parked and shown
            if isinstance(raised, asyncio.CancelledError) and _is_cancelled():
                raise  # the worker ends, and gives it back
            error = contained(raised)
            log.debug(
                "persona-memory: %s job %d failed: %s", job.kind, job.id, telemetry.places(error),
                extra=_event("job.failed.at", error, job),
            )  # fmt: skip
            failure = failing.judge(job, error, breaker=self.breaker, now=self.learning.clock())
            return await self._in_executor(failing.record, self.learning, job, failure, self.retry)

    async def _note_outage(self) -> None:
        """Let other processes see whether the model answers; once it does again, what waited for it goes on."""
        outage = self.breaker.outage
        if outage != self._noted:
            await self._in_executor(self._note_outage_now, outage)
            self._noted = outage

    def _note_outage_now(self, outage: Outage | None) -> None:
        ledger = self.learning.ledger
        with ledger.write() as tx:
            outages.note(tx, ledger.namespace, outage)
            if self.breaker.outage is None:
                jobs.go_on(tx, ledger.namespace, "model", now=self.learning.clock())

    def _ask_budget_anew(self) -> None:
        """What waits for a budget is looked at again by a worker that begins: its budgets may be larger."""
        ledger = self.learning.ledger
        with ledger.read() as connection:
            if not jobs.waits(connection, ledger.namespace, "budget"):
                return
        with ledger.write() as tx:
            jobs.go_on(tx, ledger.namespace, "budget", now=self.learning.clock())

    def _release(self, held: list[Job]) -> int:
        """Give these back, unless they are done; returns how many were not."""
        if not held:
            return 0
        with self.learning.ledger.write() as tx:
            return jobs.release(tx, held, now=self.learning.clock())

    async def _renew(self) -> None:
        held = [job for job, task in self._running.values() if not task.done()]
        if held:
            await self._in_executor(self._renew_now, held)

    def _renew_now(self, held: list[Job]) -> None:
        with self.learning.ledger.write() as tx:
            jobs.renew(tx, held, until=self.learning.clock() + self.lease)

    async def _give_back(self) -> None:
        """Give back the jobs whose failure could not be recorded, as the ledger could not be written."""
        if owed := list(self._owed):
            await self._in_executor(self._release, owed)
            self._owed = self._owed[len(owed) :]

    async def _drain(self) -> None:
        """Wait for what runs to come to its next safe point; give back what takes longer than the grace.

        Bytes of an erasure that a reader has held up go now.
        """
        left = {task: job for job, task in self._running.values() if not task.done()}
        if left:
            await asyncio.wait(left, timeout=self._grace)
        late = {task: job for task, job in left.items() if not task.done()}
        if late:
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=GIVING_BACK_S)
        try:
            await self._give_back()
            await self._in_executor(self._release, list(late.values()))
            if self._noted is not None:
                await self._in_executor(self._note_outage_now, None)
                self._noted = None
            await self._in_executor(self._finish_erasures)
        except LedgerError as error:
            log.warning(
                "persona-memory: %d jobs wait until their lease runs out: %s", len(late), telemetry.told(error),
                extra=_event("worker.ended_late", error),
            )  # fmt: skip

    async def _adopt_unembedded(self) -> None:
        """Queue indexing for everybody whose vectors come from another embedder."""
        try:
            space = await self.learning.semantic.aspace()
        except PersonaMemoryError as error:  # embedder or index are down: new turns queue jobs, which are retried
            log.warning("persona-memory: %s", telemetry.told(error), extra=_event("index.held_up", error))
            return
        await self._in_executor(self._queue_unembedded, space.fingerprint)

    def _queue_unembedded(self, fingerprint: str) -> None:
        ledger, now = self.learning.ledger, self.learning.clock()
        with ledger.read() as connection:
            behind = vector_rows.others(connection, ledger.namespace, fingerprint)
        for user_id in behind:
            person = self.learning.person(user_id)
            with ledger.write() as tx:
                if people.lock_known(tx, person) is not None:
                    vector_rows.restart(tx, person, fingerprint)
                    jobs.enqueue(tx, person, "index", due=now, now=now)

    def _queue_expiring(self) -> None:
        """Queue a look at everybody who wants old turns erased, and at turns that no job would learn."""
        ledger, now = self.learning.ledger, self.learning.clock()
        with ledger.read() as connection:
            expiring = people.with_retention(connection, ledger.namespace)
            stranded = jobs.users_with_pending(connection, ledger.namespace)
        for user_id in {*expiring, *stranded}:
            person = self.learning.person(user_id)
            with ledger.write() as tx:
                if people.lock_known(tx, person) is not None:
                    jobs.enqueue(tx, person, "learn", due=now, now=now)

    def _finish_erasures(self) -> None:
        """Clear index and files of what was erased, where that has not been done yet."""
        if time.monotonic() < self._next_erasure or not erasure.unfinished(self.learning.ledger):
            return
        problem = erasures.finish(self.learning)
        if problem is not None:
            if problem == self._held_up:  # once may be by chance: somebody erases or reads at this moment
                log.warning(
                    "persona-memory: an erasure is not complete: %s", problem, extra=telemetry.event("erasure.held_up")
                )
            self._next_erasure = time.monotonic() + ERASURE_S
        self._held_up = problem

    def gauge(self, metric: telemetry.Metric) -> Iterator[tuple[int, telemetry.Attributes]]:
        """The depth of the queue and the state of the breaker; nothing where the ledger cannot be read."""
        by: telemetry.Attributes = {telemetry.NAMESPACE: self.learning.ledger.namespace}
        if metric is telemetry.BREAKER:
            yield int(self.breaker.outage is not None), by
            return
        with suppress(LedgerError), self.learning.ledger.read() as connection:
            for (kind, state), number in jobs.depth(connection, self.learning.ledger.namespace).items():
                yield number, {**by, telemetry.KIND: kind, telemetry.STATE: state}

    async def _in_executor(self, call: Callable[..., T], *args: object) -> T:
        return await self.learning.in_executor(call, *args)


def _is_cancelled() -> bool:
    """Whether it is this task that was cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _ended(task: asyncio.Task[None]) -> None:
    await task


def _event(name: str, error: Exception, job: Job | None = None) -> dict[str, str | int]:
    """The fields of a log record about an error, and the job that it met."""
    met: telemetry.Attributes = {} if job is None else {telemetry.KIND: job.kind, telemetry.JOB: job.id}
    return telemetry.event(name, {**met, telemetry.ERROR: telemetry.error_type(error)})
