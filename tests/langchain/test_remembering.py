"""An agent with the middleware remembers people: across threads, restarts and ways of running, each person apart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from persona_memory import PersonaMemory
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware

from .conftest import CAT, WHICH_CAT, Agent, Open, of, said, turns


def test_what_one_thread_heard_another_recalls_at_once(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory
) -> None:
    """Nothing has been learnt yet, and the next thread has it all the same."""
    agent = make_agent()
    agent.invoke(said(CAT), **of("ana", "one"))
    assert memory.progress(user_id="ana") == {"pending": 2}
    agent.invoke(said(WHICH_CAT), **of("ana", "two"))
    assert "Miso" in model.calls[-1].text
    assert turns(memory) == [("user", CAT), ("assistant", "Noted."), ("user", WHICH_CAT), ("assistant", "Noted.")]


def test_what_was_learnt_is_recalled_too(make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory) -> None:
    """After learning, the turn and what was made of it are still found."""
    agent = make_agent()
    agent.invoke(said(CAT), **of("ana", "one"))
    memory.flush()
    assert memory.progress(user_id="ana") == {"learnt": 2}
    agent.invoke(said(WHICH_CAT), **of("ana", "two"))
    assert "Miso" in model.calls[-1].text


async def test_every_way_of_running_remembers(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory
) -> None:
    """invoke, stream, ainvoke and astream in each of their modes store the turn and recall for it."""
    agent = make_agent()
    modes = ["values", "messages", "updates", "custom"]
    agent.invoke(said(CAT), **of("ana", "first"))
    agent.invoke(said(WHICH_CAT), **of("ana", "sync"))
    assert "Miso" in model.calls[-1].text
    for mode in modes:
        assert list(agent.stream(said(WHICH_CAT), stream_mode=mode, **of("ana", f"sync-{mode}")))
        assert "Miso" in model.calls[-1].text
    await agent.ainvoke(said(WHICH_CAT), **of("ana", "async"))
    assert "Miso" in model.calls[-1].text
    for mode in modes:
        assert [part async for part in agent.astream(said(WHICH_CAT), stream_mode=mode, **of("ana", f"async-{mode}"))]
        assert "Miso" in model.calls[-1].text
    assert turns(memory).count(("user", WHICH_CAT)) == 10
    assert turns(memory).count(("assistant", "Noted.")) == 11


async def test_a_stream_says_what_was_decided(make_agent: Agent) -> None:
    """Custom events carry the route with its reason, what was recalled and its tokens; never the text."""
    agent = make_agent()
    agent.invoke(said(CAT), **of("ana", "one"))
    found = list(agent.stream(said(WHICH_CAT), stream_mode="custom", **of("ana", "two")))
    also = [part async for part in agent.astream(said(WHICH_CAT), stream_mode="custom", **of("ana", "three"))]
    for (event,) in (found, also):
        assert event["type"] == "persona_memory.recall"
        assert event["route"]["name"] == "context"
        assert event["route"]["reason"]
        assert "t1" in event["hits"]
        assert event["tokens"] > 0
        assert "Miso" not in str(event)


async def test_a_stream_of_messages_holds_the_reply_only(make_agent: Agent) -> None:
    """What was recalled is not among the tokens that a person sees."""
    agent = make_agent()
    agent.invoke(said(CAT), **of("ana", "one"))
    shown = [part async for part, _ in agent.astream(said(WHICH_CAT), stream_mode="messages", **of("ana", "two"))]
    assert "".join(str(chunk.text) for chunk in shown) == "Noted."


def test_memory_survives_a_restart(open_memory: Open, model: ScriptedChatModel) -> None:
    """Another process opens the same folder, with a new agent, and knows."""
    first = open_memory()
    create_agent(model, middleware=[PersonaMemoryMiddleware(first)]).invoke(said(CAT), **of("ana"))
    first.close()
    second = create_agent(model, middleware=[PersonaMemoryMiddleware(open_memory())])
    second.invoke(said(WHICH_CAT), **of("ana", "new"))
    assert "Miso" in model.calls[-1].text


def test_memory_and_a_durable_checkpointer_survive_a_restart(
    open_memory: Open, model: ScriptedChatModel, tmp_path: Path
) -> None:
    """The thread goes on where it was, a new thread knows, and nothing is stored twice."""
    file = str(tmp_path / "checkpoints.db")
    for text, thread in ((CAT, "one"), ("She is grey.", "one"), (WHICH_CAT, "two")):
        memory = open_memory()
        with SqliteSaver.from_conn_string(file) as saver:
            agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory)], checkpointer=saver)
            agent.invoke(said(text), **of("ana", thread))
        memory.close()
    assert "Miso" in model.calls[-1].text
    assert [text for role, text in turns(open_memory()) if role == "user"] == [CAT, "She is grey.", WHICH_CAT]
    assert next(m.text for m in model.calls[1].messages if m.type == "human") == CAT


def test_a_second_person_sees_nothing_of_the_first(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory
) -> None:
    """Not with the same question, not in a thread of the same name."""
    agent = make_agent()
    agent.invoke(said(CAT), **of("ana", "one"))
    memory.flush()
    agent.invoke(said(WHICH_CAT), **of("ben", "one"))
    assert "Miso" not in model.calls[-1].text
    assert turns(memory, "ben") == [("user", WHICH_CAT), ("assistant", "Noted.")]


def test_without_a_user_id_it_answers_without_memory_and_says_so_once(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory, warnings_of: Callable[[], list[str]]
) -> None:
    """Each such run is counted, one line is logged, and nobody is made up."""
    middleware = PersonaMemoryMiddleware(memory)
    agent = make_agent({"middleware": [middleware]})
    for _ in range(3):
        assert agent.invoke(said(CAT))["messages"][-1].text == "Noted."
    assert agent.invoke(said(CAT), context={"user_id": "  "})["messages"][-1].text == "Noted."
    (line,) = warnings_of()
    assert "no user id" in line
    assert "context={'user_id': …}" in line
    assert middleware.doors.failures == {"no user id": 4}
    assert memory.users() == []


def test_the_user_comes_from_the_context_or_the_configuration_or_a_resolver(
    make_agent: Agent, memory: PersonaMemory
) -> None:
    """A context object, a configurable and a function of the host's all say who it is; numbers become strings."""

    class Context:
        user_id = "ben"

    make_agent().invoke(said(CAT), context={"user_id": "ana"})
    make_agent().invoke(said(CAT), context=Context())
    make_agent().invoke(said(CAT), config={"configurable": {"user_id": 7}})
    make_agent(user_id=lambda runtime, config: config["metadata"]["login"]).invoke(
        said(CAT), config={"metadata": {"login": "dora"}}
    )
    assert memory.users() == ["7", "ana", "ben", "dora"]


