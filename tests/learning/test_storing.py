"""Storing what jobs have brought: together where it is ready together, each by itself where one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from persona_memory.errors import StaleJob
from persona_memory.learning.storing import TOGETHER, Storing
from persona_memory.ledger import Ledger, Person, people

PEOPLE = [f"u{number}" for number in range(TOGETHER)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    yield made
    made.close()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Threads for the writing."""
    with ThreadPoolExecutor(4) as made:
        yield made


def write(tx: Connection, user_id: str) -> str:
    """Leave a row of the person."""
    people.lock(tx, Person("default", user_id))
    people.bump(tx, Person("default", user_id), last_seq=1)
    return user_id


def stored(ledger: Ledger) -> set[str]:
    """Whose rows are durable."""
    with ledger.read() as connection:
        return set(people.all_ids(connection, "default"))


async def _store_all(ledger: Ledger, storing: Storing, *, refused: str = "") -> list[str | BaseException]:
    """Store a row of everybody, all ready before the first is written; the one that is refused is stale."""

    def attempt(tx: Connection, user_id: str) -> str:
        done = write(tx, user_id)
        if user_id == refused:
            raise StaleJob(user_id)
        return done

    with ledger.write():  # nothing can be written until all are waiting
        first = storing.store(lambda tx: "first")
        await asyncio.sleep(0.05)
        waiting = [storing.store(lambda tx, one=user_id: attempt(tx, one)) for user_id in PEOPLE]  # type: ignore[misc]
    assert await first == "first"
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_results_that_are_ready_together_share_a_transaction(ledger: Ledger, executor: ThreadPoolExecutor) -> None:
    """One commit makes them durable, and each job hears its own result."""
    commits: list[Connection] = []
    event.listen(ledger.engine, "commit", commits.append)
    heard = asyncio.run(_store_all(ledger, Storing(ledger, executor)))
    assert heard == PEOPLE
    assert stored(ledger) == set(PEOPLE)
    assert len(commits) <= 4  # the test's own, the first one's, that of all others, the look above


def test_a_result_that_must_not_be_stored_takes_no_other_with_it(ledger: Ledger, executor: ThreadPoolExecutor) -> None:
    """Nothing of it is there; the others are, and only its own job hears of it."""
    heard = asyncio.run(_store_all(ledger, Storing(ledger, executor), refused="u3"))
    assert [type(one) for one in heard].count(StaleJob) == 1
    assert isinstance(heard[3], StaleJob)
    assert stored(ledger) == set(PEOPLE) - {"u3"}


def test_a_job_that_was_given_up_writes_nothing(ledger: Ledger, executor: ThreadPoolExecutor) -> None:
    """Its result was still waiting when it was cancelled; what comes later is stored."""

    async def give_up() -> None:
        storing = Storing(ledger, executor)
        with ledger.write():
            first = storing.store(lambda tx: write(tx, "first"))
            await asyncio.sleep(0.05)
            late = storing.store(lambda tx: write(tx, "late"))
            late.cancel()
        await first
        await storing.store(lambda tx: write(tx, "next"))

    asyncio.run(give_up())
    assert stored(ledger) == {"first", "next"}


def test_storing_goes_on_after_a_loop_that_has_ended(ledger: Ledger, executor: ThreadPoolExecutor) -> None:
    """What was begun there is stored, though nobody hears of it."""
    storing = Storing(ledger, executor)

    async def leave() -> None:
        storing.store(lambda tx: write(tx, "left"))

    async def stay() -> str:
        return await storing.store(lambda tx: write(tx, "stayed"))

    with ledger.write():
        asyncio.run(leave())
    assert asyncio.run(stay()) == "stayed"
    assert stored(ledger) == {"left", "stayed"}
