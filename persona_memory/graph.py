"""Ready graphs made of the nodes track_state, retrieve, route_adapter and optimize_profile.

    START → track_state → retrieve → route_adapter → your model → optimize_profile → END

Three ways in: `persona_graph` is a ready graph around a model; `recall_subgraph` is the read path as one compiled node;
the factories (`track_state_node` …) map your own state keys, and `add_persona_nodes` wires them and checks the keys.

What the nodes pass on is one JSON dictionary under one key ("persona" by default). Declare it in your own state as
`persona: PersonaChannel`, and it never reaches a checkpoint. Decisions are streamed as custom events of type
"persona_memory.…". Every node fails open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from persona_memory.errors import InvalidInput
from persona_memory.hosting import Doors, Resolver, resolve_user
from persona_memory.injecting import with_memory
from persona_memory.nodes import (
    DEFAULT_BUDGET,
    Node,
    optimize_profile_node,
    retrieve_node,
    route_adapter_node,
    track_state_node,
)

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langgraph.graph.state import CompiledStateGraph

    from persona_memory.memory import PersonaMemory

PersonaChannel = Annotated[dict[str, Any], UntrackedValue]
"""The type of the state key that the nodes share: lives for one run, and never reaches a checkpoint.

A run that is resumed after an interrupt between route_adapter and the model has it no more. Where your graph stops
there, declare the key as a plain `dict[str, Any]`: it is then stored in the checkpoint, recalled text and all.
"""


class PersonaGraphState(TypedDict, total=False):
    """The state of the ready graphs."""

    messages: Annotated[list[AnyMessage], add_messages]
    persona: PersonaChannel


def add_persona_nodes(
    builder: StateGraph[Any, Any, Any, Any],
    memory: PersonaMemory,
    *,
    model_node: str,
    messages: str = "messages",
    persona: str = "persona",
    max_tokens: int = DEFAULT_BUDGET,
    ask_questions: bool = True,
    user_id: Resolver = resolve_user,
    doors: Doors | None = None,
) -> Doors:
    """Add the four nodes to your own graph around `model_node`, which is the next thing to run; returns their `Doors`.

    Wires START → track_state → retrieve → route_adapter → `model_node`, and adds optimize_profile, to which you draw
    the edge from where your graph is done; it leads to END. Your model node calls
    `inject(state[messages], state[persona])`, or `with_memory(model, …)` for a model that has adapters.

    Raises:
        InvalidInput: your state has no such keys: a graph would drop what the nodes say without a word.
    """
    _check_keys(builder.channels, messages=messages, persona=persona)
    doors = doors or Doors()
    _add_read_path(
        builder, memory, messages=messages, persona=persona, max_tokens=max_tokens, ask_questions=ask_questions,
        user_id=user_id, doors=doors,
    )  # fmt: skip
    after = optimize_profile_node(memory, messages=messages, user_id=user_id, doors=doors)
    builder.add_node("optimize_profile", after)
    builder.add_edge("route_adapter", model_node)
    builder.add_edge("optimize_profile", END)
    return doors


def persona_graph(
    memory: PersonaMemory,
    model: BaseChatModel,
    *,
    system_prompt: str | None = None,
    max_tokens: int = DEFAULT_BUDGET,
    ask_questions: bool = True,
    user_id: Resolver = resolve_user,
    checkpointer: Any = None,
    context_schema: type[Any] | None = dict,
    doors: Doors | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A ready graph around a chat model: a chatbot that remembers people.

    Run it with `graph.invoke({"messages": [...]}, context={"user_id": "ana"})`; a thread id goes where LangGraph wants
    it, in `config={"configurable": {"thread_id": …}}`.
    """
    opening = [SystemMessage(system_prompt)] if system_prompt else []

    def prompt(state: Mapping[str, Any]) -> tuple[BaseChatModel, list[AnyMessage]]:
        return with_memory(model, [*opening, *state["messages"]], state.get("persona"))

    def call(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        asked, messages = prompt(state)
        return {"messages": [asked.invoke(messages, config)]}

    async def acall(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        asked, messages = prompt(state)
        return {"messages": [await asked.ainvoke(messages, config)]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(PersonaGraphState, context_schema=context_schema)
    answer: Node = RunnableLambda(call, acall, name="model")
    builder.add_node("model", answer)
    builder.add_edge("model", "optimize_profile")
    add_persona_nodes(
        builder, memory, model_node="model", max_tokens=max_tokens, ask_questions=ask_questions, user_id=user_id,
        doors=doors,
    )  # fmt: skip
    return builder.compile(checkpointer=checkpointer, name="persona_graph")


def recall_subgraph(
    memory: PersonaMemory,
    *,
    messages: str = "messages",
    persona: str = "persona",
    state: type[Any] | None = None,
    max_tokens: int = DEFAULT_BUDGET,
    ask_questions: bool = True,
    user_id: Resolver = resolve_user,
    doors: Doors | None = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The read path as one compiled node: track_state → retrieve → route_adapter. It writes `persona` and nothing else.

    A subgraph shares keys with your state by name, so say which yours are. LangGraph drops what has no counterpart
    without a word: pass your state's class as `state`, and it is checked here. Else a conversation that does not
    arrive is logged once, as every failure, and a `persona` that your state lacks is found by nobody.

    Args:
        messages: your state's key of the conversation.
        persona: your state's key for what is remembered, a `PersonaChannel`; `inject` takes it.
        state: your state's class.

    Raises:
        InvalidInput: `state` lacks one of the keys.
    """
    if state is not None:
        _check_keys(StateGraph(state).channels, messages=messages, persona=persona)
    typed_dict: Any = TypedDict  # keys that are known only now
    shared = typed_dict("PersonaRecallState", {messages: list[Any], persona: PersonaChannel}, total=False)
    output = typed_dict("PersonaRecallOutput", {persona: PersonaChannel}, total=False)
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(shared, output_schema=output)
    _add_read_path(
        builder, memory, messages=messages, persona=persona, max_tokens=max_tokens, ask_questions=ask_questions,
        user_id=user_id, doors=doors or Doors(),
    )  # fmt: skip
    builder.add_edge("route_adapter", END)
    return builder.compile(name="persona_recall")


def _check_keys(declared: Collection[str], *, messages: str, persona: str) -> None:
    missing = [key for key in (messages, persona) if key not in declared]
    if missing:
        raise InvalidInput(
            f"the graph's state has no key {missing!r} (it has: {', '.join(sorted(declared))}); add it, e.g. "
            f"`{persona}: PersonaChannel`, or name your own keys with messages=… and persona=…"
        )


def _add_read_path(
    builder: StateGraph[Any, Any, Any, Any],
    memory: PersonaMemory,
    *,
    messages: str,
    persona: str,
    max_tokens: int,
    ask_questions: bool,
    user_id: Resolver,
    doors: Doors,
) -> None:
    track = track_state_node(memory, messages=messages, persona=persona, user_id=user_id, doors=doors)
    find = retrieve_node(memory, messages=messages, persona=persona, ask_questions=ask_questions, doors=doors)
    builder.add_node("track_state", track)
    builder.add_node("retrieve", find)
    builder.add_node("route_adapter", route_adapter_node(memory, persona=persona, max_tokens=max_tokens, doors=doors))
    builder.add_edge(START, "track_state")
    builder.add_edge("track_state", "retrieve")
    builder.add_edge("retrieve", "route_adapter")
