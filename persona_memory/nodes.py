"""The LangGraph nodes track_state, retrieve, route_adapter and optimize_profile, for a state with keys of your own.

What the nodes pass on is one JSON dictionary under one key of the state ("persona" by default). Every node fails open:
what goes wrong is logged once, counted in its `Doors`, and the turn goes on without memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableLambda
from langgraph.config import get_config
from langgraph.runtime import get_runtime
from pydantic import TypeAdapter

from persona_memory.errors import MissingState
from persona_memory.hosting import Doors, Identity, Resolver, identify, latest_question, resolve_user
from persona_memory.recalling import Found
from persona_memory.types import Observed, Recall

if TYPE_CHECKING:
    from persona_memory.memory import PersonaMemory

DEFAULT_BUDGET = 800

Node = RunnableLambda[Any, dict[str, Any]]


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

    def tracked(who: Identity, seen: Observed) -> dict[str, Any]:
        _stream("track_state", user_id=who.user_id, new=len(seen.new))
        return {"user_id": who.user_id, "thread_id": who.thread, "turns": list(seen.turns)}

    def run(state: Any) -> dict[str, Any]:
        who, known = _who(user_id, doors), {}
        if who is not None:
            known = {"user_id": who.user_id, "thread_id": who.thread}
            with doors.open("track_state"):
                known = tracked(who, memory.observe(_messages(state, messages), **_options(who)))
        return {persona: known}

    async def arun(state: Any) -> dict[str, Any]:
        who, known = _who(user_id, doors), {}
        if who is not None:
            known = {"user_id": who.user_id, "thread_id": who.thread}
            with doors.open("track_state"):
                known = tracked(who, await memory.aobserve(_messages(state, messages), **_options(who)))
        return {persona: known}

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

    def asked(state: Any, known: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        options = {name: known[name] for name in ("user_id", "thread_id")}
        options |= {"exclude": known.get("turns", ()), "offer_question": ask_questions}
        return latest_question(_messages(state, messages)), options

    def passed_on(known: dict[str, Any], found: Found) -> dict[str, Any]:
        _stream("retrieve", hits=len(found.hits), degraded=found.degraded)
        return {**known, "found": _found_type().dump_python(found, mode="json")}

    def run(state: Any) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("retrieve"):
            known = _shared(state, persona)
            if known:
                query, options = asked(state, known)
                known = passed_on(known, memory.find(query, **options))
        return {persona: known}

    async def arun(state: Any) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("retrieve"):
            known = _shared(state, persona)
            if known:
                query, options = asked(state, known)
                known = passed_on(known, await memory.afind(query, **options))
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

    def asked(known: dict[str, Any]) -> Found | None:
        found = known.pop("found", None)
        return None if found is None else _found_type().validate_python(found)

    def routed(known: dict[str, Any], recall: Recall) -> dict[str, Any]:
        plain: dict[str, Any] = _recall_type().dump_python(recall, mode="json")
        _stream("route_adapter", route=plain["route"], tokens=recall.tokens, timings=plain["timings"])
        return {**known, **plain}

    def run(state: Any) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("route_adapter"):
            known = _shared(state, persona)
            found = asked(known)
            if found is not None:
                known = routed(known, memory.route(found, max_tokens=max_tokens, thread_id=known["thread_id"]))
        return {persona: known}

    async def arun(state: Any) -> dict[str, Any]:
        known: dict[str, Any] = {}
        with doors.open("route_adapter"):
            known = _shared(state, persona)
            found = asked(known)
            if found is not None:
                known = routed(known, await memory.aroute(found, max_tokens=max_tokens, thread_id=known["thread_id"]))
        return {persona: known}

    return RunnableLambda(run, arun, name="route_adapter")


def optimize_profile_node(
    memory: PersonaMemory,
    *,
    messages: str = "messages",
    user_id: Resolver = resolve_user,
    doors: Doors | None = None,
) -> Node:
    """A node, after the model, that makes the reply durable; learning and the profile's optimiser follow by themselves.

    It never waits for them. The messages that were held already add nothing.
    """
    doors = doors or Doors()

    def run(state: Any) -> dict[str, Any]:
        who = _who(user_id, doors, silent=True)
        if who is not None:
            with doors.open("optimize_profile"):
                seen = memory.observe(_messages(state, messages), **_options(who))
                _stream("optimize_profile", new=len(seen.new))
        return {}

    async def arun(state: Any) -> dict[str, Any]:
        who = _who(user_id, doors, silent=True)
        if who is not None:
            with doors.open("optimize_profile"):
                seen = await memory.aobserve(_messages(state, messages), **_options(who))
                _stream("optimize_profile", new=len(seen.new))
        return {}

    return RunnableLambda(run, arun, name="optimize_profile")


def _who(resolver: Resolver, doors: Doors, *, silent: bool = False) -> Identity | None:
    who = None
    with doors.open("user id"):
        who = identify(get_runtime(), get_config(), resolver)
        if who is None and not silent:
            doors.no_user()
    return who


def _options(who: Identity) -> dict[str, Any]:
    return {"user_id": who.user_id, "thread_id": who.thread, "speaker": who.speaker}


def _messages(state: Any, key: str) -> list[Any]:
    found: list[Any] | None = _get(state, key)
    if found is None:
        raise MissingState(
            f"the state that reaches this node has no {key!r} (it has: {_keys(state)}); name the key of your "
            "conversation with messages=…"
        )
    return found


def _shared(state: Any, key: str) -> dict[str, Any]:
    """What the node before passed on; empty in a run without memory."""
    found: dict[str, Any] | None = _get(state, key)
    if found is None:
        raise MissingState(
            f"the state that reaches this node has no {key!r} (it has: {_keys(state)}): either track_state has not run "
            f"before, or your state does not declare `{key}: PersonaChannel` and LangGraph dropped it; name your own "
            "key with persona=…"
        )
    return dict(found)


def _get(state: Any, key: str) -> Any:
    """A key of a state that is a dictionary, a dataclass or a pydantic model; None where it is missing."""
    return state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)


def _keys(state: Any) -> str:
    return ", ".join(sorted(state if isinstance(state, Mapping) else vars(state))) or "no keys at all"


def _stream(node: str, **data: Any) -> None:
    get_runtime().stream_writer({"type": f"persona_memory.{node}", **data})


@cache
def _found_type() -> TypeAdapter[Found]:
    return TypeAdapter(Found)


@cache
def _recall_type() -> TypeAdapter[Recall]:
    return TypeAdapter(Recall)
