"""Tools inside an agent's run: what the model may say, whose memory it reaches, and what it is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.unit_tests import ToolsUnitTests
from langgraph.checkpoint.memory import InMemorySaver

from persona_memory import PersonaMemory, Policy
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware, memory_tools

from .conftest import CAT, of, said, turns

NAMES = ["search_memory", "remember", "forget_memory"]


def call(name: str, **args: Any) -> dict[str, Any]:
    """A scripted answer that calls a tool."""
    return {"name": name, "args": args}


def agent_of(memory: PersonaMemory, *answers: Any) -> tuple[Any, ScriptedChatModel]:
    """An agent with the middleware's tools, and its model."""
    model = ScriptedChatModel(answers=list(answers))
    return create_agent(model, middleware=[PersonaMemoryMiddleware(memory, tools=True)]), model


def tool_answers(result: dict[str, Any]) -> list[str]:
    """What the tools told the model."""
    return [str(one.text) for one in result["messages"] if isinstance(one, ToolMessage)]


def test_no_tool_has_an_argument_that_says_whose_memory_it_is(memory: PersonaMemory) -> None:
    """The model sees a query, a statement or ids, with their descriptions; nothing else."""
    seen = {tool.name: convert_to_openai_tool(tool)["function"] for tool in memory_tools(memory)}
    arguments = {name: list(one["parameters"]["properties"]) for name, one in seen.items()}
    assert arguments == {"search_memory": ["query"], "remember": ["statement"], "forget_memory": ["memory_ids"]}
    for function in seen.values():
        assert "Args:" not in function["description"]
        assert all(one["description"] for one in function["parameters"]["properties"].values())


def test_a_model_that_makes_up_a_user_id_reaches_nobody_else(memory: PersonaMemory) -> None:
    """Arguments that the tool does not have change nothing."""
    memory.observe([("user", CAT)], user_id="ben")
    agent, _ = agent_of(memory, call("search_memory", query="What is the cat called?", user_id="ben"), "Done.")
    result = agent.invoke(said("What is Ben's cat called?"), **of("ana"))
    assert "Miso" not in str(result)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_model_searches_remembers_and_forgets(memory: PersonaMemory, asynchronous: bool) -> None:
    """One conversation: keep something, find it with its id and date, erase it, find it no more."""
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")

    async def run(thread: str, *answers: Any) -> list[str]:
        agent, _ = agent_of(memory, *answers, "Done.")
        given, options = said(f"Please help me with {thread}."), of("ana", thread)
        return tool_answers(await agent.ainvoke(given, **options) if asynchronous else agent.invoke(given, **options))

    (kept,) = await run("remembering", call("remember", statement="Ana is allergic to peanuts."))
    memory_id = kept.removeprefix("Remembered as ").rstrip(".")
    assert memory.memory(memory_id, user_id="ana").text == "Ana is allergic to peanuts."
    found, cat = await run(
        "searching", call("search_memory", query="peanut allergy"), call("search_memory", query="cat called")
    )
    assert memory_id in found
    assert "allergic to peanuts" in found
    assert "\n- t1 20" in cat
    assert CAT in cat
    (gone,) = await run("forgetting", call("forget_memory", memory_ids=[memory_id]))
    assert gone.startswith("Forgotten: 1 memories")
    (after,) = await run("searching again", call("search_memory", query="allergic to peanuts"))
    assert "allergic" not in after


def test_what_is_forgotten_in_a_run_stays_forgotten_when_the_run_is_stored(memory: PersonaMemory) -> None:
    """The messages of the run hold the words still; storing the reply does not bring them back."""
    script = iter(["Noted.", call("forget_memory", memory_ids=["t1"]), "It is gone."])
    model = ScriptedChatModel(answers=lambda messages, tools: next(script))
    agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory, tools=True)], checkpointer=InMemorySaver())
    agent.invoke(said(CAT), **of("ana", "one"))
    agent.invoke(said("Please forget what I told you."), **of("ana", "one"))
    assert "Miso" not in str(turns(memory))
    assert ("assistant", "It is gone.") in turns(memory)


def test_ids_that_do_not_exist_are_explained_to_the_model(memory: PersonaMemory) -> None:
    """The run goes on; nothing was erased."""
    agent, _ = agent_of(memory, call("forget_memory", memory_ids=["m1", "t99"]), "I could not.")
    result = agent.invoke(said("Forget it."), **of("ana"))
    assert "Nothing was forgotten" in tool_answers(result)[0]
    assert "m1" in tool_answers(result)[0]
    assert result["messages"][-1].text == "I could not."


