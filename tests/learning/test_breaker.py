"""The circuit breaker: it opens when nobody is answered, lets one through from time to time, and closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from persona_memory import InvalidInput, Outage, Retry, Spent
from persona_memory.errors import ModelUnavailable, OutOfMemory
from persona_memory.learning.breaker import Breaker
from persona_memory.learning.budgets import Budgets
from persona_memory.learning.failing import PASSING, judge

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
LIMIT = ModelUnavailable("RateLimitError (status 429)", "", certain=True)
SLOW = ModelUnavailable("timeout", "", certain=False)


class Time:
    """A clock that stands still until it is moved."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    """The breaker's clock."""
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    """One that opens after three failures, for 8 s, 16 s … at most a minute."""
    return Breaker(3, Retry(backoff=2.0, longest=60.0).delay, time)


def test_it_opens_after_failures_in_a_row_and_says_so_once(
    breaker: Breaker, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """The pause doubles with each try, up to a limit; an answer closes it."""
    for _ in range(2):
        breaker.failed("ana", LIMIT)
    assert breaker.free(running=0) is None
    breaker.failed("ana", LIMIT)
    assert breaker.outage == Outage(LIMIT.kind, 3, START, START + timedelta(seconds=8))
    pauses = []
    for _ in range(4):
        assert breaker.free(running=0) == 0
        assert breaker.outage is not None
        time.now = breaker.outage.until
        assert (breaker.free(running=0), breaker.free(running=1)) == (1, 0)
        breaker.failed("ben", LIMIT)
        pauses.append((breaker.outage.until - time.now).total_seconds())
    assert pauses == [16, 32, 60, 60]
    assert len(caplog.records) == 1
    breaker.answered()
    assert breaker.free(running=0) is None
    assert breaker.failures == 0


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_the_pause(breaker: Breaker) -> None:
    """Sixty that fail together are one outage; what the provider asks for is heeded."""
    for number in range(60):
        breaker.failed(f"user-{number}", LIMIT)
    assert breaker.outage is not None
    assert (breaker.outage.failures, breaker.outage.until) == (3, START + timedelta(seconds=8))
    breaker.failed("ana", ModelUnavailable("RateLimitError (status 429)", "", certain=True, pause=timedelta(hours=1)))
    assert breaker.outage.until == START + timedelta(hours=1)


def test_one_persons_timeouts_are_no_outage(breaker: Breaker) -> None:
    """What they said may be at fault; two people's are one."""
    for _ in range(9):
        breaker.failed("ana", SLOW)
    assert breaker.outage is None
    breaker.failed("ben", SLOW)
    assert breaker.outage is not None


def test_an_answer_in_between_begins_the_count_anew(breaker: Breaker) -> None:
    """Failures have to be in a row."""
    for _ in range(9):
        breaker.failed("ana", LIMIT)
        breaker.failed("ben", LIMIT)
        breaker.answered()
    assert breaker.outage is None


def test_the_backoff_of_a_long_outage_stays_a_number() -> None:
    """However many failures there were."""
    assert Retry(longest=300.0).delay(100_000) == timedelta(seconds=300)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many"])
def test_a_budget_is_a_number_from_one(wrong: object) -> None:
    """The message names which one is wrong."""
    with pytest.raises(InvalidInput, match="user_calls"):
        Budgets(user_calls=wrong)  # type: ignore[arg-type]


def test_a_budget_is_used_up_when_it_is_reached() -> None:
    """Each of the four by itself, and the reason says which."""
    budgets = Budgets(calls=10, tokens=1000, user_calls=2, user_tokens=300)
    assert budgets.used_up(Spent(9, 999), Spent(1, 299)) is None
    for all_, person, which in (
        (Spent(10, 0), Spent(), "calls a day (10) is"),
        (Spent(0, 1000), Spent(), "tokens a day (1,000) is"),
        (Spent(), Spent(2, 0), "calls a day for this person (2)"),
        (Spent(), Spent(0, 300), "tokens a day for this person (300)"),
    ):
        assert which in (budgets.used_up(all_, person) or "")
    assert Budgets().used_up(Spent(10**9, 10**9), Spent(10**9, 10**9)) is None


def test_a_base_here_that_is_out_of_memory_is_no_outage(breaker: Breaker) -> None:
    """Nobody else's learning waits for it; its own job is tried until there is room, where a timeout counts."""
    job: Any = SimpleNamespace(user_id="ana")
    for error, outages in ((OutOfMemory("ask for less"), False), (SLOW, True)):
        for user in ("ana", "ben", "ana", "ben"):
            job.user_id = user
            shown = judge(job, error, breaker=breaker, now=START).shown
        assert shown.startswith(str(error))
        assert (breaker.outage is not None) == outages
    assert OutOfMemory in PASSING
