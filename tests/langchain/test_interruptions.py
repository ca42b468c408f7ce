"""Crashes, interrupts, summaries and resent histories: everything is stored, exactly once, and memory is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, SummarizationMiddleware
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from persona_memory import PersonaMemory
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware

from .conftest import CAT, WHICH_CAT, Agent, of, said, turns


def send_email(to: str) -> str:
    """Send an email."""
    return f"sent to {to}"


def calls(text: str = "", **args: str) -> AIMessage:
    """A reply that calls the tool, maybe saying something before."""
    return AIMessage(text, tool_calls=[{"name": "send_email", "args": args, "id": "c1", "type": "tool_call"}])


def approving(memory: PersonaMemory, model: ScriptedChatModel, *, ours_first: bool) -> Any:
    """An agent whose tool waits for a person's approval."""
    ours = PersonaMemoryMiddleware(memory)
    approval = HumanInTheLoopMiddleware(interrupt_on={"send_email": True})
    order: list[AgentMiddleware[Any, Any, Any]] = [ours, approval] if ours_first else [approval, ours]
    return create_agent(model, [send_email], middleware=order, checkpointer=InMemorySaver())


APPROVED: Any = Command(resume={"decisions": [{"type": "approve"}]})


def test_a_run_that_crashed_in_the_model_loses_nothing(memory: PersonaMemory) -> None:
    """The next run finds the person's words stored, answers, and stores nothing twice."""
    model = ScriptedChatModel(answers=[RuntimeError("down"), "Noted."])
    agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory)], checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError):
        agent.invoke(said(CAT), **of("ana", "one"))
    assert turns(memory) == [("user", CAT)]
    agent.invoke(said("Are you there?"), **of("ana", "one"))
    assert turns(memory) == [("user", CAT), ("user", "Are you there?"), ("assistant", "Noted.")]


def test_a_run_whose_messages_could_not_be_stored_is_swept_up_by_the_next(
    open_memory: Callable[..., PersonaMemory],
) -> None:
    """Without memory for a while (here: without a user id) the thread is caught up as soon as it is back."""
    memory, saver = open_memory(), InMemorySaver()
    model = ScriptedChatModel(answers=lambda messages, tools: f"Reply {len(messages)}.")
    agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory)], checkpointer=saver)
    agent.invoke(said(CAT), config={"configurable": {"thread_id": "one"}})
    assert memory.users() == []
    agent.invoke(said(WHICH_CAT), **of("ana", "one"))
    found = turns(memory)
    assert found == [("user", CAT), ("assistant", "Reply 1."), ("user", WHICH_CAT), ("assistant", found[-1][1])]


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_run_that_waits_for_approval_goes_on_with_memory_and_stores_everything_once(
    memory: PersonaMemory, ours_first: bool, asynchronous: bool
) -> None:
    """What was recalled is gone after the interrupt; it is recalled again, once, without a second question."""
    model = ScriptedChatModel(answers=[calls("I will write to him.", to="Ben"), calls("And again.", to="Ben"), "Done."])
    agent = approving(memory, model, ours_first=ours_first)
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    events: list[dict[str, Any]] = []

    async def run(given: Any) -> None:
        if asynchronous:
            events.extend([e async for e in agent.astream(given, stream_mode="custom", **of("ana", "one"))])
        else:
            events.extend(agent.stream(given, stream_mode="custom", **of("ana", "one")))

    ask = "Email Ben what my cat is called."
    await run(said(ask))
    assert len(model.calls) == 1, "it waits"
    assert turns(memory)[1:] == [("user", ask), ("assistant", "I will write to him.")]
    await run(APPROVED)
    await run(APPROVED)
    assert [call.text.count("Miso") for call in model.calls] == [1, 1, 1]
    assert [call.text.count("you may ask") for call in model.calls] == [1, 0, 0]
    assert len([e for e in events if e["type"] == "persona_memory.recall"]) == 3
    replies = [("assistant", text) for text in ("I will write to him.", "And again.", "Done.")]
    assert turns(memory)[1:] == [("user", ask), *replies]


