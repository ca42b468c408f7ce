"""A summarizer for LangChain's `SummarizationMiddleware` that needs no model, as nothing of what goes is lost."""

from __future__ import annotations

from langchain_core.messages import AnyMessage, get_buffer_string
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.config import get_config
from langgraph.runtime import get_runtime

from persona_memory import Doors, PersonaMemory, Resolver, identify, resolve_user

REMEMBERED = (
    "Earlier messages of this conversation are not shown any more. They are remembered: what bears on the user's "
    "latest message is recalled beside it."
)
LONGEST = 8_000
"""Characters of a conversation that is not remembered, which stand in place of it."""


def memory_summarizer(
    memory: PersonaMemory, *, user_id: Resolver = resolve_user, doors: Doors | None = None
) -> Runnable[list[AnyMessage], str]:
    """Says that what goes is remembered; `PersonaMemoryMiddleware` recalls of it what each message needs.

    No model is called, and no copy of what was said outlives `forget` in the agent's state. Where nothing is stored (no
    user, a paused memory, an incognito thread, a memory that breaks) the end of the conversation's own text stays.

    Args:
        user_id: (runtime, config) to the user's id, as for the middleware.
        doors: counts failures.
    """
    doors = doors or Doors()

    def summarize(messages: list[AnyMessage]) -> str:
        with doors.open("summarize"):
            who = identify(get_runtime(), get_config(), user_id)
            if who is not None:
                policy = memory.policy(user_id=who.user_id)
                if not (policy.paused or who.thread in policy.incognito_threads):
                    return REMEMBERED
        return get_buffer_string(messages)[-LONGEST:]

    return RunnableLambda(summarize)