def test_a_message_cannot_say_whose_memory_it_is(make_agent: Agent, memory: PersonaMemory) -> None:
    """Names, metadata and keys of the input are the person's or a model's to write; none of them is a user id."""
    message = {"role": "user", "content": CAT, "name": "ben", "user_id": "ben", "metadata": {"user_id": "ben"}}
    make_agent().invoke(
        {"messages": [message], "user_id": "ben"}, context={"user_id": "ana"}, config={"metadata": {"user_id": "ben"}}
    )
    assert memory.users() == ["ana"]


def test_one_instance_serves_many_people_in_threads(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory
) -> None:
    """Sixteen people at once through one agent: each prompt holds their own words and nobody else's."""
    agent = make_agent()
    start = threading.Barrier(16)

    def talk(number: int) -> None:
        start.wait()
        agent.invoke(said(f"My code word is secret{number:02d}."), **of(f"user{number:02d}", "a"))
        agent.invoke(said(f"What is my code word? I am {number:02d}."), **of(f"user{number:02d}", "b"))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(talk, range(16)))
    _assert_no_bleed(model, memory)


async def test_one_instance_serves_many_people_on_one_loop(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory
) -> None:
    """The same with coroutines that run side by side."""
    agent = make_agent()

    async def talk(number: int) -> None:
        await agent.ainvoke(said(f"My code word is secret{number:02d}."), **of(f"user{number:02d}", "a"))
        await agent.ainvoke(said(f"What is my code word? I am {number:02d}."), **of(f"user{number:02d}", "b"))

    await asyncio.gather(*(talk(number) for number in range(16)))
    _assert_no_bleed(model, memory)


def _assert_no_bleed(model: ScriptedChatModel, memory: PersonaMemory) -> None:
    asked = [call.text for call in model.calls if "I am" in call.text.rsplit("\n", 1)[-1]]
    assert len(asked) == 16
    for prompt in asked:
        own = prompt.rsplit("I am ", 1)[-1].rstrip(".")
        assert f"secret{own}" in prompt
        assert prompt.count("secret") == 1
    assert memory.users() == [f"user{number:02d}" for number in range(16)]
    for user in memory.users():
        assert len(turns(memory, user)) == 4


def test_in_a_thread_of_several_humans_only_the_persons_own_words_are_theirs(
    make_agent: Agent, memory: PersonaMemory
) -> None:
    """`speaker` says which name is the person's; the others' messages are kept as others'."""
    agent = make_agent({"checkpointer": InMemorySaver()})
    ana = {"role": "user", "content": CAT, "name": "Ana"}
    ben = {"role": "user", "content": "I am allergic to cats.", "name": "Ben"}
    agent.invoke({"messages": [ana]}, context={"user_id": "ana", "speaker": "Ana"}, config=_thread("team"))
    agent.invoke({"messages": [ben]}, context={"user_id": "ben", "speaker": "Ben"}, config=_thread("team"))
    agent.invoke(said("Thanks!"), context={"user_id": "ana", "speaker": "Ana"}, config=_thread("team"))
    assert ("other", "I am allergic to cats.") in turns(memory, "ana")
    assert ("other", CAT) in turns(memory, "ben")
    assert ("user", "I am allergic to cats.") in turns(memory, "ben")


def _thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


@pytest.mark.parametrize("user", ["ana.b/c d@e", "ünï çødé 你好 🦊", "x" * 300])
def test_any_user_id_that_can_be_stored_works(
    make_agent: Agent, model: ScriptedChatModel, memory: PersonaMemory, user: str
) -> None:
    """Dots, slashes, spaces, any script and 300 characters."""
    agent = make_agent()
    agent.invoke(said(CAT), **of(user, "one"))
    agent.invoke(said(WHICH_CAT), **of(user, "two"))
    assert "Miso" in model.calls[-1].text
    assert memory.users() == [user]
