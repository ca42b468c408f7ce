"""The durable queue: one active job per (person, kind), leases with fencing tokens, parking, epochs.

A job whose worker died on this machine is taken over at once, any other when its lease has run out.
Clocks are put right now and then: a job that was queued in what is the future by now has waited long enough, and a
lease that ends beyond `LONGEST_LEASE` was given by a clock that was wrong.
A result is stored in the same transaction that `finish`es its job: if the lease went to another worker (higher fence)
or the person's epoch was raised meanwhile (forget, delete), `StaleJob` rolls the result back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from persona_memory.errors import NotFound, StaleJob
from persona_memory.ledger import owners
from persona_memory.ledger.events import mark, mark_profiled
from persona_memory.ledger.people import Person, counters, owned
from persona_memory.ledger.schema import ACTIVE, events, jobs, users
from persona_memory.ledger.sealed import Owned, opened
from persona_memory.types import Job, JobKind, JobState, WaitsFor

KINDS: tuple[JobKind, ...] = ("index", "learn", "optimize", "consolidate")

SKEW = timedelta(minutes=1)
"""What the clocks of machines that share a ledger may differ by."""

LONGEST_LEASE = timedelta(days=1)

_JOB = (
    jobs.c.id, jobs.c.user_id, jobs.c.kind, jobs.c.state, jobs.c.due_at, jobs.c.attempts, jobs.c.fence, jobs.c.epoch,
    jobs.c.last_error, jobs.c.seqs, jobs.c.waits_for, jobs.c.namespace,
)  # fmt: skip

_HELD = and_(jobs.c.id == bindparam("job_id"), jobs.c.fence == bindparam("job_fence"), jobs.c.state == "running")
_NAMESPACE = jobs.c.namespace == bindparam("in_namespace")
_OWNERS = select(jobs.c.owner).distinct().where(_NAMESPACE, jobs.c.state == "running")
_DUE = and_(jobs.c.state == "queued", or_(jobs.c.due_at <= bindparam("now"), jobs.c.queued_at > bindparam("future")))
_LEFT = or_(
    jobs.c.lease_until < bindparam("now"),
    jobs.c.lease_until > bindparam("too_late"),
    jobs.c.owner.in_(bindparam("gone", expanding=True)),
)
_OF_KINDS = jobs.c.kind.in_(bindparam("kinds", expanding=True))
_CLAIMABLE = select(jobs.c.id).where(_NAMESPACE, _OF_KINDS, or_(_DUE, and_(jobs.c.state == "running", _LEFT)))
_ANY = _CLAIMABLE.limit(1)
_CLAIM = _CLAIMABLE.order_by(jobs.c.due_at, jobs.c.id).limit(bindparam("most")).with_for_update(skip_locked=True)
_AMONG = jobs.c.id.in_(bindparam("ids", expanding=True))
_CLAIMED = select(*_JOB).where(_AMONG).order_by(jobs.c.due_at, jobs.c.id)
_ACTIVE_OF_ALL = select(func.count()).where(_NAMESPACE, _OF_KINDS, jobs.c.state.in_(("queued", "running")))
_WAITS = and_(jobs.c.state == "queued", jobs.c.waits_for.is_not(None))
_EPOCH = func.coalesce(
    select(users.c.epoch)
    .where(users.c.namespace == jobs.c.namespace, users.c.user_id == jobs.c.user_id)
    .scalar_subquery(),
    0,
)
_TAKE = (
    update(jobs)
    .where(_AMONG)
    .values(
        state="running", lease_until=bindparam("until"), fence=jobs.c.fence + 1, attempts=jobs.c.attempts + 1,
        again=False, epoch=_EPOCH, owner=bindparam("by"), waits_for=None,
    )
)  # fmt: skip
_CHECK = select(_EPOCH).select_from(jobs).where(_HELD).with_for_update(of=jobs)
_ADOPT = update(jobs).where(_HELD).values(epoch=bindparam("new_epoch"), attempts=1)
_DONE = delete(jobs).where(jobs.c.id == bindparam("job_id"), jobs.c.again.is_(False))
_DROP_PARKED = delete(jobs).where(owned(jobs), jobs.c.kind == bindparam("job_kind"), jobs.c.state == "parked")


def enqueue(
    tx: Connection, person: Person, kind: JobKind, *, due: datetime, now: datetime, latest: datetime | None = None
) -> None:
    """Make sure that a job of this kind is queued for the person.

    A queued one is put off to `due` (debounce), but never beyond `latest` nor once it has waited that long; a running
    one runs once more when it is done.
    """
    values = {**person.key(), **person.owner(), "kind": kind, "due_at": due, "queued_at": now}
    if latest is not None:
        values["longest"] = _microseconds(latest - now)
    tx.execute(_enqueue(tx.dialect.name, bounded=latest is not None), values)


def enqueue_for_new(tx: Connection, person: Person, *, due: datetime, now: datetime, latest: datetime) -> None:
    """What new turns cause, in one statement: indexing now, learning at `due`, as `enqueue` does it."""
    owner = {**person.key(), **person.owner(), "queued_at": now}
    index = {**owner, "kind": "index", "due_at": now, "longest": 0}
    learn = {**owner, "kind": "learn", "due_at": due, "longest": _microseconds(latest - now)}
    tx.execute(_enqueue(tx.dialect.name, bounded=True), [index, learn])


def _microseconds(pause: timedelta) -> int:
    return pause // timedelta(microseconds=1)


@cache
def _enqueue(dialect: str, *, bounded: bool) -> Executable:
    """One statement for all of `enqueue`: what other processes do to the job comes before it or after it."""
    make = sqlite.insert if dialect == "sqlite" else postgresql.insert
    epoch = func.coalesce(select(users.c.epoch).where(owned(users)).scalar_subquery(), 0)
    new = make(jobs).values(
        namespace=bindparam("namespace"), user_id=bindparam("user_id"), kind=bindparam("kind"), state="queued",
        due_at=bindparam("due_at"), queued_at=bindparam("queued_at"), epoch=epoch, seqs=[],
    )  # fmt: skip
    # A running job keeps its time, one that is being retried its backoff, one that waits what it waits for.
    keeps = or_(jobs.c.state == "running", jobs.c.attempts > 0, jobs.c.waits_for.is_not(None))
    whens: list[Any] = [(keeps, jobs.c.due_at)]
    if bounded:
        bound = type_coerce(jobs.c.queued_at, BigInteger) + bindparam("longest", type_=BigInteger)
        whens.append((bound < type_coerce(new.excluded.due_at, BigInteger), bound))
    return new.on_conflict_do_update(
        index_elements=[jobs.c.namespace, jobs.c.user_id, jobs.c.kind],
        index_where=ACTIVE,
        set_={
            "due_at": case(*whens, else_=new.excluded.due_at),
            "again": or_(jobs.c.again, jobs.c.state == "running"),
        },
    )


def hasten(tx: Connection, namespace: str, *, now: datetime, user_id: str | None = None) -> None:
    """Make queued jobs due now: of one person, or of all.

    A job that is being retried keeps its backoff, one that waits for a budget or for a model goes on waiting.
    """
    tx.execute(update(jobs).where(_early(namespace, now, user_id)).values(due_at=now))


def early(connection: Connection, namespace: str, *, now: datetime, user_id: str | None = None) -> bool:
    """Whether `hasten` would change something: a look that takes no write lock."""
    query = select(jobs.c.id).where(_early(namespace, now, user_id)).limit(1)
    return connection.execute(query).one_or_none() is not None


def _early(namespace: str, now: datetime, user_id: str | None) -> ColumnElement[bool]:
    """Queued jobs that are not due yet, and wait for nothing but their time."""
    mine = [
        jobs.c.namespace == namespace, jobs.c.state == "queued", jobs.c.due_at > now, jobs.c.attempts == 0,
        jobs.c.waits_for.is_(None),
    ]  # fmt: skip
    return and_(*mine) if user_id is None else and_(*mine, jobs.c.user_id == user_id)


def waiting(connection: Connection, namespace: str, *, now: datetime, kinds: Sequence[JobKind] = KINDS) -> bool:
    """Whether `claim` would find something: a look that takes no write lock."""
    return connection.execute(_ANY, _looking(connection, namespace, kinds, now)).one_or_none() is not None


def claim(
    tx: Connection,
    namespace: str,
    *,
    now: datetime,
    lease: timedelta,
    limit: int = 1,
    kinds: Sequence[JobKind] = KINDS,
) -> list[Job]:
    """Take up to `limit` jobs that are due, or whose worker is dead or let its lease run out.

    Each gets a new fencing token.

    Args:
        kinds: what the worker can do.
    """
    ids = list(tx.execute(_CLAIM, {**_looking(tx, namespace, kinds, now), "most": limit}).scalars())
    if not ids:
        return []
    tx.execute(_TAKE, {"ids": ids, "until": now + lease, "by": owners.this_process()})
    return [_job(row) for row in tx.execute(_CLAIMED, {"ids": ids})]


def _looking(connection: Connection, namespace: str, kinds: Sequence[JobKind], now: datetime) -> dict[str, Any]:
    """The values of a look for jobs that can be taken."""
    return {
        "in_namespace": namespace, "kinds": kinds, "gone": _gone(connection, namespace),
        "now": now, "future": now + SKEW, "too_late": now + LONGEST_LEASE + SKEW,
    }  # fmt: skip


def renew(tx: Connection, held: Sequence[Job], *, until: datetime) -> None:
    """Extend the leases of jobs that are still held."""
    for job in held:
        tx.execute(update(jobs).where(_held(job)).values(lease_until=until))


def check(tx: Connection, job: Job) -> None:
    """Pass if the job is still held and its epoch is the person's.

    Raises:
        StaleJob: another worker has it, it was cancelled, or the person's data was erased meanwhile.
    """
    epoch = tx.execute(_CHECK, _of(job)).scalar_one_or_none()
    if epoch is None:
        raise StaleJob(
            f"job {job.id!r} ({job.kind}) is no longer held under fence {job.fence!r}; its result was dropped"
        )
    if epoch != job.epoch:
        raise StaleJob(f"job {job.id!r} ({job.kind}) began before a forget or delete; its result was dropped")


def held(connection: Connection, job: Job) -> Job | None:
    """The job as it stands now, after parts of it were stored; None when it is no longer held."""
    row = connection.execute(select(*_JOB).where(_held(job))).one_or_none()
    return None if row is None else _job(row)


def finish(tx: Connection, job: Job, *, now: datetime) -> None:
    """The job is done: it goes, or is queued again when something was added while it ran.

    Raises:
        StaleJob: as `check`.
    """
    check(tx, job)
    if not tx.execute(_DONE, {"job_id": job.id}).rowcount:
        fresh = {"state": "queued", "due_at": now, "queued_at": now, "attempts": 0, "again": False, "last_error": None}
        tx.execute(update(jobs).where(jobs.c.id == job.id).values(fresh))


def adopt(tx: Connection, person: Person, job: Job) -> Job:
    """The job after a part of it was stored: its attempts begin anew, and an epoch that it raised itself is its own."""
    epoch = counters(tx, person).epoch
    tx.execute(_ADOPT, {**_of(job), "new_epoch": epoch})
    return replace(job, epoch=epoch, attempts=1)


def retry_later(tx: Connection, person: Person, job: Job, error: str, *, due: datetime, now: datetime) -> None:
    """Queue a failed job again, with its error shown."""
    back = {"state": "queued", "due_at": due, "queued_at": now, "last_error": Owned(person, error)}
    tx.execute(update(jobs).where(_held(job)).values(back))


def put_off(
    tx: Connection, person: Person, job: Job, reason: str, *, due: datetime, now: datetime, waits_for: WaitsFor
) -> None:
    """Queue a job again that could not be worked on, with what it waits for; the attempt does not count."""
    back = {
        "state": "queued",
        "due_at": due,
        "queued_at": now,
        "attempts": jobs.c.attempts - 1,
        "last_error": Owned(person, reason),
    }
    tx.execute(update(jobs).where(_held(job)).values(**back, waits_for=waits_for))


def go_on(tx: Connection, namespace: str, waits_for: WaitsFor, *, now: datetime) -> None:
    """What they wait for may be there: jobs that wait for it are due now."""
    mine = [jobs.c.namespace == namespace, _WAITS, jobs.c.waits_for == waits_for]
    tx.execute(update(jobs).where(*mine).values(due_at=now, waits_for=None))


def waits(connection: Connection, namespace: str, waits_for: WaitsFor) -> bool:
    """Whether a job waits for this: a look that takes no write lock."""
    query = select(jobs.c.id).where(jobs.c.namespace == namespace, _WAITS, jobs.c.waits_for == waits_for).limit(1)
    return connection.execute(query).one_or_none() is not None


def park(tx: Connection, person: Person, job: Job, error: str, seqs: Sequence[int], *, now: datetime) -> None:
    """Give up on a job until a person looks at it: its turns are parked with it, later turns get a job of their own.

    One without turns of its own is about all that is left of the person's, and stands for such ones before it, too.
    """
    check(tx, job)
    if not seqs:
        parked = select(jobs.c.id, jobs.c.seqs).where(person.owns(jobs), jobs.c.kind == job.kind)
        earlier = [row.id for row in tx.execute(parked.where(jobs.c.state == "parked")) if not row.seqs]
        tx.execute(delete(jobs).where(jobs.c.id.in_(earlier)))
    again = tx.execute(select(jobs.c.again).where(jobs.c.id == job.id)).scalar_one()
    tx.execute(update(jobs).where(_held(job)).values(state="parked", last_error=Owned(person, error), seqs=list(seqs)))
    if seqs:
        mark(tx, person, seqs, "parked")
    if again:
        enqueue(tx, person, job.kind, due=now, now=now)


def release(tx: Connection, held: Sequence[Job], *, now: datetime) -> int:
    """Give jobs back that were taken but not worked on (a clean shutdown); the attempt does not count.

    Returns:
        How many there were: those that are done are not held any more.
    """
    back = {"state": "queued", "due_at": now, "queued_at": now, "attempts": jobs.c.attempts - 1}
    return sum(tx.execute(update(jobs).where(_held(job)).values(back)).rowcount for job in held)


def unpark(tx: Connection, person: Person, job_id: int, *, now: datetime) -> None:
    """Try a parked job again: its turns become pending and are learnt with the next window.

    Raises:
        NotFound: the person has no such parked job.
    """
    job = _parked(tx, person, job_id)
    if job.seqs:
        mark(tx, person, job.seqs, "pending")
    tx.execute(delete(jobs).where(jobs.c.id == job_id))
    enqueue(tx, person, job.kind, due=now, now=now)


def discard(tx: Connection, person: Person, job_id: int) -> None:
    """Drop a parked job. Its turns are discarded: found by their words, never learnt, nor read for the profile.

    Raises:
        NotFound: the person has no such parked job.
    """
    job = _parked(tx, person, job_id)
    if job.seqs:
        mark(tx, person, job.seqs, "discarded")
        mark_profiled(tx, person, job.seqs)
    tx.execute(delete(jobs).where(jobs.c.id == job_id))


def drop_parked(tx: Connection, person: Person, kind: JobKind) -> None:
    """A later job of this kind has done what the parked ones could not."""
    tx.execute(_DROP_PARKED, {**person.owner(), "job_kind": kind})


def listing(connection: Connection, namespace: str, *, user_id: str | None = None) -> list[Job]:
    """All jobs, of one person or of the namespace, parked ones first."""
    query = select(*_JOB).where(jobs.c.namespace == namespace)
    if user_id is not None:
        query = query.where(jobs.c.user_id == user_id)
    query = query.order_by(case((jobs.c.state == "parked", 0), else_=1), jobs.c.due_at, jobs.c.id)
    return [_job(row) for row in connection.execute(query)]


def active(
    connection: Connection,
    namespace: str,
    *,
    user_id: str | None = None,
    kinds: Sequence[JobKind] = KINDS,
    until: datetime | None = None,
    asleep: Sequence[JobKind] = (),
) -> int:
    """How many jobs of these kinds are queued or running.

    Args:
        until: leave out those that wait longer for a budget or a model.
        asleep: of these kinds, leave out all that are not running.
    """
    query = _ACTIVE_OF_ALL if user_id is None else _ACTIVE_OF_ALL.where(jobs.c.user_id == user_id)
    if until is not None:
        soon = or_(jobs.c.waits_for.is_(None), jobs.c.due_at <= until)
        query = query.where(or_(jobs.c.state == "running", and_(soon, jobs.c.kind.not_in(asleep))))
    return connection.execute(query, {"in_namespace": namespace, "kinds": kinds}).scalar_one()


def depth(connection: Connection, namespace: str) -> dict[tuple[JobKind, JobState], int]:
    """How many jobs there are, by kind and state."""
    query = select(jobs.c.kind, jobs.c.state, func.count()).where(_NAMESPACE).group_by(jobs.c.kind, jobs.c.state)
    found = {(kind, state): number for kind, state, number in connection.execute(query, {"in_namespace": namespace})}
    return {(kind, state): found.get((kind, state), 0) for kind in KINDS for state in get_args(JobState)}


def users_with_pending(connection: Connection, namespace: str) -> list[str]:
    """People with turns that are still to be learnt, and no job that will."""
    same = and_(jobs.c.namespace == events.c.namespace, jobs.c.user_id == events.c.user_id, jobs.c.kind == "learn")
    job = select(jobs.c.id).where(same, jobs.c.state.in_(("queued", "running"))).exists()
    waiting = [events.c.namespace == namespace, events.c.state == "pending", ~job]
    query = select(events.c.user_id).distinct().where(*waiting)
    return list(connection.execute(query).scalars())


def _gone(connection: Connection, namespace: str) -> list[str]:
    """Owners of running jobs that died without giving them back."""
    held = connection.execute(_OWNERS, {"in_namespace": namespace}).scalars()
    return [owner for owner in held if owner and owners.is_dead(owner)]


def _of(job: Job) -> dict[str, int]:
    """The values of a prepared statement about a held job."""
    return {"job_id": job.id, "job_fence": job.fence}


def _held(job: Job) -> ColumnElement[bool]:
    return and_(jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state == "running")


def _parked(tx: Connection, person: Person, job_id: int) -> Job:
    query = select(*_JOB).where(person.owns(jobs), jobs.c.id == job_id, jobs.c.state == "parked")
    row = tx.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"user {person.user_id!r} has no parked job {job_id!r}; `persona-memory jobs` lists them")
    return _job(row)


def _job(row: Row[*tuple[Any, ...]]) -> Job:
    values = dict(row._mapping)
    person = Person(values.pop("namespace"), values["user_id"])
    error = opened(values["last_error"], person)
    return Job(**{**values, "last_error": error, "seqs": tuple(values["seqs"])})
