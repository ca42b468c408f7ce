"""Tools for an agent: search_memory, remember, forget_memory. Whose memory it is comes from the run, never from the model."""

from __future__ import annotations

from typing import Any

from langchain.tools import ToolRuntime, tool
from langchain_core.tools import BaseTool
from persona_memory import Hit, Identity, PersonaMemory, PersonaMemoryError, Resolver, identify, resolve_user

NO_USER = "There is no memory in this conversation, because it is not known who the user is."
NOTHING = "Nothing is remembered about that."


def memory_tools(memory: PersonaMemory, *, user_id: Resolver = resolve_user, limit: int = 8) -> list[BaseTool]:
    """The three tools over one memory, for every user.

    Args:
        user_id: (runtime, config) to the user's id, from what you trust.
        limit: memories that one search shows.
    """

    def who(runtime: ToolRuntime[Any, Any]) -> Identity | None:
        return identify(runtime, runtime.config, user_id)

    @tool
    def search_memory(query: str, runtime: ToolRuntime[Any, Any]) -> str:
        """Search what is remembered of the user from earlier conversations. Results carry ids and dates.

        Args:
            query: what to look for, in plain words.
        """
        identity = who(runtime)
        if identity is None:
            return NO_USER
        hits = memory.search(query, user_id=identity.user_id, limit=limit)
        return "\n".join(_shown(hit) for hit in hits) or NOTHING

    @tool
    def remember(statement: str, runtime: ToolRuntime[Any, Any]) -> str:
        """Keep one fact about the user for later conversations, when they ask you to remember it.

        Args:
            statement: the fact as one full sentence about the user.
        """
        identity = who(runtime)
        if identity is None:
            return NO_USER
        try:
            kept = memory.remember(statement, user_id=identity.user_id, thread_id=identity.thread_id)
        except PersonaMemoryError as error:
            return f"That was not kept: {error}"
        return f"Remembered as {kept.id}."

    @tool
    def forget_memory(memory_ids: list[str], runtime: ToolRuntime[Any, Any]) -> str:
        """Erase memories of the user, when they ask for it. Search first to find the ids.

        Args:
            memory_ids: ids from search_memory.
        """
        identity = who(runtime)
        if identity is None:
            return NO_USER
        try:
            receipt = memory.forget(memory_ids, user_id=identity.user_id)
        except PersonaMemoryError as error:
            return f"Nothing was forgotten: {error}"
        return f"Forgotten: {receipt.erased['memories']} memories, and the words they came from in {receipt.erased['turns']} turns."

    return [search_memory, remember, forget_memory]


def _shown(hit: Hit) -> str:
    who = hit.speaker or hit.role or "memory"
    changed = " (has since changed)" if hit.since_changed else ""
    return f"{hit.id} [{hit.at:%Y-%m-%d}] {who}: {' '.join(hit.text.split())}{changed}"
