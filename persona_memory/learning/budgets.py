"""What learning may cost a day: budgets of calls and tokens, of a person and of all, counted in the ledger.

A call is compared with the budget and counted in one short transaction before it is made: no number of jobs at a time
makes one call too many. All workers and processes on a ledger share what is counted.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection

from persona_memory.errors import InvalidInput, OverBudget, StaleJob
from persona_memory.learning.context import Learning
from persona_memory.ledger import jobs, people, spending
from persona_memory.types import Job, Spent

KEPT = timedelta(days=31)
"""How long it is known what a day has cost."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Budgets:
    """What learning may cost on one day (UTC). What is over waits for the next one; nothing is dropped.

    Attributes:
        calls: of a language model, for everybody together; None for no limit.
        tokens: read and written by it, for everybody together. The call that reaches it is finished.
        user_calls: as `calls`, for each person.
        user_tokens: as `tokens`, for each person.
    """

    calls: int | None = None
    tokens: int | None = None
    user_calls: int | None = None
    user_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, most in zip(self.__dataclass_fields__, astuple(self), strict=True):
            if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
                raise InvalidInput(f"Budgets({name}={most!r}): pass a whole number from 1, or None for no limit")

    def used_up(self, all_: Spent, person: Spent) -> str | None:
        """Which budget allows no other call after this was spent; None where there is still room."""
        for most, spent, what in (
            (self.user_calls, person.calls, "calls a day for this person"),
            (self.user_tokens, person.tokens, "tokens a day for this person"),
            (self.calls, all_.calls, "calls a day"),
            (self.tokens, all_.tokens, "tokens a day"),
        ):
            if most is not None and spent >= most:
                return f"the budget of {what} ({most:,}) is used up"
        return None


@dataclass(frozen=True, slots=True)
class Account:
    """What the calls of one job are counted on."""

    learning: Learning
    budgets: Budgets
    job: Job

    async def reserve(self, needs: Spent) -> date:
        """Count a call that is about to be made; returns the day that it is counted on.

        Raises:
            OverBudget: a budget is used up; nothing is counted.
            StaleJob: the job is not held any more.
        """
        day = self.learning.clock().astimezone(UTC).date()
        await self.learning.store(self._count, day, needs)
        return day

    async def correct(self, day: date, by: Spent) -> None:
        """Correct what was counted for a call by what it took."""
        await self.learning.store(spending.correct, self.learning.person(self.job.user_id), day, by)

    def _count(self, tx: Connection, day: date, needs: Spent) -> None:
        person, budgets = self.learning.person(self.job.user_id), self.budgets
        if people.lock_known(tx, person) is None or jobs.held(tx, self.job) is None:
            raise StaleJob(f"job {self.job.id!r} ({self.job.kind}) is no longer held; nothing was asked for it")
        of_all = Spent()
        if budgets.calls is not None or budgets.tokens is not None:
            spending.one_at_a_time(tx, person.namespace)
            of_all = spending.of_all(tx, person.namespace, day)
        reason = budgets.used_up(of_all, spending.of_person(tx, person, day))
        if reason is not None:
            until = datetime.combine(day + DAY, time(), UTC)
            raise OverBudget(f"{reason}; it goes on at {until:%Y-%m-%d %H:%M} UTC", until=until)
        spending.add(tx, person, day, needs)


def sweep(learning: Learning) -> None:
    """Forget what was spent long ago."""
    with learning.ledger.write() as tx:
        spending.drop_before(tx, learning.ledger.namespace, (learning.clock() - KEPT).astimezone(UTC).date())
