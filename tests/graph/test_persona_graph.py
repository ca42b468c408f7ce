"""The ready graph around a chat model: remembers, streams its decisions, fails open, keeps checkpoints clean."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from persona_memory import Doors, PersonaMemory, persona_graph
from persona_memory.testing import ScriptedChatModel

from .conftest import CAT, WHICH_CAT, Open, Warnings, of, turns

NODES = ["track_state", "retrieve", "route_adapter", "optimize_profile"]


def say(text: str) -> dict[str, Any]:
    """A graph's input."""
    return {"messages": [("user", text)]}


async def test_it_remembers_across_threads_in_every_way_of_running(
    memory: PersonaMemory, model: ScriptedChatModel
) -> None:
    """invoke, stream, ainvoke, astream; learnt or not."""
    graph = persona_graph(memory, model, system_prompt="You are kind.")
    graph.invoke(say(CAT), **of("ana", "one"))
    graph.invoke(say(WHICH_CAT), **of("ana", "two"))
    list(graph.stream(say(WHICH_CAT), **of("ana", "three")))
    await graph.ainvoke(say(WHICH_CAT), **of("ana", "four"))
    assert [part async for part in graph.astream(say(WHICH_CAT), **of("ana", "five"))]
    prompts = [call.messages for call in model.calls[1:]]
    assert len(prompts) == 4
    for system, human in prompts:
        assert str(system.text).startswith("You are kind.")
        assert CAT in str(human.text)
        assert str(human.text).endswith(WHICH_CAT)
    assert turns(memory)[:2] == [("user", CAT), ("assistant", "Noted.")]
    assert len(turns(memory)) == 10


def test_it_remembers_across_restarts(open_memory: Open, model: ScriptedChatModel) -> None:
    """A new process, a new graph, the same folder."""
    first = open_memory()
    persona_graph(first, model).invoke(say(CAT), **of("ana"))
    first.close()
    persona_graph(open_memory(), model).invoke(say(WHICH_CAT), **of("ana", "new"))
    assert CAT in model.calls[-1].text


