"""PersonaMemoryMiddleware: a `create_agent` agent that remembers people.

    before_agent      make every message durable that is not yet (also what an interrupted run left behind); recall
    wrap_model_call   put what is remembered into this model call only: the agent's state stays clean
    after_agent       make the reply durable; learning follows in the background

It keeps nothing of a run in itself, so one instance serves many people at once. If memory breaks, the run goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
)
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, SystemMessage
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Command

from persona_memory import (
    Doors,
    Host,
    Identity,
    PersonaMemory,
    Placement,
    Recall,
    Resolver,
    identify,
    latest_question,
    resolve_user,
    still_shown,
    with_memory,
)
from persona_memory_langchain.tools import memory_tools

KEY = "persona_memory"

Response = ModelResponse[Any] | ExtendedModelResponse[Any]


class PersonaMemoryState(AgentState[Any]):
    """The agent's state with what was recalled for this run; private, and never checkpointed."""

    persona_memory: NotRequired[Annotated[dict[str, Any], PrivateStateAttr, UntrackedValue]]


class PersonaMemoryMiddleware(AgentMiddleware[PersonaMemoryState, Any, Any]):
    """Gives an agent a lasting memory of each user.

    The user is `context={"user_id": …}`, or `configurable["user_id"]`, or whatever `user_id` resolves. Without one the
    agent answers without memory, and says so once in the log. In a thread of several humans, `speaker` beside the user
    id says which messages are the user's own, by their `name`.

    Args:
        memory: the memory; closed by whoever opened it.
        max_tokens: budget of what is put into the prompt.
        user_id: (runtime, config) to the user's id, from what you trust.
        profile: where the profile goes, "system" (its end) or "message" (beside the latest human message).
        memories: where this turn's memories go.
        ask_questions: at most once per thread, offer the model a question about what is still unknown of the person.
        tools: also give the agent search_memory, remember and forget_memory.

    Attributes:
        doors: what failed, by kind; `doors.failures` is empty while all is well.
    """

    state_schema = PersonaMemoryState

    def __init__(
        self,
        memory: PersonaMemory,
        *,
        max_tokens: int = 800,
        user_id: Resolver = resolve_user,
        profile: Placement = "system",
        memories: Placement = "message",
        ask_questions: bool = True,
        tools: bool = False,
    ) -> None:
        super().__init__()
        self.resolver = user_id
        self.profile, self.memories = profile, memories
        self.doors = Doors()
        self.host = Host(memory, max_tokens=max_tokens, ask_questions=ask_questions, doors=self.doors)
        self.tools = memory_tools(memory, user_id=user_id, doors=self.doors) if tools else []

    def before_agent(self, state: PersonaMemoryState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Make durable what is not yet, and recall for the latest human message."""
        who, messages = self._who(runtime), state["messages"]
        question, recalled = latest_question(messages), None
        turns: tuple[int, ...] = ()
        if who is not None:
            turns = self.host.observe(messages, who)
            recalled = self.host.recall(question, who, shown=turns)
        return self._update(recalled, runtime, messages, turns, question)

    async def abefore_agent(self, state: PersonaMemoryState, runtime: Runtime[Any]) -> dict[str, Any]:
        """As `before_agent`."""
        who, messages = self._who(runtime), state["messages"]
        question, recalled = latest_question(messages), None
        turns: tuple[int, ...] = ()
        if who is not None:
            turns = await self.host.aobserve(messages, who)
            recalled = await self.host.arecall(question, who, shown=turns)
        return self._update(recalled, runtime, messages, turns, question)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Response:
        """Put what is remembered into this call.

        A run that was resumed after an interrupt comes without what was recalled: it is recalled again, once. So it is
        where a summary has taken the place of messages since: what they said may be recalled now.
        """
        update = None if KEY in request.state else self.before_agent(_state(request), request.runtime)
        shown = _shown(request) if update is None else None
        who = self._who(request.runtime, silent=True) if shown is not None else None
        if who is not None and shown is not None:
            question = str(_recalled(request)["question"])
            again = self.host.recall(question, who, shown=shown)
            if again is not None:
                update = self._update(again, request.runtime, request.messages, shown, question)
        response = handler(self._injected(request, update))
        who = self._who(request.runtime, silent=True) if _speaks_and_goes_on(response) else None
        if who is not None:
            self.host.after([*request.state["messages"], *response.result], who)
        return _with(response, update)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> Response:
        """As `wrap_model_call`."""
        update = None if KEY in request.state else await self.abefore_agent(_state(request), request.runtime)
        shown = _shown(request) if update is None else None
        who = self._who(request.runtime, silent=True) if shown is not None else None
        if who is not None and shown is not None:
            question = str(_recalled(request)["question"])
            again = await self.host.arecall(question, who, shown=shown)
            if again is not None:
                update = self._update(again, request.runtime, request.messages, shown, question)
        response = await handler(self._injected(request, update))
        who = self._who(request.runtime, silent=True) if _speaks_and_goes_on(response) else None
        if who is not None:
            await self.host.aafter([*request.state["messages"], *response.result], who)
        return _with(response, update)

    def after_agent(self, state: PersonaMemoryState, runtime: Runtime[Any]) -> None:
        """Make the reply durable; never waits for learning."""
        who = self._who(runtime, silent=True)
        if who is not None:
            self.host.after(state["messages"], who)

    async def aafter_agent(self, state: PersonaMemoryState, runtime: Runtime[Any]) -> None:
        """As `after_agent`."""
        who = self._who(runtime, silent=True)
        if who is not None:
            await self.host.aafter(state["messages"], who)

    def _who(self, runtime: Runtime[Any], *, silent: bool = False) -> Identity | None:
        who = None
        with self.doors.open("user id"):
            who = identify(runtime, get_config(), self.resolver)
            if who is None and not silent:
                self.doors.no_user()
        return who

    def _update(
        self,
        recalled: Recall | None,
        runtime: Runtime[Any],
        messages: Sequence[AnyMessage],
        turns: Sequence[int],
        question: str,
    ) -> dict[str, Any]:
        if recalled is None:
            return {KEY: {}}
        event = {"route": asdict(recalled.route), "tokens": recalled.tokens, "hits": [hit.id for hit in recalled.hits]}
        runtime.stream_writer({"type": "persona_memory.recall", **event})
        seen = {"first": messages[0].id if messages else None, "turns": list(turns), "question": question}
        texts = {"profile_text": recalled.profile_text, "memory_text": recalled.memory_text}
        return {KEY: {**texts, **event, **seen}}

    def _injected(self, request: ModelRequest[Any], update: Mapping[str, Any] | None) -> ModelRequest[Any]:
        state: Mapping[str, Any] = request.state if update is None else update
        recalled = state.get(KEY)
        if not recalled:
            return request
        with self.doors.open("inject"):
            opening: list[AnyMessage] = [request.system_message] if request.system_message else []
            model, messages = with_memory(
                request.model, [*opening, *request.messages], recalled, profile=self.profile, memories=self.memories
            )
            system = messages[0] if isinstance(messages[0], SystemMessage) else None
            rest = messages[1:] if system is not None else messages
            return request.override(model=model, system_message=system, messages=rest)
        return request


def _state(request: ModelRequest[Any]) -> PersonaMemoryState:
    state: Any = request.state
    found: PersonaMemoryState = state
    return found


def _shown(request: ModelRequest[Any]) -> tuple[int, ...] | None:
    """Turns that this call still shows, where its conversation no longer begins as it did at the recall; else None."""
    recalled = _recalled(request)
    if not recalled or not request.messages or request.messages[0].id == recalled["first"]:
        return None
    return still_shown(recalled["turns"], request.messages)


def _recalled(request: ModelRequest[Any]) -> Mapping[str, Any]:
    """What was recalled in this run; empty where nothing could be."""
    state: Mapping[str, Any] = request.state
    found: Mapping[str, Any] = state.get(KEY) or {}
    return found


def _speaks_and_goes_on(response: ModelResponse[Any]) -> bool:
    """Whether the model says something before a tool call: a summary may take its place before the run ends."""
    return any(isinstance(one, AIMessage) and one.tool_calls and one.text for one in response.result)


def _with(response: ModelResponse[Any], update: Mapping[str, Any] | None) -> Response:
    """The response; with what was recalled during this call, so that later calls of the run have it, too."""
    return response if update is None else ExtendedModelResponse(response, Command(update=dict(update)))
