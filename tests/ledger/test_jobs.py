"""The queue: one active job per person and kind, leases, fencing, epochs, parking."""

from __future__ import annotations

from datetime import timedelta

import pytest

from persona_memory.errors import NotFound, StaleJob
from persona_memory.ledger import Ledger, Person, jobs, people
from persona_memory.types import Job

from .conftest import NOW, Chat

LEASE = timedelta(seconds=60)


def queue(ledger: Ledger, person: Person, *, due: timedelta = timedelta(0)) -> None:
    """Queue a learn job."""
    with ledger.write() as tx:
        people.lock(tx, person)
        jobs.enqueue(tx, person, "learn", due=NOW + due, now=NOW, latest=NOW + timedelta(minutes=5))


def claim(ledger: Ledger, *, after: timedelta = timedelta(0)) -> list[Job]:
    """Claim what is due."""
    with ledger.write() as tx:
        return jobs.claim(tx, ledger.namespace, now=NOW + after, lease=LEASE, limit=10)


@pytest.fixture
def ana(ledger: Ledger) -> Person:
    """A person with one turn."""
    chat = Chat(ledger, Person(ledger.namespace, "ana"))
    chat.say(("user", "hello", "1"))
    return chat.person


def test_a_person_has_one_active_job_of_a_kind(ledger: Ledger, ana: Person) -> None:
    """Queueing twice is queueing once; a burst of turns puts the job off, but not for ever."""
    queue(ledger, ana, due=timedelta(seconds=20))
    queue(ledger, ana, due=timedelta(minutes=20))
    with ledger.read() as connection:
        (job,) = jobs.listing(connection, ledger.namespace)
    assert job.due_at == NOW + timedelta(minutes=5)
    assert claim(ledger) == []


def test_work_that_arrives_while_a_job_runs_is_not_lost(ledger: Ledger, ana: Person) -> None:
    """A running job is queued once more when it is done."""
    queue(ledger, ana)
    (job,) = claim(ledger)
    queue(ledger, ana)
    with ledger.write() as tx:
        jobs.finish(tx, job, now=NOW)
    (again,) = claim(ledger)
    assert again.attempts == 1


def test_a_worker_that_lost_its_lease_cannot_store_its_result(ledger: Ledger, ana: Person) -> None:
    """The second claim has a higher fence; the first one's result is rolled back."""
    queue(ledger, ana)
    (first,) = claim(ledger)
    (second,) = claim(ledger, after=LEASE * 2)
    assert second.fence == first.fence + 1
    with pytest.raises(StaleJob, match="no longer held"), ledger.write() as tx:
        jobs.finish(tx, first, now=NOW)
    with ledger.write() as tx:
        jobs.finish(tx, second, now=NOW)


def test_a_raised_epoch_voids_what_is_running(ledger: Ledger, ana: Person) -> None:
    """A forget between the claim and the result makes the result worthless."""
    queue(ledger, ana)
    (job,) = claim(ledger)
    with ledger.write() as tx:
        people.bump(tx, ana, epoch=1)
    with pytest.raises(StaleJob, match="forget or delete"), ledger.write() as tx:
        jobs.finish(tx, job, now=NOW)


def test_a_parked_job_waits_for_a_person_and_does_not_block_later_turns(ledger: Ledger, ana: Person) -> None:
    """Its turns are parked; new turns get a job of their own; retry makes them pending again."""
    queue(ledger, ana)
    (job,) = claim(ledger)
    with ledger.write() as tx:
        jobs.park(tx, ana, job, "the model is confused", [1], now=NOW)
    queue(ledger, ana)
    with ledger.read() as connection:
        assert [one.state for one in jobs.listing(connection, ledger.namespace)] == ["parked", "queued"]
    with ledger.write() as tx:
        jobs.unpark(tx, ana, job.id, now=NOW)
    assert len(claim(ledger)) == 1
    with pytest.raises(NotFound, match="persona-memory jobs"), ledger.write() as tx:
        jobs.discard(tx, ana, job.id)


def test_parked_work_that_is_not_about_certain_turns_is_listed_once(ledger: Ledger, ana: Person) -> None:
    """The last failure stands for those before it; a parked window of turns stays."""
    for seqs in ([1], [], []):
        queue(ledger, ana)
        (job,) = claim(ledger)
        with ledger.write() as tx:
            jobs.park(tx, ana, job, "the index is down", seqs, now=NOW)
    with ledger.read() as connection:
        assert [one.seqs for one in jobs.listing(connection, ledger.namespace)] == [(1,), ()]


def test_released_jobs_do_not_count_as_attempts(ledger: Ledger, ana: Person) -> None:
    """A clean shutdown costs a job nothing."""
    queue(ledger, ana)
    held = claim(ledger)
    with ledger.write() as tx:
        jobs.release(tx, held, now=NOW)
    assert claim(ledger)[0].attempts == 1


def test_whether_there_is_anything_to_hasten_is_seen_without_a_write(ledger: Ledger, ana: Person) -> None:
    """A job whose time is still to come, of this person; not once it is due."""
    queue(ledger, ana, due=timedelta(seconds=20))
    with ledger.read() as connection:
        assert jobs.early(connection, ledger.namespace, now=NOW)
        assert jobs.early(connection, ledger.namespace, now=NOW, user_id="ana")
        assert not jobs.early(connection, ledger.namespace, now=NOW, user_id="ben")
    with ledger.write() as tx:
        jobs.hasten(tx, ledger.namespace, now=NOW)
    with ledger.read() as connection:
        assert not jobs.early(connection, ledger.namespace, now=NOW)


@pytest.mark.parametrize("days", [1, 400])
def test_a_clock_that_was_put_back_holds_up_no_job(ledger: Ledger, ana: Person, days: int) -> None:
    """Neither one that waits, nor one that is being retried, nor one whose worker is elsewhere and gone."""
    back = timedelta(days=-days)
    queue(ledger, ana, due=timedelta(seconds=20))
    (job,) = claim(ledger, after=back)
    with ledger.write() as tx:
        jobs.retry_later(tx, ana, job, "no answer", due=NOW + timedelta(seconds=2), now=NOW)
    assert claim(ledger, after=timedelta(seconds=-30)) == []  # what clocks may differ by
    assert [one.attempts for one in claim(ledger, after=back)] == [2]
    with ledger.write() as tx:
        jobs.renew(tx, [*jobs.listing(tx, ledger.namespace)], until=NOW + LEASE)
    assert len(claim(ledger, after=back)) == (days > 1)
