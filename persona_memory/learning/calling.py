"""One call of a language model: within its time, on the budget of whom it is about, and nothing it does ends a worker.

Extractor, optimiser and teacher know nothing of jobs; the worker says for which job they are at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from persona_memory.errors import ModelUnavailable
from persona_memory.learning.budgets import Account
from persona_memory.learning.trouble import unavailable
from persona_memory.types import Spent

T = TypeVar("T")

GIVING_UP_S = 1.0
"""Seconds that a call has to end after it was given up; one that does not is left behind."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The job for which a model is asked.

    Attributes:
        account: what its calls are counted on, where there are budgets.
        answered: hears that the model has answered.
    """

    account: Account | None
    answered: Callable[[], None]


CALLER: ContextVar[Caller | None] = ContextVar("persona_memory_caller", default=None)
"""Set by the worker for each job's task; None outside of a job, where nothing is counted."""


async def call(
    ask: Callable[[], Awaitable[T]], *, seconds: float | None, reads: Callable[[], int], took: Callable[[T], int]
) -> T:
    """What the model answers.

    Args:
        ask: makes the call.
        seconds: that it may take.
        reads: the tokens of the question, at the most.
        took: the tokens that question and answer were.

    Raises:
        ModelUnavailable: it gave no answer.
        OverBudget: it was not asked.
        Exception: whatever else a model raises; it has refused this question.
    """
    caller = CALLER.get()
    if caller is None:
        return await _within(ask, seconds)
    if caller.account is None:
        return await _heard(caller, ask, seconds)
    needs = Spent(1, reads())
    day = await caller.account.reserve(needs)
    try:
        answer = await _heard(caller, ask, seconds)
    except ModelUnavailable as error:
        if error.certain:  # providers charge for nothing that they refuse; of a timeout nobody knows
            await caller.account.correct(day, Spent(-needs.calls, -needs.tokens))
        raise
    await caller.account.correct(day, Spent(0, took(answer) - needs.tokens))
    return answer


async def _heard(caller: Caller, ask: Callable[[], Awaitable[T]], seconds: float | None) -> T:
    try:
        answer = await _within(ask, seconds)
    except ModelUnavailable:
        raise
    except Exception:  # it is there, and has refused this question
        caller.answered()
        raise
    caller.answered()
    return answer


async def _within(ask: Callable[[], Awaitable[T]], seconds: float | None) -> T:
    """The answer, or an error that concerns this call alone: a cancellation inside of it is not ours."""
    asked = asyncio.ensure_future(_contained(ask))
    try:
        done, _ = await asyncio.wait({asked}, timeout=seconds)
    except asyncio.CancelledError:
        await _give_up(asked)
        raise
    if not done:
        await _give_up(asked)
        raise ModelUnavailable("timeout", f"no answer within {seconds:g} s", certain=False)
    if asked.cancelled():
        raise ModelUnavailable("CancelledError", "the call has cancelled itself", certain=False)
    error = asked.exception()
    if error is None:
        return asked.result()
    if not isinstance(error, Exception):
        raise ModelUnavailable(type(error).__name__, str(error), certain=False) from error
    found = unavailable(error, now=datetime.now(UTC))
    if found is None:
        raise error
    raise found from error


async def _contained(ask: Callable[[], Awaitable[T]]) -> T:
    """What the call answers; a client that asks the process to exit has failed: asyncio would end the loop by it."""
    try:
        return await ask()
    except SystemExit as error:
        raise ModelUnavailable("SystemExit", str(error), certain=False) from error


async def _give_up(asked: asyncio.Task[T]) -> None:
    asked.cancel()
    asked.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # whatever it still raises
    await asyncio.wait({asked}, timeout=GIVING_UP_S)
