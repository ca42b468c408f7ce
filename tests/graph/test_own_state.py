"""Hand-made graphs with other state keys, subgraphs, and what happens when keys do not match."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

from persona_memory import (
    Doors,
    InvalidInput,
    PersonaChannel,
    PersonaMemory,
    add_persona_nodes,
    inject,
    optimize_profile_node,
    recall_subgraph,
    retrieve_node,
    route_adapter_node,
    track_state_node,
)
from persona_memory.testing import ScriptedChatModel

from .conftest import CAT, WHICH_CAT, Open, Warnings, of, turns


class Tutor(TypedDict, total=False):
    """A host's state with keys of its own."""

    chat: Annotated[list[AnyMessage], add_messages]
    about_user: PersonaChannel
    lesson: str


class Plain(TypedDict, total=False):
    """A host's state whose conversation is a list of OpenAI-style dictionaries."""

    chat: Annotated[list[dict[str, str]], operator.add]
    about_user: PersonaChannel


@dataclass
class Data:
    """A host's state as a dataclass."""

    chat: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    about_user: PersonaChannel = field(default_factory=dict)


class Model(BaseModel):
    """A host's state as a pydantic model."""

    chat: Annotated[list[AnyMessage], add_messages] = []
    about_user: PersonaChannel = {}


def value(state: Any, key: str) -> Any:
    """A key of any kind of state."""
    return state.get(key) if isinstance(state, Mapping) else getattr(state, key)


def tutor(memory: PersonaMemory, model: ScriptedChatModel, *, state: type[Any] = Tutor) -> Any:
    """A hand-made graph: its own keys, its own model node, its own wiring around ours."""

    def teach(given: Any) -> dict[str, Any]:
        reply = model.invoke(inject(value(given, "chat"), value(given, "about_user")))
        return {"chat": [{"role": "assistant", "content": reply.text} if state is Plain else reply]}

    async def ateach(given: Any) -> dict[str, Any]:
        reply = await model.ainvoke(inject(value(given, "chat"), value(given, "about_user")))
        return {"chat": [{"role": "assistant", "content": reply.text} if state is Plain else reply]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state, context_schema=dict)
    teaching: RunnableLambda[Any, Any] = RunnableLambda(teach, ateach)
    builder.add_node("teach", teaching, input_schema=state)
    add_persona_nodes(builder, memory, model_node="teach", messages="chat", persona="about_user")
    builder.add_edge("teach", "optimize_profile")
    return builder.compile()


@pytest.mark.parametrize("state", [Tutor, Plain, Data, Model])
async def test_a_hand_made_graph_with_other_keys_remembers(
    memory: PersonaMemory, model: ScriptedChatModel, state: type[Any]
) -> None:
    """LangChain messages or dictionaries; a TypedDict, a dataclass or a pydantic model; in every way of running."""
    graph = tutor(memory, model, state=state)

    def say(text: str) -> Any:
        return {"chat": [{"role": "user", "content": text}]}

    graph.invoke(say(CAT), **of("ana", "one"))
    graph.invoke(say(WHICH_CAT), **of("ana", "two"))
    list(graph.stream(say(WHICH_CAT), **of("ana", "three")))
    await graph.ainvoke(say(WHICH_CAT), **of("ana", "four"))
    assert [part async for part in graph.astream(say(WHICH_CAT), **of("ana", "five"))]
    assert [CAT in call.text for call in model.calls] == [True] * 5
    graph.invoke(say(WHICH_CAT), **of("ben", "one"))
    assert CAT not in model.calls[-1].text
    assert turns(memory) == [
        ("user", CAT),
        ("assistant", "Noted."),
        *[("user", WHICH_CAT), ("assistant", "Noted.")] * 4,
    ]


def test_a_hand_made_graph_remembers_across_restarts(open_memory: Open, model: ScriptedChatModel) -> None:
    """A new process, a new graph, the same folder."""
    first = open_memory()
    tutor(first, model).invoke({"chat": [("user", CAT)]}, **of("ana"))
    first.close()
    tutor(open_memory(), model).invoke({"chat": [("user", WHICH_CAT)]}, **of("ana", "new"))
    assert CAT in model.calls[-1].text


def test_a_state_without_the_keys_is_refused_when_the_graph_is_built(memory: PersonaMemory) -> None:
    """The error names the missing keys, those that are there, and both ways out."""

    class Other(TypedDict):
        history: list[Any]

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Other)
    with pytest.raises(InvalidInput) as error:
        add_persona_nodes(builder, memory, model_node="model", messages="history")
    for part in ("'persona'", "history", "persona: PersonaChannel", "persona=…"):
        assert part in str(error.value)
    with pytest.raises(InvalidInput, match="'messages', 'persona'"):
        recall_subgraph(memory, state=Other)