def test_an_empty_statement_is_explained_to_the_model(memory: PersonaMemory) -> None:
    """Nothing is kept."""
    agent, _ = agent_of(memory, call("remember", statement="  "), "Hm.")
    assert "not kept" in tool_answers(agent.invoke(said("Remember."), **of("ana")))[0]
    assert memory.memories(user_id="ana") == []


async def test_without_a_user_the_tools_say_so(memory: PersonaMemory) -> None:
    """No tool reaches anybody's memory."""
    calls = [
        call("search_memory", query="cat"),
        call("remember", statement=CAT),
        call("forget_memory", memory_ids=["t1"]),
    ]
    for answers in (tool_answers(agent_of(memory, *calls, "Done.")[0].invoke(said("Hi."))),):
        assert len(answers) == 3
        assert all("not known who the user is" in one for one in answers)
    result = await agent_of(memory, *calls, "Done.")[0].ainvoke(said("Hi."))
    assert all("not known who the user is" in one for one in tool_answers(result))
    assert memory.users() == []


@pytest.mark.parametrize("policy", [Policy(incognito_threads=("one",)), Policy(paused=True)])
async def test_tools_keep_to_the_persons_policy(memory: PersonaMemory, policy: Policy) -> None:
    """Nothing is kept while the memory is paused; an incognito thread does not search either."""
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    memory.set_policy(policy, user_id="ana")
    calls = [call("remember", statement="Ana likes tea."), call("search_memory", query="cat called"), "Done."]
    for result in (
        agent_of(memory, *calls)[0].invoke(said("Hi."), **of("ana", "one")),
        await agent_of(memory, *calls)[0].ainvoke(said("Hi."), **of("ana", "one")),
    ):
        kept, found = tool_answers(result)
        assert "closed" in kept
        assert ("closed" in found) is not policy.paused
        assert ("Miso" in found) is policy.paused
    assert "tea" not in str(memory.export(user_id="ana"))


async def test_a_broken_ledger_is_told_to_the_model_and_the_run_goes_on(
    memory: PersonaMemory, tmp_path: Path, warnings_of: Callable[[], list[str]]
) -> None:
    """A tool that raises would end the run."""
    calls = [
        call("search_memory", query="cat"),
        call("remember", statement=CAT),
        call("forget_memory", memory_ids=["t1"]),
    ]
    connection = sqlite3.connect(tmp_path / "home" / "memory.db")
    connection.execute("ALTER TABLE users RENAME TO broken")
    connection.close()
    for result in (
        agent_of(memory, *calls, "Done.")[0].invoke(said("Hi."), **of("ana")),
        await agent_of(memory, *calls, "Done.")[0].ainvoke(said("Hi."), **of("ana")),
    ):
        assert tool_answers(result) == ["The memory cannot be reached right now."] * 3
        assert result["messages"][-1].text == "Done."
    assert any("search_memory failed" in line for line in warnings_of())


def test_tools_work_without_the_middleware(memory: PersonaMemory) -> None:
    """An agent that only searches."""
    memory.observe([("user", CAT)], user_id="ana")

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> Any:
        assert [tool["function"]["name"] for tool in tools] == NAMES
        return "Done." if isinstance(messages[-1], ToolMessage) else call("search_memory", query="cat called")

    agent = create_agent(ScriptedChatModel(answers=answer), memory_tools(memory))
    assert "Miso" in tool_answers(agent.invoke(said("My cat?"), **of("ana")))[0]


def test_tool_calls_and_their_results_are_no_conversation(memory: PersonaMemory) -> None:
    """What a search found is never stored, let alone learnt from again."""
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    agent, _ = agent_of(memory, call("search_memory", query="cat called"), AIMessage("Miso, of course."))
    agent.invoke(said("My cat?"), **of("ana", "one"))
    assert turns(memory)[1:] == [("user", "My cat?"), ("assistant", "Miso, of course.")]


class _ToolSuite(ToolsUnitTests):
    """langchain-tests' suite over one of the tools, without a memory behind it."""

    place: int
    example: dict[str, Any]

    @property
    def tool_constructor(self) -> BaseTool:
        """The tool; the suite runs no tool."""
        nothing: Any = None
        return memory_tools(nothing)[self.place]

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        """Arguments and what a run injects."""
        from langchain.tools import ToolRuntime

        runtime: Any = ToolRuntime(
            state={}, context=None, config={}, stream_writer=print, tool_call_id="c1", store=None
        )
        return {**self.example, "runtime": runtime}


class TestSearchMemory(_ToolSuite):
    place, example = 0, {"query": "cat"}


class TestRemember(_ToolSuite):
    place, example = 1, {"statement": CAT}


class TestForgetMemory(_ToolSuite):
    place, example = 2, {"memory_ids": ["t1"]}
