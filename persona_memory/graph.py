"""The LangGraph nodes track_state, retrieve, route_adapter and optimize_profile, and the graphs made of them.

    START → track_state → retrieve → route_adapter → your model → optimize_profile → END

Three ways in: `persona_graph` is a ready graph around a model; `recall_subgraph` is the read path as one compiled node;
the factories (`track_state_node` …) map your own state keys, and `add_persona_nodes` wires them and checks the keys.

What the nodes pass on is one JSON dictionary under one key ("persona" by default). Declare it in your own state as
`persona: PersonaChannel`, and it never reaches a checkpoint. Decisions are streamed as custom events of type
"persona_memory.…". Every node fails open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import get_runtime
from pydantic import TypeAdapter

from persona_memory.errors import InvalidInput
from persona_memory.hosting import Doors, Identity, Resolver, identify, inject, latest_question, resolve_user
from persona_memory.recalling import Found
from persona_memory.types import Recall

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langgraph.graph.state import CompiledStateGraph

    from persona_memory.memory import PersonaMemory

PersonaChannel = Annotated[dict[str, Any], UntrackedValue]
"""The type of the state key that the nodes share: lives for one run, is never checkpointed."""

DEFAULT_BUDGET = 800

Node = RunnableLambda[Any, dict[str, Any]]


class PersonaGraphState(TypedDict, total=False):
    """The state of the ready graphs."""

    messages: Annotated[list[AnyMessage], add_messages]
    persona: PersonaChannel


def track_state_node(
    memory: PersonaMemory,
    *,
    messages: str = "messages",
    persona: str = "persona",
    user_id: Resolver = resolve_user,
    doors: Doors | None = None,
) -> Node:
    """A node that makes the messages durable and says who speaks; learning follows in the background.

    Args:
        messages: your state's key of the conversation.
        persona: your state's key that the nodes share.
        user_id: from (runtime, config) to the user's id; None for a run without memory.
        doors: counts failures; share one among the nodes of a graph.
    """
    doors = doors or Doors()

    def tracked(who: Identity, turns: Sequence[int], new: int) -> dict[str, Any]:
        _stream("track_state", user_id=who.user_id, new=new)
        return {"user_id": who.user_id, "thread_id": who.thread, "turns": list(turns)}

    def run(state: Mapping[str, Any]) -> dict[str, Any]:
        who, found = _who(user_id, doors), {}
        if who is not None:
            with doors.open("track_state"):
                seen = memory.observe(_get(state, messages), user_id=who.user_id, thread_id=who.thread)
                found = tracked(who, seen.turns, len(seen.new))
        return {persona: found}

    async def arun(state: Mapping[str, Any]) -> dict[str, Any]:
        who, found = _who(user_id, doors), {}
        if who is not None:
            with doors.open("track_state"):
                seen = await memory.aobserve(_get(state, messages), user_id=who.user_id, thread_id=who.thread)
                found = tracked(who, seen.turns, len(seen.new))
        return {persona: found}

    return RunnableLambda(run, arun, name="track_state")


def retrieve_node(
    memory: PersonaMemory,
    *,
    messages: str = "messages",
    persona: str = "persona",
    ask_questions: bool = True,
    doors: Doors | None = None,
) -> Node:
    """A node that finds what is relevant to the latest human message. Runs after `track_state_node`.

    Args:
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
    """
    doors = doors or Doors()

    def asked(state: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        known = dict(state.get(persona) or {})
        options = {"thread_id": known.get("thread_id"), "exclude": known.get("turns", ())}
        return latest_question(_get(state, messages)), known, {**options, "offer_question": ask_questions}

    def passed_on(known: dict[str, Any], found: Found) -> dict[str, Any]:
        _stream("retrieve", hits=len(found.hits), degraded=found.degraded)
        return {**known, "found": _found_type().dump_python(found, mode="json")}

    def run(state: Mapping[str, Any]) -> dict[str, Any]:
        query, known, options = asked(state)
        if known:
            with doors.open("retrieve"):
                known = passed_on(known, memory.find(query, user_id=known["user_id"], **options))
        return {persona: known}

    async def arun(state: Mapping[str, Any]) -> dict[str, Any]:
        query, known, options = asked(state)
        if known:
            with doors.open("retrieve"):
                known = passed_on(known, await memory.afind(query, user_id=known["user_id"], **options))
        return {persona: known}

    return RunnableLambda(run, arun, name="retrieve")


def route_adapter_node(
    memory: PersonaMemory,
    *,
    persona: str = "persona",
    max_tokens: int = DEFAULT_BUDGET,
    doors: Doors | None = None,
) -> Node:
    """A node that decides how the memory reaches the model, and renders it within `max_tokens`.

    Its result under `persona` is what `inject` takes: `profile_text`, `memory_text`, the `route` with its reason, the
    `hits` with their scores, `tokens`, `timings`.
    """
    doors = doors or Doors()

    def asked(state: Mapping[str, Any]) -> tuple[dict[str, Any], Found | None]:
        known = dict(state.get(persona) or {})
        found = known.pop("found", None)
        return known, None if found is None else _found_type().validate_python(found)

    def routed(known: dict[str, Any], recall: Recall) -> dict[str, Any]:
        plain: dict[str, Any] = _recall_type().dump_python(recall, mode="json")
        _stream("route_adapter", route=plain["route"], tokens=recall.tokens, timings=plain["timings"])
        return {**known, **plain}

    def run(state: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("route_adapter"):
            known, found = asked(state)
            if found is not None:
                known = routed(known, memory.route(found, max_tokens=max_tokens, thread_id=known["thread_id"]))
        return {persona: known}

    async def arun(state: Mapping[str, Any]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("route_adapter"):
            known, found = asked(state)
            if found is not None:
                known = routed(known, await memory.aroute(found, max_tokens=max_tokens, thread_id=known["thread_id"]))
        return {persona: known}

    return RunnableLambda(run, arun, name="route_adapter")


def optimize_profile_node(
    memory: PersonaMemory,
    *,
    messages: str = "messages",
    persona: str = "persona",
    user_id: Resolver = resolve_user,
    doors: Doors | None = None,
) -> Node:
    """A node, after the model, that makes the reply durable; learning and the profile's optimiser follow in the background.

    It never waits for them. The messages that were held already add nothing.
    """
    doors = doors or Doors()

    def run(state: Mapping[str, Any]) -> dict[str, Any]:
        who = _who(user_id, doors, silent=True)
        if who is not None:
            with doors.open("optimize_profile"):
                seen = memory.observe(_get(state, messages), user_id=who.user_id, thread_id=who.thread)
                _stream("optimize_profile", new=len(seen.new))
        return {persona: dict(state.get(persona) or {})}

    async def arun(state: Mapping[str, Any]) -> dict[str, Any]:
        who = _who(user_id, doors, silent=True)
        if who is not None:
            with doors.open("optimize_profile"):
                seen = await memory.aobserve(_get(state, messages), user_id=who.user_id, thread_id=who.thread)
                _stream("optimize_profile", new=len(seen.new))
        return {persona: dict(state.get(persona) or {})}

    return RunnableLambda(run, arun, name="optimize_profile")


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
) -> Doors:
    """Add the four nodes to your own graph around `model_node`, which is the next thing to run; returns their `Doors`.

    Wires START → track_state → retrieve → route_adapter → `model_node`, and adds optimize_profile, to which you draw the
    edge from where your graph is done; it leads to END. In the model node call `inject(state[messages], state[persona])`.

    Raises:
        InvalidInput: your state has no such keys: a graph would drop what the nodes say without a word.
    """
    missing = [key for key in (messages, persona) if key not in builder.channels]
    if missing:
        keys = ", ".join(sorted(builder.channels))
        raise InvalidInput(
            f"the graph's state has no key {missing!r} (it has: {keys}); add it, e.g. `{persona}: PersonaChannel`, or name "
            "your own keys with messages=… and persona=…"
        )
    doors = Doors()
    track = track_state_node(memory, messages=messages, persona=persona, user_id=user_id, doors=doors)
    find = retrieve_node(memory, messages=messages, persona=persona, ask_questions=ask_questions, doors=doors)
    after = optimize_profile_node(memory, messages=messages, persona=persona, user_id=user_id, doors=doors)
    builder.add_node("track_state", track)
    builder.add_node("retrieve", find)
    builder.add_node("route_adapter", route_adapter_node(memory, persona=persona, max_tokens=max_tokens, doors=doors))
    builder.add_node("optimize_profile", after)
    builder.add_edge(START, "track_state")
    builder.add_edge("track_state", "retrieve")
    builder.add_edge("retrieve", "route_adapter")
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
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A ready graph around a chat model: a chatbot that remembers people.

    Run it with `graph.invoke({"messages": [...]}, context={"user_id": "ana"})`; a thread id goes where LangGraph wants it,
    in `config={"configurable": {"thread_id": …}}`.
    """
    opening = [SystemMessage(system_prompt)] if system_prompt else []

    def prompt(state: Mapping[str, Any]) -> list[AnyMessage]:
        return inject([*opening, *state["messages"]], state.get("persona"))

    def call(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [model.invoke(prompt(state), config)]}

    async def acall(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(prompt(state), config)]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(PersonaGraphState, context_schema=context_schema)
    answer: Node = RunnableLambda(call, acall, name="model")
    builder.add_node("model", answer)
    builder.add_edge("model", "optimize_profile")
    add_persona_nodes(
        builder, memory, model_node="model", max_tokens=max_tokens, ask_questions=ask_questions, user_id=user_id
    )
    return builder.compile(checkpointer=checkpointer, name="persona_graph")


