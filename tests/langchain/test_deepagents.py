"""Our middleware inside a deep agent: files, subagents and summaries of its own around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from persona_memory import PersonaMemory
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware, memory_summarizer

from .conftest import CAT, WHICH_CAT, of, said, turns

deepagents = pytest.importorskip("deepagents", reason="needs pip install deepagents")

FILLER = ["I like tea.", "It rains today.", "I went for a walk."]


def call(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{name}", "type": "tool_call"}])


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_deep_agent_remembers_across_threads(memory: PersonaMemory, asynchronous: bool) -> None:
    """Told in one thread, asked in another; its own tools stand beside ours; another person is told nothing."""
    model = ScriptedChatModel(answers=lambda messages, tools: "Noted.")
    middleware = [PersonaMemoryMiddleware(memory, tools=True)]
    agent = deepagents.create_deep_agent(model, middleware=middleware, context_schema=dict)

    async def run(text: str, user: str, thread: str) -> str:
        options = of(user, thread)
        await agent.ainvoke(said(text), **options) if asynchronous else agent.invoke(said(text), **options)
        return model.calls[-1].text

    await run(CAT, "ana", "one")
    assert CAT in await run(WHICH_CAT, "ana", "two")
    assert "Miso" not in await run(WHICH_CAT, "ben", "three")
    assert turns(memory) == [("user", CAT), ("assistant", "Noted."), ("user", WHICH_CAT), ("assistant", "Noted.")]
    names = {tool["function"]["name"] for tool in model.calls[-1].tools}
    assert {"search_memory", "remember", "forget_memory", "write_file", "task"} <= names


def test_what_its_summary_hides_is_stored_once_and_recalled(memory: PersonaMemory) -> None:
    """A deep agent keeps its messages in the state and shows the model a summary: what it hides can be recalled."""
    from deepagents.backends import StateBackend
    from deepagents.middleware.summarization import SummarizationMiddleware

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> str:
        assert "<messages>" not in str(messages[-1].text), "a summary costs no call"
        return "Noted."

    model = ScriptedChatModel(answers=answer)
    backend = StateBackend()
    summary = SummarizationMiddleware(
        model, backend=backend, trigger=("messages", 5), keep=("messages", 1), summarizer=memory_summarizer(memory)
    )
    ours = PersonaMemoryMiddleware(memory, ask_questions=False)
    agent = deepagents.create_deep_agent(
        model, middleware=[summary, ours], backend=backend, context_schema=dict, checkpointer=InMemorySaver()
    )
    texts = [CAT, *FILLER, WHICH_CAT, "And once more: what is my cat called?"]
    for text in texts:
        agent.invoke(said(text), **of("ana", "one"))
    assert turns(memory) == [pair for text in texts for pair in (("user", text), ("assistant", "Noted."))]
    for prompt in (one.text for one in model.calls[-2:]):
        assert "Earlier messages of this conversation" in prompt
        assert prompt.count(CAT) == 1
    assert dict(ours.doors.failures) == {}


def test_a_subagents_task_is_not_the_users_word(memory: PersonaMemory) -> None:
    """The main agent hands a task on: the subagent has no memory of the user, and its task is not learnt."""
    task = "Find out how old cats become."

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> Any:
        if any(task in str(one.text) for one in messages if one.type == "human"):
            return "About fifteen years."
        if isinstance(messages[-1], ToolMessage):
            return "Cats become about fifteen years old."
        return call("task", description=task, subagent_type="general-purpose")

    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    model = ScriptedChatModel(answers=answer)
    agent = deepagents.create_deep_agent(model, middleware=[PersonaMemoryMiddleware(memory)], context_schema=dict)
    agent.invoke(said("How old do cats like mine become?"), **of("ana", "one"))
    assert turns(memory)[1:] == [
        ("user", "How old do cats like mine become?"),
        ("assistant", "Cats become about fifteen years old."),
    ]
    (asked,) = [one for one in model.calls if task in one.text and "fifteen" not in one.text]
    assert "Miso" not in asked.text