def test_nodes_may_be_wired_one_by_one(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """The factories alone, in a graph whose other nodes stand between them."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Tutor)
    builder.add_node("who", track_state_node(memory, messages="chat", persona="about_user"))
    builder.add_node("plan", lambda state: {"lesson": "fractions"})
    builder.add_node("find", retrieve_node(memory, messages="chat", persona="about_user", ask_questions=False))
    builder.add_node("route", route_adapter_node(memory, persona="about_user", max_tokens=300))
    builder.add_node("teach", lambda s: {"chat": [model.invoke(inject(s["chat"], s["about_user"]))]})
    builder.add_node("keep", optimize_profile_node(memory, messages="chat"))
    for one, following in zip(
        [START, "who", "plan", "find", "route", "teach", "keep"],
        ["who", "plan", "find", "route", "teach", "keep", END],
        strict=True,
    ):
        builder.add_edge(one, following)
    graph = builder.compile()
    graph.invoke({"chat": [("user", CAT)]}, **of("ana", "one"))
    result = graph.invoke({"chat": [("user", WHICH_CAT)]}, **of("ana", "two"))
    assert CAT in model.calls[-1].text
    assert result["lesson"] == "fractions"
    assert result["about_user"]["tokens"] <= 300


def parent(memory: PersonaMemory, model: ScriptedChatModel, own: type[Any], chat: str, **options: Any) -> Any:
    """A graph of the host's with the read path as a subgraph, and a node that keeps the reply."""
    key = options.get("persona", "persona")

    def answer(given: Any) -> dict[str, Any]:
        return {chat: [model.invoke(inject(given[chat], given.get(key)))]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(own, context_schema=dict)
    builder.add_node("recall", recall_subgraph(memory, **options))
    answering: RunnableLambda[Any, Any] = RunnableLambda(answer)
    builder.add_node("answer", answering)
    builder.add_node("keep", optimize_profile_node(memory, messages=chat))
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "answer")
    builder.add_edge("answer", "keep")
    builder.add_edge("keep", END)
    return builder.compile()


class Usual(TypedDict, total=False):
    """A host's state with the usual keys, and a reducer that would double what a subgraph returns."""

    messages: Annotated[list[Any], operator.add]
    persona: PersonaChannel


async def test_the_read_path_as_a_subgraph(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """It gets the parent's context, writes `persona` only, and its decisions reach the parent's stream."""
    graph = parent(memory, model, Usual, "messages", state=Usual)
    graph.invoke({"messages": [{"role": "user", "content": CAT}]}, **of("ana", "one"))
    given = {"messages": [{"role": "user", "content": WHICH_CAT}]}
    result = graph.invoke(given, **of("ana", "two"))
    assert CAT in model.calls[-1].text
    assert len(result["messages"]) == 2, "nothing was doubled"
    await graph.ainvoke(given, **of("ana", "three"))
    assert CAT in model.calls[-1].text
    events = [event for _, event in graph.stream(given, stream_mode="custom", subgraphs=True, **of("ana", "four"))]
    types = [event["type"].removeprefix("persona_memory.") for event in events]
    assert types == ["track_state", "retrieve", "route_adapter", "optimize_profile"]
    assert len(turns(memory)) == 8


def test_a_subgraph_with_the_hosts_own_keys(memory: PersonaMemory, model: ScriptedChatModel) -> None:
    """Named keys are shared; the state's class is checked when the graph is built."""
    graph = parent(memory, model, Tutor, "chat", messages="chat", persona="about_user", state=Tutor)
    graph.invoke({"chat": [("user", CAT)]}, **of("ana", "one"))
    graph.invoke({"chat": [("user", WHICH_CAT)]}, **of("ana", "two"))
    assert CAT in model.calls[-1].text


def test_a_conversation_that_does_not_reach_a_subgraph_is_logged_and_the_turn_goes_on(
    memory: PersonaMemory, model: ScriptedChatModel, warnings_of: Warnings
) -> None:
    """LangGraph says nothing of keys that do not match; the log does, once, with the way out."""
    doors = Doors()
    graph = parent(memory, model, Tutor, "chat", doors=doors)
    for _ in range(2):
        assert graph.invoke({"chat": [("user", CAT)]}, **of("ana"))["chat"][-1].text == "Noted."
    assert doors.failures == {"track_state: MissingState": 2, "retrieve: MissingState": 2}
    assert any("no 'messages'" in line and "messages=…" in line for line in warnings_of())
    assert len(warnings_of()) == 2


def test_nodes_whose_key_the_state_drops_are_logged(
    memory: PersonaMemory, model: ScriptedChatModel, warnings_of: Warnings
) -> None:
    """A hand-wired graph without `persona`: the second node finds that nothing was passed on."""

    class NoKey(TypedDict):
        messages: Annotated[list[Any], add_messages]

    doors = Doors()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(NoKey)
    builder.add_node("track_state", track_state_node(memory, doors=doors))
    builder.add_node("retrieve", retrieve_node(memory, doors=doors))
    builder.add_edge(START, "track_state")
    builder.add_edge("track_state", "retrieve")
    builder.add_edge("retrieve", END)
    builder.compile().invoke({"messages": [("user", CAT)]}, **of("ana"))
    assert doors.failures == {"retrieve: MissingState": 1}
    (line,) = warnings_of()
    assert "persona: PersonaChannel" in line
    assert turns(memory) == [("user", CAT)]


def test_a_message_of_no_known_shape_is_logged_and_the_turn_goes_on(
    memory: PersonaMemory, model: ScriptedChatModel, warnings_of: Warnings
) -> None:
    """A host's own message class: the log names the place, and the graph runs on."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Plain)
    builder.add_node("track_state", track_state_node(memory, messages="chat", persona="about_user"))
    builder.add_edge(START, "track_state")
    builder.add_edge("track_state", END)
    builder.compile().invoke({"chat": [{"role": "user", "content": CAT}, object()]}, **of("ana"))
    assert "InvalidInput: What the caller passed cannot be used" in warnings_of()[0]
