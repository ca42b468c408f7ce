"""Budgets of calls and tokens: what is over waits, for all workers on a ledger, and is learnt on the next day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from sqlalchemy import select

from persona_memory import Budgets, PersonaMemory, Spent
from persona_memory.ledger.schema import spending
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import Faulty, ScriptedChatModel

from .conftest import Clock, Open

EMPTY: dict[str, Any] = {"memories": [], "topics": [], "forget": []}
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def nothing(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
    """Nothing is worth keeping."""
    return {"edits": []} if tools[0]["function"]["name"] == "ProfileAnswer" else EMPTY


def model() -> ScriptedChatModel:
    """A model that costs a little."""
    return ScriptedChatModel(answers=nothing)


def say(memory: PersonaMemory, *users: str) -> None:
    """A sentence each."""
    for user in users:
        memory.observe([("user", f"I, {user}, like tea.")], user_id=user)


def test_what_is_over_the_budget_of_all_waits_for_the_next_day(open_memory: Open, clock: Clock) -> None:
    """As many calls as are allowed, not one more, from however many jobs side by side; then flush ends."""
    asked = model()
    memory = open_memory(model=asked, budgets=Budgets(calls=10))
    people = [f"user-{number}" for number in range(16)]
    say(memory, *people)
    memory.flush(timeout=60)
    assert memory.spent().calls == len(asked.calls) == 10
    waits = [job for job in memory.jobs() if job.waits_for == "budget"]
    assert waits
    assert {(job.state, job.due_at, job.attempts) for job in waits} == {("queued", MIDNIGHT, 0)}
    assert waits[0].last_error == "the budget of calls a day (10) is used up; it goes on at 2026-03-02 00:00 UTC"
    for _ in range(3):  # 16 people, two calls each
        clock.move(days=1)
        memory.flush(timeout=60)
    assert memory.jobs() == []
    assert [memory.progress(user_id=user) for user in people] == [{"learnt": 1}] * 16


def test_one_persons_budget_is_no_concern_of_others(open_memory: Open, clock: Clock) -> None:
    """Whoever talks much waits; the others are learnt from."""
    memory = open_memory(model=model(), budgets=Budgets(user_calls=2))
    memory.observe([("user", f"Let us talk about topic {place}.") for place in range(60)], user_id="ana")
    say(memory, "ben")
    memory.flush(timeout=60)
    assert memory.progress(user_id="ana") == {"learnt": 48, "pending": 12}
    assert memory.progress(user_id="ben") == {"learnt": 1}
    assert memory.spent(user_id="ana").calls == 2
    say(memory, "ana")  # brings nothing forward
    memory.flush(timeout=60)
    assert memory.spent(user_id="ana").calls == 2
    clock.move(days=1)
    memory.flush(timeout=60)
    assert memory.progress(user_id="ana") == {"learnt": 61}


def test_tokens_are_those_that_the_model_reports_or_else_counted(open_memory: Open) -> None:
    """The call that reaches the budget is finished; the next one waits."""
    reports = iter([{"input_tokens": 700, "output_tokens": 50, "total_tokens": 750}, None])

    def answer(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> Any:
        name = tools[0]["function"]["name"]
        if name == "ProfileAnswer":
            return {"edits": []}
        call = {"name": name, "args": EMPTY, "id": "1", "type": "tool_call"}
        return AIMessage("", tool_calls=[call], usage_metadata=next(reports))

    class Silent(ScriptedChatModel):
        def _complete(self, message: AIMessage, messages: list[BaseMessage]) -> AIMessage:
            return message

    memory = open_memory(model=Silent(answers=answer), budgets=Budgets(user_tokens=751), optimize_every=99)
    say(memory, "ana", "ben")
    memory.flush(timeout=60)
    spent = sorted(memory.spent(user_id=user).tokens for user in ("ana", "ben"))
    assert spent[0] == 750 or spent[0] > 751  # profile rounds are counted, too
    assert memory.spent().tokens == sum(spent)
    assert spent[1] > 1000  # the prompt itself is long


def test_budgets_outlive_the_process_and_hold_for_all_of_them(tmp_path: Path, clock: Clock) -> None:
    """A second process finds the budget used up; one with a larger budget goes on at once."""

    def opened(budgets: Budgets) -> PersonaMemory:
        return PersonaMemory.open(
            tmp_path, model=model(), embeddings=HashingEmbedder(), worker=False, clock=clock, budgets=budgets
        )

    with opened(Budgets(calls=2)) as first, opened(Budgets(calls=2)) as second:
        say(first, "ana", "ben", "cleo")
        first.flush(timeout=60)
        second.flush(timeout=60)
        assert first.spent() == second.spent()
        assert second.spent().calls == 2
    with opened(Budgets(calls=2)) as third:
        third.flush(timeout=60)
        assert third.spent().calls == 2
        assert {job.waits_for for job in third.jobs()} == {"budget"}
    with opened(Budgets(calls=99)) as fourth:
        fourth.flush(timeout=60)
        assert fourth.jobs() == []


def test_an_erased_person_leaves_only_the_total(open_memory: Open) -> None:
    """Their rows go; what the day has cost in all stays, so that erasing makes no room in the budget."""
    memory = open_memory(model=model(), budgets=Budgets())
    say(memory, "ana", "ben")
    memory.flush(timeout=60)
    before = memory.spent()
    receipt = memory.delete_user(user_id="ana")
    assert receipt.erased["spending"] == 1
    assert memory.spent(user_id="ana") == Spent()
    assert memory.spent() == before
    with memory._ledger.read() as connection:
        assert set(connection.execute(select(spending.c.user_id)).scalars()) == {"ben"}


def test_a_refused_call_costs_nothing_a_timeout_does(open_memory: Open) -> None:
    """What a provider refuses it does not charge; of a timeout nobody knows."""
    memory = open_memory(model=ScriptedChatModel(answers=Faulty(["unreachable"] * 3, then=nothing)), budgets=Budgets())
    say(memory, "ana")
    memory.flush(timeout=60)
    asked = memory.spent()
    with_timeouts = ScriptedChatModel(answers=Faulty(["timeout"] * 3, then=nothing))
    memory.close()
    memory = open_memory(model=with_timeouts, budgets=Budgets())
    memory.relearn(user_id="ana")
    memory.flush(timeout=60)
    assert memory.spent().calls == 2 * asked.calls + 3


def test_old_days_are_forgotten(open_memory: Open, clock: Clock) -> None:
    """A month is kept."""
    memory = open_memory(model=model(), budgets=Budgets())
    say(memory, "ana")
    memory.flush(timeout=60)
    clock.move(days=40)
    say(memory, "ben")
    memory.flush(timeout=60)
    with memory._ledger.read() as connection:
        days = set(connection.execute(select(spending.c.day)).scalars())
    assert days == {clock.now.date()}


def test_on_postgres_workers_side_by_side_keep_to_one_budget(postgres_url: str, clock: Clock) -> None:
    """Three workers, sixteen people, no call too many and none too few."""
    options: dict[str, Any] = {"url": postgres_url, "namespace": "budgets", "embeddings": HashingEmbedder()}
    asked = model()
    opened = [
        PersonaMemory.open(**options, model=asked, worker=False, clock=clock, budgets=Budgets(calls=9))
        for _ in range(3)
    ]
    say(opened[0], *(f"user-{number}" for number in range(16)))
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda memory: memory.flush(timeout=60), opened))
    assert opened[0].spent().calls == len(asked.calls) == 9
    for memory in opened:
        memory.close()
