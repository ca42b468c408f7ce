"""If memory breaks, the turn goes on; if the model breaks, the host hears of it; and no event loop is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware

from .conftest import CAT, WHICH_CAT, Agent, Open, break_tables, of, said, turns

Warnings = Callable[[], list[str]]


class BrokenEmbedder(HashingEmbedder):
    """An embedding service that is down."""

    def embed_query(self, text: str) -> list[float]:
        raise ConnectionError("the embedding service is down")

    async def aembed_query(self, text: str) -> list[float]:
        raise ConnectionError("the embedding service is down")


async def test_a_broken_ledger_costs_the_memory_and_not_the_turn(
    memory: PersonaMemory,
    model: ScriptedChatModel,
    tmp_path: Path,
    warnings_of: Warnings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each failure is counted, each kind is logged once; the log says what failed, and nothing of what was said."""
    middleware = PersonaMemoryMiddleware(memory)
    agent = create_agent(model, middleware=[middleware])
    break_tables(tmp_path / "home")
    for _ in range(2):
        assert agent.invoke(said(CAT), **of("ana"))["messages"][-1].text == "Noted."
    assert (await agent.ainvoke(said(CAT), **of("ana")))["messages"][-1].text == "Noted."
    assert middleware.doors.failures == {"observe: LedgerError": 6, "recall: LedgerError": 3}
    logged = warnings_of()
    assert len(logged) == 2
    assert all("the turn goes on" in line and "no such table" in line for line in logged)
    assert "Miso" not in caplog.text


async def test_a_broken_embedder_costs_the_meaning_and_not_the_words(
    open_memory: Open, model: ScriptedChatModel
) -> None:
    """Recall goes on by words."""
    middleware = PersonaMemoryMiddleware(open_memory(embeddings=BrokenEmbedder()))
    agent = create_agent(model, middleware=[middleware])
    agent.invoke(said(CAT), **of("ana", "one"))
    agent.invoke(said(WHICH_CAT), **of("ana", "two"))
    assert "Miso" in model.calls[-1].text
    await agent.ainvoke(said(WHICH_CAT), **of("ana", "three"))
    assert "Miso" in model.calls[-1].text


async def test_a_closed_memory_costs_the_memory_and_not_the_turn(
    make_agent: Agent, memory: PersonaMemory, tmp_path: Path
) -> None:
    """A host that shuts down in the wrong order still answers; nothing hangs."""
    agent = make_agent()
    memory.close()
    assert (await agent.ainvoke(said(CAT), **of("ana")))["messages"][-1].text == "Noted."


@pytest.mark.parametrize("user", ["", "a\0b", "x" * 5000, 7])
def test_a_user_id_that_cannot_be_used_costs_the_memory_and_not_the_turn(
    memory: PersonaMemory, model: ScriptedChatModel, user: Any, warnings_of: Warnings
) -> None:
    """The log names what is wrong with it, and nobody's memory is touched."""
    middleware = PersonaMemoryMiddleware(memory, user_id=lambda runtime, config: user)
    result = create_agent(model, middleware=[middleware]).invoke(said(CAT))
    assert result["messages"][-1].text == "Noted."
    assert memory.users() == []
    assert middleware.doors.failures
    assert "user" in warnings_of()[0]


def test_a_resolver_that_fails_costs_the_memory_and_not_the_turn(
    memory: PersonaMemory, model: ScriptedChatModel, warnings_of: Warnings
) -> None:
    """It is the host's code, but the person's turn."""
    middleware = PersonaMemoryMiddleware(memory, user_id=lambda runtime, config: config["metadata"]["login"])
    result = create_agent(model, middleware=[middleware]).invoke(said(CAT))
    assert result["messages"][-1].text == "Noted."
    assert "user id: KeyError" in middleware.doors.failures
    assert len(warnings_of()) == 1


async def test_an_error_of_the_model_reaches_the_host(
    memory: PersonaMemory, make_agent: Agent, warnings_of: Warnings
) -> None:
    """Only our own failures are swallowed. What the person said is kept."""
    down = make_agent({"model": ScriptedChatModel(answers=[ValueError("overloaded")] * 2)})
    with pytest.raises(ValueError, match="overloaded"):
        down.invoke(said(CAT), **of("ana", "one"))
    with pytest.raises(ValueError, match="overloaded"):
        await down.ainvoke(said("She is grey."), **of("ana", "two"))
    assert warnings_of() == []
    assert turns(memory) == [("user", CAT), ("user", "She is grey.")]


async def test_cancelling_a_run_cancels_it(open_memory: Open) -> None:
    """A host's timeout around a run is not swallowed either."""
    slow = ScriptedChatModel(answers=lambda messages, tools: "Noted.", delay=30)
    agent = create_agent(slow, middleware=[PersonaMemoryMiddleware(open_memory())])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await agent.ainvoke(said(CAT), **of("ana"))


class Watch:
    """A clock that notes every time it is read on a thread whose event loop is running."""

    def __init__(self) -> None:
        self.reads, self.on_loop = 0, 0

    def __call__(self) -> datetime:
        self.reads += 1
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return datetime.now(UTC)
        self.on_loop += 1
        return datetime.now(UTC)


async def test_nothing_synchronous_runs_on_the_event_loop(open_memory: Open, model: ScriptedChatModel) -> None:
    """The asynchronous twins take observing and recalling off the loop."""
    watch = Watch()
    agent = create_agent(model, middleware=[PersonaMemoryMiddleware(open_memory(clock=watch))])
    agent.invoke(said(CAT), **of("ana", "sync"))
    assert watch.on_loop > 0, "synchronous hooks on a thread with a loop are seen by this clock"
    watch.reads = watch.on_loop = 0
    await agent.ainvoke(said(CAT), **of("ana", "one"))
    assert [part async for part in agent.astream(said(WHICH_CAT), **of("ana", "two"))]
    assert watch.reads > 0
    assert watch.on_loop == 0