def test_after_an_interrupt_it_recalls_once_for_the_rest_of_the_run(memory: PersonaMemory) -> None:
    """A resumed run of several model calls does not search before each of them."""

    def look(at: str) -> str:
        """Look at something."""
        return "seen"

    looks = AIMessage("", tool_calls=[{"name": "look", "args": {"at": "it"}, "id": "c2", "type": "tool_call"}])
    model = ScriptedChatModel(answers=[calls(to="Ben"), looks, looks, "Done."])
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    both: list[Any] = [PersonaMemoryMiddleware(memory), HumanInTheLoopMiddleware(interrupt_on={"send_email": True})]
    agent = create_agent(model, [send_email, look], middleware=both, checkpointer=InMemorySaver())
    agent.invoke(said("Email Ben what my cat is called."), **of("ana", "one"))
    events = list(agent.stream(APPROVED, stream_mode="custom", **of("ana", "one")))
    assert len(model.calls) == 4
    assert [call.text.count("Miso") for call in model.calls] == [1, 1, 1, 1]
    assert len(events) == 1


def test_a_run_that_is_never_resumed_loses_nothing(memory: PersonaMemory) -> None:
    """The person goes on in the same thread instead of approving."""
    model = ScriptedChatModel(answers=[calls("I will write to him.", to="Ben"), "Fine."])
    agent = approving(memory, model, ours_first=True)
    agent.invoke(said("Email Ben."), **of("ana", "one"))
    agent.invoke(said("Never mind."), **of("ana", "one"))
    users = [text for role, text in turns(memory) if role == "user"]
    assert users == ["Email Ben.", "Never mind."]
    assert next(text for role, text in turns(memory) if role == "assistant") == "I will write to him."


def summarizing(model: ScriptedChatModel) -> Any:
    """Summarises as soon as there are four messages, and keeps the last one only."""
    return SummarizationMiddleware(model, trigger=("messages", 4), keep=("messages", 1))


