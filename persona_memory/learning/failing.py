"""What becomes of a job that failed: it waits for what it needs, or is tried again with backoff, then parked."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from persona_memory import telemetry
from persona_memory.errors import (
    LedgerDiskError,
    LedgerLocked,
    LedgerReadOnly,
    ModelUnavailable,
    OutOfMemory,
    OverBudget,
)
from persona_memory.learning.breaker import Breaker
from persona_memory.learning.context import Learning
from persona_memory.learning.learn import WindowError
from persona_memory.learning.trouble import Cancelled
from persona_memory.ledger import Person, events, jobs, people
from persona_memory.messages import clean
from persona_memory.types import Job

log = logging.getLogger(__name__)

PASSING = (LedgerLocked, LedgerReadOnly, LedgerDiskError, OutOfMemory, Cancelled)
"""Failures of what a job works with, not of what was to be learnt: it is tried until they pass, and never parked."""

Outcome = Literal["done", "given back", "retried", "parked", "waits for a budget", "waits for the model", "dropped"]
"""What an attempt at a job came to."""

SHOWN = 1000
_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Retry:
    """How a worker treats jobs and the language model that they ask.

    Attributes:
        attempts: before a job is parked.
        backoff: seconds after the first (then doubled).
        longest: seconds that a backoff takes at most.
        timeout: seconds that one call of the model may take; None for any number.
        down_after: calls in a row without an answer, whoever they were about, after which nobody's jobs ask the model
            but one after each backoff.
    """

    attempts: int = 4
    backoff: float = 2.0
    longest: float = 300.0
    timeout: float | None = 180.0
    down_after: int = 5

    def delay(self, attempt: int) -> timedelta:
        """The pause after attempt 1, 2, 3 …"""
        return timedelta(seconds=min(self.longest, self.backoff * 2 ** min(max(attempt, 1) - 1, _DOUBLINGS)))


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job has failed.

    Attributes:
        error: what was raised.
        waiting: until when its model is left alone, where it is the model's fault for sure or it is down.
        pause: how long the provider asks to be left alone.
    """

    error: Exception
    waiting: datetime | None = None
    pause: timedelta = timedelta()

    @property
    def cause(self) -> Exception:
        """The error of the model, or of whatever else the window was given to."""
        return self.error.cause if isinstance(self.error, WindowError) else self.error

    @property
    def shown(self) -> str:
        """The reason as `jobs` shows it."""
        named = isinstance(self.cause, ModelUnavailable | OutOfMemory | OverBudget)
        return clean(str(self.cause) if named else f"{type(self.cause).__name__}: {self.cause}")[:SHOWN]


def judge(job: Job, error: Exception, *, breaker: Breaker, now: datetime) -> Failure:
    """The failure, after the breaker has heard of it."""
    failure = Failure(error)
    if not isinstance(failure.cause, ModelUnavailable):
        return failure
    breaker.failed(job.user_id, failure.cause)
    pause = failure.cause.pause or timedelta()
    if breaker.outage is not None:
        return Failure(error, waiting=breaker.outage.until, pause=pause)
    if failure.cause.certain:
        return Failure(error, waiting=now + max(breaker.delay(breaker.failures), pause), pause=pause)
    return Failure(error, pause=pause)


def record(learning: Learning, job: Job, failure: Failure, retry: Retry) -> Outcome:
    """Put the job off, have it tried again, or park it, with the reason."""
    person, now = learning.person(job.user_id), learning.clock()
    with learning.ledger.write() as tx:
        found = people.lock_known(tx, person)
        held = jobs.held(tx, job)  # windows that were stored since have begun its attempts anew
        if found is None or held is None:
            log.info(
                "persona-memory: %s job %d is no longer held; its failure was dropped", job.kind, job.id,
                extra=telemetry.event("job.dropped", _named(job)),
            )  # fmt: skip
            return "dropped"
        erased = held.epoch != found.epoch  # what failed may quote what is erased
        shown = "begins again: something was erased meanwhile" if erased else failure.shown
        if isinstance(failure.cause, OverBudget):
            jobs.put_off(tx, person, held, failure.shown, due=failure.cause.until, now=now, waits_for="budget")
            return "waits for a budget"
        if failure.waiting is not None:
            jobs.put_off(tx, person, held, shown, due=failure.waiting, now=now, waits_for="model")
            return "waits for the model"
        park = not erased and not isinstance(failure.cause, PASSING)
        return _count_attempt(tx, learning, person, held, failure, shown, retry=retry, park=park)


def _count_attempt(
    tx: Connection,
    learning: Learning,
    person: Person,
    held: Job,
    failure: Failure,
    shown: str,
    *,
    retry: Retry,
    park: bool,
) -> Outcome:
    now = learning.clock()
    log.warning(
        "persona-memory: %s job %d failed (attempt %d): %s",
        held.kind, held.id, held.attempts, type(failure.cause).__name__,
        extra=telemetry.event("job.failed", {**_named(held), telemetry.ERROR: type(failure.cause).__name__}),
    )  # fmt: skip
    if held.attempts < retry.attempts or not park:
        jobs.retry_later(tx, person, held, shown, due=now + max(retry.delay(held.attempts), failure.pause), now=now)
        return "retried"
    seqs = failure.error.seqs if isinstance(failure.error, WindowError) else ()
    jobs.park(tx, person, held, shown, seqs, now=now)
    if seqs and events.count_pending(tx, person, most=1):  # the windows after it
        jobs.enqueue(tx, person, "learn", due=now, now=now)
    return "parked"


def _named(job: Job) -> telemetry.Attributes:
    return {telemetry.KIND: job.kind, telemetry.JOB: job.id, telemetry.ATTEMPT: job.attempts}