def recall_subgraph(
    memory: PersonaMemory,
    *,
    max_tokens: int = DEFAULT_BUDGET,
    ask_questions: bool = True,
    user_id: Resolver = resolve_user,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The read path as one compiled node: track_state → retrieve → route_adapter.

    It shares `messages` and `persona` with your state by name; with other names, take `add_persona_nodes` or the factories.
    """
    doors = Doors()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(PersonaGraphState)
    builder.add_node("track_state", track_state_node(memory, user_id=user_id, doors=doors))
    builder.add_node("retrieve", retrieve_node(memory, ask_questions=ask_questions, doors=doors))
    builder.add_node("route_adapter", route_adapter_node(memory, max_tokens=max_tokens, doors=doors))
    builder.add_edge(START, "track_state")
    builder.add_edge("track_state", "retrieve")
    builder.add_edge("retrieve", "route_adapter")
    builder.add_edge("route_adapter", END)
    return builder.compile(name="persona_recall")


def _who(resolver: Resolver, doors: Doors, *, silent: bool = False) -> Identity | None:
    who = None
    with doors.open("user id"):
        who = identify(get_runtime(), get_config(), resolver)
        if who is None and not silent:
            doors.no_user()
    return who


def _get(state: Mapping[str, Any], key: str) -> list[AnyMessage]:
    if key not in state:
        raise InvalidInput(f"the state has no key {key!r}; name the key of your conversation with messages=…")
    found: list[AnyMessage] = state[key]
    return found


def _stream(node: str, **data: Any) -> None:
    get_runtime().stream_writer({"type": f"persona_memory.{node}", **data})


@cache
def _found_type() -> TypeAdapter[Found]:
    return TypeAdapter(Found)


@cache
def _recall_type() -> TypeAdapter[Recall]:
    return TypeAdapter(Recall)