class Talk:
    """A model that numbers its replies, and summarises when it is asked to."""

    def __init__(self) -> None:
        self.replies = 0

    def __call__(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> str:
        if "<messages>" in str(messages[-1].text):
            return "SUMMARY of what was said"
        self.replies += 1
        return f"Reply {self.replies}."


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_it_composes_with_summarisation_in_either_order(
    memory: PersonaMemory, ours_first: bool, asynchronous: bool
) -> None:
    """A summary takes the place of old messages; it is never stored, and nothing is lost or stored twice."""
    model = ScriptedChatModel(answers=Talk())
    both: list[Any] = [PersonaMemoryMiddleware(memory), summarizing(model)]
    agent = create_agent(model, middleware=both if ours_first else both[::-1], checkpointer=InMemorySaver())
    expected = []
    for number in range(1, 8):
        text = f"This is message number {number}."
        if asynchronous:
            result = await agent.ainvoke(said(text), **of("ana", "one"))
        else:
            result = agent.invoke(said(text), **of("ana", "one"))
        expected += [("user", text), ("assistant", f"Reply {number}.")]
        assert turns(memory) == expected
    assert any(m.additional_kwargs.get("lc_source") == "summarization" for m in result["messages"]), "it did happen"
    assert "number 1" not in str(result["messages"])


@pytest.mark.parametrize("ours_first", [True, False])
def test_what_is_said_between_tool_calls_survives_a_summary_in_the_same_run(
    memory: PersonaMemory, ours_first: bool
) -> None:
    """The agent speaks, calls a tool, and all of it is summarised before the run ends."""
    script = iter([calls("First I write to Ben.", to="Ben"), calls("Then to Cleo.", to="Cleo"), AIMessage("All done.")])

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> Any:
        return "SUMMARY" if "<messages>" in str(messages[-1].text) else next(script)

    model = ScriptedChatModel(answers=answer)
    summary = SummarizationMiddleware(model, trigger=("messages", 3), keep=("messages", 1))
    both: list[Any] = [PersonaMemoryMiddleware(memory), summary]
    agent = create_agent(
        model, [send_email], middleware=both if ours_first else both[::-1], checkpointer=InMemorySaver()
    )
    result = agent.invoke(said("Write to both."), **of("ana", "one"))
    assert "First I write" not in str([m for m in result["messages"] if isinstance(m, AIMessage)])
    replies = ["First I write to Ben.", "Then to Cleo.", "All done."]
    assert turns(memory) == [("user", "Write to both."), *(("assistant", text) for text in replies)]


@pytest.mark.parametrize("thread", ["one", None])
@pytest.mark.parametrize("as_dicts", [True, False])
def test_a_chatbot_that_resends_the_whole_history_stores_nothing_twice(
    make_agent: Agent, memory: PersonaMemory, thread: str | None, as_dicts: bool
) -> None:
    """Without a checkpointer LangGraph gives every message a new id at every call."""
    replies = iter(range(1, 100))
    agent = make_agent({"model": ScriptedChatModel(answers=lambda messages, tools: f"Reply {next(replies)}.")})
    history: list[Any] = []
    for text in ("hi", "yes", "yes", CAT, "yes"):
        history.append({"role": "user", "content": text} if as_dicts else HumanMessage(text))
        reply = agent.invoke({"messages": list(history)}, **of("ana", thread))["messages"][-1]
        history.append({"role": "assistant", "content": reply.text} if as_dicts else AIMessage(reply.text))
    texts = [one["content"] if as_dicts else one.text for one in history]
    assert [text for _, text in turns(memory)] == texts


def test_a_second_conversation_without_a_thread_id_is_told_apart_from_the_first(
    make_agent: Agent, memory: PersonaMemory
) -> None:
    """A chatbot without threads starts anew after a restart; what it resends from then on is known, too."""
    replies = iter(range(1, 100))
    agent = make_agent({"model": ScriptedChatModel(answers=lambda messages, tools: f"Reply {next(replies)}.")})
    expected: list[str] = []
    for conversation in (["hi", "yes", "no"], ["hi", "yes", CAT]):
        history: list[dict[str, str]] = []
        for text in conversation:
            history.append({"role": "user", "content": text})
            reply = agent.invoke({"messages": list(history)}, **of("ana"))["messages"][-1].text
            history.append({"role": "assistant", "content": reply})
        expected += [one["content"] for one in history]
    assert [text for _, text in turns(memory)] == expected


def test_a_failed_call_that_a_chatbot_repeats_is_stored_once(make_agent: Agent, memory: PersonaMemory) -> None:
    """The host catches the model's error and sends the same history again."""
    script: list[Any] = ["Hello.", RuntimeError("down"), "Noted."]
    agent = make_agent({"model": ScriptedChatModel(answers=script)})
    history = [{"role": "user", "content": "hi"}]
    history.append(
        {"role": "assistant", "content": agent.invoke({"messages": history}, **of("ana"))["messages"][-1].text}
    )
    history.append({"role": "user", "content": CAT})
    with pytest.raises(RuntimeError):
        agent.invoke({"messages": history}, **of("ana"))
    agent.invoke({"messages": history}, **of("ana"))
    assert [text for _, text in turns(memory)] == ["hi", "Hello.", CAT, "Noted."]


def test_a_reply_that_a_chatbot_replaces_in_its_history_is_a_revision(make_agent: Agent, memory: PersonaMemory) -> None:
    """The host shows another reply than the agent's, a moderated one, and goes on from there: all is held once."""
    agent = make_agent()
    history = [{"role": "user", "content": "hi"}]
    agent.invoke({"messages": history}, **of("ana"))
    for text in (CAT, "bye"):
        reply = "Other words." if text == CAT else "Noted."
        history += [{"role": "assistant", "content": reply}, {"role": "user", "content": text}]
        agent.invoke({"messages": history}, **of("ana"))
    assert [text for _, text in turns(memory)] == ["hi", "Other words.", CAT, "Noted.", "bye", "Noted."]
