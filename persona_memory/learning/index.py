"""The index step: vectors for what lacks them, in the ledger and in an index outside it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from persona_memory.errors import StaleJob
from persona_memory.learning.context import Learning
from persona_memory.ledger import Person, erasure, jobs, people
from persona_memory.ledger import vectors as vector_rows
from persona_memory.protocols import Vector
from persona_memory.retrieval import Space, chunks
from persona_memory.types import Job

EMBED_BATCH = 64
"""Texts between two looks at whether to stop. More would embed faster (256: an eighth), and end later on Ctrl-C."""


async def index(learning: Learning, job: Job) -> None:
    """Embed every turn and memory that lacks its vector for the current embedder."""
    person = learning.person(job.user_id)
    space = await learning.semantic.aspace()
    while lacking := await learning.in_executor(_lacking, learning, person):
        if learning.ending.is_set():
            return
        pieces = [(one.item, place, text) for one in lacking for place, text in enumerate(chunks(one.text))]
        embedded = await learning.semantic.documents([text for *_, text in pieces])
        points = {f"{item}#{place}": vector for (item, place, _), vector in zip(pieces, embedded, strict=True)}
        if await learning.store(_store, learning, space, job, [one.item for one in lacking], points):
            return
        if not learning.semantic.in_ledger:
            await learning.in_executor(_upsert, learning, space, job, points)
    await learning.in_executor(_reconcile, learning, space, job)
    await learning.store(_finish, learning, space, job)


def _lacking(learning: Learning, person: Person) -> list[vector_rows.Unembedded]:
    with learning.ledger.read() as connection:
        return vector_rows.missing(connection, person, limit=EMBED_BATCH)


def _store(
    tx: Connection, learning: Learning, space: Space, job: Job, items: list[str], points: dict[str, Vector]
) -> bool:
    """The ledger first: what is in the index outside it, but not in the ledger, is always an orphan.

    Returns whether the job is done, too: nothing lacks its vector, and no index outside has to be told.
    """
    person = learning.person(job.user_id)
    people.lock(tx, person)
    jobs.check(tx, job)
    vector_rows.store(tx, person, space.fingerprint, points)
    vector_rows.mark_embedded(tx, person, space.fingerprint, items)
    done = learning.semantic.in_ledger and not vector_rows.missing(tx, person, limit=1)
    if done:
        _end(tx, learning, space, job)
    return done


def _upsert(learning: Learning, space: Space, job: Job, points: dict[str, Vector]) -> None:
    """Bring the points into an index outside the ledger."""
    try:
        space.index.upsert(job.user_id, points)
    finally:
        _check_written(learning, job, points)


def _reconcile(learning: Learning, space: Space, job: Job) -> None:
    """Bring an index outside the ledger in line with it."""
    try:
        reconcile(learning, space, learning.person(job.user_id))
    finally:
        _check_written(learning, job, None)


def _finish(tx: Connection, learning: Learning, space: Space, job: Job) -> None:
    """The job is done; nothing lacked its vector."""
    people.lock(tx, learning.person(job.user_id))
    _end(tx, learning, space, job)


def _end(tx: Connection, learning: Learning, space: Space, job: Job) -> None:
    """Everything of the person is embedded."""
    person = learning.person(job.user_id)
    vector_rows.complete(tx, person, space.fingerprint)
    jobs.drop_parked(tx, person, "index")
    jobs.finish(tx, job, now=learning.clock())


def _check_written(learning: Learning, job: Job, points: Collection[str] | None) -> None:
    """Pass if what was just written to the index may stay there.

    Raises:
        StaleJob: the person was deleted, or something was forgotten, meanwhile. What was written is noted as an erasure
            that the worker has to finish.
    """
    if learning.semantic.in_ledger:
        return
    person = learning.person(job.user_id)
    with learning.ledger.write() as tx:
        try:
            jobs.check(tx, job)
        except StaleJob as error:
            stale = error
        else:
            return
        secret, now = learning.ledger.secret, learning.clock()
        erasure.write_receipt(tx, person, {}, points=points, secret=secret, now=now)
    raise stale


def reconcile(learning: Learning, space: Space, person: Person) -> None:
    """Make an index outside the ledger hold exactly the ledger's points of the person.

    Raises:
        IndexUnavailable: it does not answer.
    """
    if learning.semantic.in_ledger:
        return
    held = space.index.ids(person.user_id)  # before the ledger is read: what comes later is no orphan
    with learning.ledger.read() as connection:
        ids, matrix, _ = vector_rows.read(connection, person, space.fingerprint)
    space.index.delete(person.user_id, held - set(ids))
    absent = {item: vector for item, vector in zip(ids, matrix, strict=True) if item not in held}
    if absent:
        space.index.upsert(person.user_id, absent)


def withdraw(learning: Learning, space: Space, person: Person, *, points: Collection[str] | None) -> None:
    """Delete these points, or (None) all of the person, from the index, except what the ledger holds again.

    Raises:
        IndexUnavailable: it does not answer.
    """
    doomed = space.index.ids(person.user_id) if points is None else set(points)
    with learning.ledger.read() as connection:
        kept = vector_rows.point_ids(connection, person, space.fingerprint)
    if points is None and not kept:
        space.index.delete_user(person.user_id)
    else:
        space.index.delete(person.user_id, doomed - kept)
