"""What learning has cost: counted by person and day and in all, whoever counts at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

from sqlalchemy import text

from persona_memory.ledger import Ledger, Person, erasure, jobs, migrations, outages, owners, people, spending
from persona_memory.ledger.schema import SCHEMA_VERSION, events
from persona_memory.types import Outage, Spent

from .conftest import NOW, Chat

TODAY = date(2026, 3, 1)


def count(ledger: Ledger, user: str, spent: Spent, *, day: date = TODAY) -> None:
    """Count for somebody who is known from then on."""
    person = Person(ledger.namespace, user)
    with ledger.write() as tx:
        people.lock(tx, person)
        spending.add(tx, person, day, spent)


def of_all(ledger: Ledger, *, day: date = TODAY) -> Spent:
    """What the day has cost in all."""
    with ledger.read() as connection:
        return spending.of_all(connection, ledger.namespace, day)


def test_many_people_are_counted_at_once_and_nothing_is_lost(ledger: Ledger) -> None:
    """Eight threads, twenty people: the total is the sum, each person's row their own."""
    people_of_all = [f"user-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda user: count(ledger, user, Spent(1, 10)), people_of_all * 3))
    assert of_all(ledger) == Spent(60, 600)
    with ledger.read() as connection:
        assert spending.of_person(connection, Person(ledger.namespace, "user-7"), TODAY) == Spent(3, 30)
    assert of_all(ledger, day=TODAY + timedelta(1)) == Spent()


def test_a_correction_brings_nobody_back(ledger: Ledger) -> None:
    """Of a person who was deleted while a call was under way, only the total is corrected."""
    ana = Person(ledger.namespace, "ana")
    count(ledger, "ana", Spent(1, 100))
    with ledger.write() as tx:
        people.lock(tx, ana)
        erasure.delete_person(tx, ana, secret=ledger.secret)
        spending.correct(tx, ana, TODAY, Spent(0, -40))
    assert of_all(ledger) == Spent(1, 60)
    with ledger.read() as connection:
        assert spending.of_person(connection, ana, TODAY) == Spent()


def test_days_before_are_dropped(ledger: Ledger) -> None:
    """With the totals."""
    for days in range(3):
        count(ledger, "ana", Spent(1, 10), day=TODAY - timedelta(days))
    with ledger.write() as tx:
        spending.drop_before(tx, ledger.namespace, TODAY - timedelta(1))
    assert [of_all(ledger, day=TODAY - timedelta(days)).calls for days in range(3)] == [1, 1, 0]


def test_an_outage_is_seen_while_its_worker_lives_and_tries(ledger: Ledger) -> None:
    """Not one of a process that is dead, nor one that nobody has tried for an hour."""
    outage = Outage("RateLimitError", 5, NOW, NOW + timedelta(seconds=32))
    with ledger.write() as tx:
        outages.note(tx, ledger.namespace, outage)
        outages.note(tx, ledger.namespace, outage)  # anew
    with ledger.read() as connection:
        (seen,) = outages.listing(connection, ledger.namespace, now=NOW)
        assert (seen.reason, seen.until, seen.worker) == (outage.reason, outage.until, owners.this_process())
        assert outages.listing(connection, ledger.namespace, now=NOW + timedelta(hours=2)) == []
    machine = owners.this_process().rsplit(" ", 2)[0]
    with ledger.write() as tx:
        tx.execute(text("UPDATE outages SET owner = :owner"), {"owner": f"{machine} 999999999 1"})
    with ledger.read() as connection:
        assert outages.listing(connection, ledger.namespace, now=NOW) == []


def test_a_job_that_waits_keeps_its_time_whatever_is_said_meanwhile(ledger: Ledger) -> None:
    """New turns and `hasten` bring it no nearer; `go_on` does, for what it waits for."""
    chat = Chat(ledger, Person(ledger.namespace, "ana"))
    chat.say(("user", "hello", "1"))
    due = NOW + timedelta(hours=9)
    with ledger.write() as tx:
        jobs.enqueue(tx, chat.person, "learn", due=NOW, now=NOW)
        (job,) = jobs.claim(tx, ledger.namespace, now=NOW, lease=timedelta(60), kinds=("learn",))
        jobs.put_off(tx, chat.person, job, "the budget is used up", due=due, now=NOW, waits_for="budget")
        jobs.enqueue(tx, chat.person, "learn", due=NOW, now=NOW, latest=NOW)
        jobs.hasten(tx, ledger.namespace, now=NOW)
        jobs.go_on(tx, ledger.namespace, "model", now=NOW)
        (waiting,) = [one for one in jobs.listing(tx, ledger.namespace) if one.kind == "learn"]
        assert (waiting.due_at, waiting.attempts, waiting.waits_for) == (due, 0, "budget")
        assert jobs.active(tx, ledger.namespace, kinds=("learn",), until=NOW) == 0
        assert jobs.active(tx, ledger.namespace, kinds=("learn",), until=due) == 1
        jobs.go_on(tx, ledger.namespace, "budget", now=NOW)
        (again,) = jobs.claim(tx, ledger.namespace, now=NOW, lease=timedelta(60), kinds=("learn",))
        assert (again.attempts, again.waits_for) == (1, None)


def test_a_ledger_of_version_4_gets_budgets(ledger: Ledger) -> None:
    """On either database: the tables, the column, and room for a turn's new state."""
    chat = Chat(ledger, Person(ledger.namespace, "ana"))
    chat.say(("user", "hello", "1"))
    with ledger.write() as tx:
        for table in ("spending", "spending_totals", "outages"):
            tx.execute(text(f"DROP TABLE {table}"))
        tx.execute(text("ALTER TABLE jobs DROP COLUMN waits_for"))
        if not ledger.is_sqlite:
            tx.execute(text("ALTER TABLE events ALTER COLUMN state TYPE VARCHAR(8)"))
        migrations.upgrade(tx, 4, to=5)
    count(ledger, "ana", Spent(1, 10))
    with ledger.write() as tx:
        tx.execute(events.update().values(state="discarded"))
        jobs.enqueue(tx, chat.person, "learn", due=NOW, now=NOW)
        assert all(one.waits_for is None for one in jobs.listing(tx, ledger.namespace))
    assert SCHEMA_VERSION >= 5
