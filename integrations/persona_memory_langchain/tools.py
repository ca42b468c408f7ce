"""Tools for an agent: search_memory, remember, forget_memory. The run says whose memory it is, never the model."""

from __future__ import annotations

from typing import Any

from langchain.tools import ToolRuntime
from langchain_core.tools import BaseTool, StructuredTool

from persona_memory import Doors, InvalidInput, NotFound, PersonaMemory, Resolver, identify, render_search, resolve_user

NO_USER = "There is no memory in this conversation, because it is not known who the user is."
NOTHING = "Nothing is remembered about that."
CLOSED = "The user has closed the memory for this conversation."
BROKEN = "The memory cannot be reached right now."

Run = ToolRuntime[Any, Any]


def memory_tools(
    memory: PersonaMemory, *, user_id: Resolver = resolve_user, limit: int = 8, doors: Doors | None = None
) -> list[BaseTool]:
    """The three tools over one memory, for every user. If memory breaks, a tool says so and the run goes on.

    Args:
        user_id: (runtime, config) to the user's id, from what you trust.
        limit: memories that one search shows.
        doors: counts failures.
    """
    doors = doors or Doors()
    return [
        _search_tool(memory, user_id, doors, limit),
        _remember_tool(memory, user_id, doors),
        _forget_tool(memory, user_id, doors),
    ]


def _search_tool(memory: PersonaMemory, resolver: Resolver, doors: Doors, limit: int) -> BaseTool:
    def search_memory(query: str, runtime: Run) -> str:
        """Search what is remembered of the user from earlier conversations. Results carry ids and dates.

        Args:
            query: what to look for, in plain words.
        """
        with doors.open("search_memory"):
            who = identify(runtime, runtime.config, resolver)
            if who is None:
                return NO_USER
            found = memory.find(query, user_id=who.user_id, thread_id=who.thread)
            return CLOSED if found.closed else render_search(found.hits[:limit], now=found.now) or NOTHING
        return BROKEN

    async def asearch_memory(query: str, runtime: Run) -> str:
        with doors.open("search_memory"):
            who = identify(runtime, runtime.config, resolver)
            if who is None:
                return NO_USER
            found = await memory.afind(query, user_id=who.user_id, thread_id=who.thread)
            return CLOSED if found.closed else render_search(found.hits[:limit], now=found.now) or NOTHING
        return BROKEN

    return StructuredTool.from_function(search_memory, asearch_memory, parse_docstring=True)


def _remember_tool(memory: PersonaMemory, resolver: Resolver, doors: Doors) -> BaseTool:
    def remember(statement: str, runtime: Run) -> str:
        """Keep one fact about the user for later conversations, when they ask you to remember it.

        Args:
            statement: the fact as one full sentence about the user.
        """
        with doors.open("remember"):
            who = identify(runtime, runtime.config, resolver)
            if who is None:
                return NO_USER
            policy = memory.policy(user_id=who.user_id)
            if policy.paused or who.thread in policy.incognito_threads:
                return CLOSED
            try:
                kept = memory.remember(statement, user_id=who.user_id, thread_id=who.thread_id)
            except InvalidInput as error:
                return f"That was not kept: {error}"
            return f"Remembered as {kept.id}."
        return BROKEN

    return StructuredTool.from_function(remember, parse_docstring=True)


def _forget_tool(memory: PersonaMemory, resolver: Resolver, doors: Doors) -> BaseTool:
    def forget_memory(memory_ids: list[str], runtime: Run) -> str:
        """Erase memories of the user, when they ask for it. Search first to find the ids.

        Args:
            memory_ids: ids from search_memory.
        """
        with doors.open("forget_memory"):
            who = identify(runtime, runtime.config, resolver)
            if who is None:
                return NO_USER
            try:
                erased = memory.forget(memory_ids, user_id=who.user_id).erased
            except (InvalidInput, NotFound) as error:
                return f"Nothing was forgotten: {error}"
            return f"Forgotten: {erased['memories']} memories, and what was said of them in {erased['turns']} turns."
        return BROKEN

    return StructuredTool.from_function(forget_memory, parse_docstring=True)
