"""A chat in the terminal with any model, or offline, that remembers who it talks to."""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

from rich.console import Console

from persona_memory import PersonaMemory, persona_graph
from persona_memory.cli.output import complain
from persona_memory.demo.offline_model import OfflineChatModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

GREETING = "What you say is remembered. An empty line or Ctrl-D ends it; `persona-memory show` shows what is known."
SYSTEM_PROMPT = "You are a friendly assistant who knows the user from earlier conversations."


def talk(
    memory: PersonaMemory, console: Console, *, user_id: str, model: BaseChatModel | None, thread_id: str | None
) -> None:
    """Read lines and answer them until the person ends it; then wait until what was said is learnt."""
    from langgraph.checkpoint.memory import InMemorySaver

    graph = persona_graph(
        memory, model or OfflineChatModel(), system_prompt=SYSTEM_PROMPT, checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": thread_id or f"chat-{uuid.uuid4().hex[:8]}"}}
    if sys.stdin.isatty():
        console.print(GREETING, style="dim")
    while line := _read(console):
        _answer(graph, config, console, line, user_id=user_id)
    with console.status("learning what was said …"):
        memory.flush(user_id=user_id)


def _answer(graph: Any, config: Any, console: Console, line: str, *, user_id: str) -> None:
    """Print the answer as it comes; a model that fails costs the answer, not the chat."""
    message = {"messages": [("user", line)]}
    try:
        for kind, chunk in graph.stream(
            message, config, context={"user_id": user_id}, stream_mode=["messages", "custom"]
        ):
            _show(console, kind, chunk)
    except Exception as error:  # providers raise errors of their own: shown, and the next line may work
        complain(f"the model failed, {type(error).__name__}: {error}")
    console.print()


def _read(console: Console) -> str:
    """The next line; "" at the end. Only a person at a terminal is prompted."""
    prompt = "[bold cyan]you[/] " if sys.stdin.isatty() else ""
    try:
        return console.input(prompt).strip()
    except (EOFError, KeyboardInterrupt):
        if prompt:
            console.print()
        return ""


def _show(console: Console, kind: str, chunk: Any) -> None:
    if kind == "messages":
        console.print(chunk[0].text, end="", markup=False, highlight=False, soft_wrap=True)
    elif chunk.get("type") == "persona_memory.route_adapter" and sys.stdin.isatty():
        route = chunk["route"]
        console.print(f"{route['name']}: {route['reason']}", style="dim", markup=False, highlight=False)