def test_a_second_person_sees_nothing_of_the_first(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """The same question, a thread of the same name, another person."""
    graph = persona_graph(memory, model)
    graph.invoke(say(CAT), **of("ana", "one"))
    graph.invoke(say(WHICH_CAT), **of("ben", "one"))
    assert "Miso" not in model.calls[-1].text


async def test_many_people_at_once_never_mix(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """One compiled graph, twelve people, side by side."""
    graph = persona_graph(memory, model)

    async def talk(number: int) -> None:
        await graph.ainvoke(say(f"My code word is secret{number:02d}."), **of(f"user{number:02d}", "a"))
        await graph.ainvoke(say(f"What is my code word? I am {number:02d}."), **of(f"user{number:02d}", "b"))

    await asyncio.gather(*(talk(number) for number in range(12)))
    asked = [call.text for call in model.calls if "I am " in call.text]
    assert len(asked) == 12
    for prompt in asked:
        assert f"secret{prompt.rsplit('I am ', 1)[-1].rstrip('.')}" in prompt
        assert prompt.count("secret") == 1


def test_the_user_may_come_from_the_configuration(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """`configurable["user_id"]`, where a host passes no context; or what a resolver says."""
    persona_graph(memory, model).invoke(say(CAT), config={"configurable": {"user_id": "ana"}})
    resolve = persona_graph(memory, model, user_id=lambda runtime, config: config["metadata"]["login"])
    resolve.invoke(say(CAT), config={"metadata": {"login": "ben"}})
    assert memory.users() == ["ana", "ben"]


def test_a_context_schema_of_the_hosts_own_works(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """A dataclass with a user_id among other things."""
    from dataclasses import dataclass

    @dataclass
    class Context:
        user_id: str
        plan: str = "free"

    graph = persona_graph(memory, model, context_schema=Context)
    graph.invoke(say(CAT), context=Context("ana"))
    assert memory.users() == ["ana"]


async def test_decisions_are_streamed_node_by_node(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """Custom events say who, what was found, the route with its reason and numbers, and what is new; never the text."""
    graph = persona_graph(memory, model)
    graph.invoke(say(CAT), **of("ana", "one"))
    found = list(graph.stream(say(WHICH_CAT), stream_mode="custom", **of("ana", "two")))
    also = [event async for event in graph.astream(say(WHICH_CAT), stream_mode="custom", **of("ana", "three"))]
    for events in (found, also):
        assert [event["type"] for event in events] == [f"persona_memory.{node}" for node in NODES]
        tracked, retrieved, routed, kept = events
        assert (tracked["user_id"], tracked["new"]) == ("ana", 1)
        assert retrieved["hits"] >= 1
        assert retrieved["degraded"] is None
        assert routed["route"]["name"] == "context"
        assert routed["route"]["reason"]
        assert 0 < routed["route"]["needed"] <= routed["route"]["budget"]
        assert routed["tokens"] > 0
        assert routed["timings"].keys() >= {"rank", "pack"}
        assert kept["new"] == 1
        assert "Miso" not in str(events)


def test_what_does_not_fit_is_routed_as_overflow(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """The reason says so, and the budget holds."""
    for number in range(30):
        memory.observe([("user", f"My cat Miso did trick number {number} with the blue ball.")], user_id="ana")
    graph = persona_graph(memory, model, max_tokens=120)
    events = list(graph.stream(say("Which tricks did my cat Miso do?"), stream_mode="custom", **of("ana", "two")))
    routed = next(event for event in events if event["type"] == "persona_memory.route_adapter")
    assert routed["route"]["name"] == "context_overflow"
    assert routed["route"]["needed"] > 120
    assert routed["tokens"] <= 120


def test_the_nodes_find_what_recall_finds(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """Passing stages on as JSON changes nothing: text, hits, route and tokens are those of one call of `recall`."""
    memory.observe([("user", CAT), ("assistant", "Lovely.")], user_id="ana", thread_id="one")
    memory.set_field("demographics.name", "Ana", user_id="ana")
    memory.set_field("demographics.languages", ["Portuguese", "English"], user_id="ana")
    state = persona_graph(memory, model, ask_questions=False).invoke(say(WHICH_CAT), **of("ana", "two"))["persona"]
    recall = memory.recall(WHICH_CAT, user_id="ana", thread_id="three", exclude=state["turns"])
    assert (state["profile_text"], state["memory_text"]) == (recall.profile_text, recall.memory_text)
    assert [hit["id"] for hit in state["hits"]] == [hit.id for hit in recall.hits]
    assert state["route"]["reason"] == recall.route.reason
    assert state["tokens"] == recall.tokens
    assert "languages: Portuguese, English" in state["profile_text"]


def test_a_checkpointer_never_sees_what_was_recalled(
    memory: PersonaMemory, model: ScriptedChatModel, tmp_path: Path
) -> None:
    """Neither in a snapshot nor in a byte of its file; the thread goes on, and nothing is stored twice."""
    sqlite = pytest.importorskip("langgraph.checkpoint.sqlite")
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    with sqlite.SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        graph = persona_graph(memory, model, checkpointer=saver)
        graph.invoke(say(WHICH_CAT), **of("ana", "two"))
        graph.invoke(say("And what colour is my cat?"), **of("ana", "two"))
        run = of("ana", "two")
        assert all("persona" not in snapshot.values for snapshot in graph.get_state_history(run["config"]))
    written = b"".join(one.read_bytes() for one in tmp_path.glob("checkpoints.db*"))
    assert WHICH_CAT.encode() in written
    assert b"Miso" not in written
    assert "Miso" in model.calls[-1].text
    assert [text for role, text in turns(memory) if role == "user"] == [CAT, WHICH_CAT, "And what colour is my cat?"]


def test_a_run_that_crashed_in_the_model_loses_nothing(memory: PersonaMemory) -> None:
    """The error reaches the host; the words are kept, once."""
    model = ScriptedChatModel(answers=[RuntimeError("down"), "Noted."])
    graph = persona_graph(memory, model, checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError, match="down"):
        graph.invoke(say(CAT), **of("ana", "one"))
    graph.invoke(say("Are you there?"), **of("ana", "one"))
    assert turns(memory) == [("user", CAT), ("user", "Are you there?"), ("assistant", "Noted.")]


async def test_without_a_user_it_answers_without_memory_and_says_so_once(
    memory: PersonaMemory, model: ScriptedChatModel, warnings_of: Warnings
) -> None:
    """Counted each time, logged once, nobody made up."""
    doors = Doors()
    graph = persona_graph(memory, model, doors=doors)
    assert graph.invoke(say(CAT))["messages"][-1].text == "Noted."
    assert (await graph.ainvoke(say(CAT)))["messages"][-1].text == "Noted."
    assert doors.failures == {"no user id": 2}
    assert len(warnings_of()) == 1
    assert memory.users() == []


async def test_a_broken_ledger_costs_the_memory_and_not_the_turn(
    memory: PersonaMemory, model: ScriptedChatModel, tmp_path: Path, warnings_of: Warnings
) -> None:
    """Each node fails open by itself; each kind is logged once."""
    doors = Doors()
    graph = persona_graph(memory, model, doors=doors)
    connection = sqlite3.connect(tmp_path / "home" / "memory.db")
    connection.execute("ALTER TABLE users RENAME TO broken")
    connection.close()
    assert graph.invoke(say(CAT), **of("ana"))["messages"][-1].text == "Noted."
    assert (await graph.ainvoke(say(CAT), **of("ana")))["messages"][-1].text == "Noted."
    assert doors.failures == {f"{node}: LedgerError": 2 for node in ("track_state", "retrieve", "optimize_profile")}
    assert len(warnings_of()) == 3
