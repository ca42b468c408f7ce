"""A chat in the terminal with any model, or offline, that remembers who it talks to."""

from __future__ import annotations

import uuid
from typing import Any

from rich.console import Console

from persona_memory import PersonaMemory, persona_graph
from persona_memory.demo.offline_model import OfflineChatModel
from persona_memory.opening import chat_model

GREETING = "What you say is remembered. An empty line or Ctrl-D ends it; `persona-memory show` shows what is known."
SYSTEM_PROMPT = "You are a friendly assistant who knows the user from earlier conversations."


def talk(memory: PersonaMemory, console: Console, *, user_id: str, model: str | None, thread_id: str | None) -> None:
    """Read lines and answer them until the person ends it; then wait until what was said is learnt."""
    answering = OfflineChatModel() if model is None else chat_model(model)
    from langgraph.checkpoint.memory import InMemorySaver

    graph = persona_graph(memory, answering, system_prompt=SYSTEM_PROMPT, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": thread_id or f"chat-{uuid.uuid4().hex[:8]}"}}
    console.print(GREETING, style="dim")
    while line := _read(console):
        message: Any = {"messages": [("user", line)]}
        for kind, chunk in graph.stream(
            message, config, context={"user_id": user_id}, stream_mode=["messages", "custom"]
        ):
            _show(console, kind, chunk)
        console.print()
    with console.status("learning what was said …"):
        memory.flush(user_id=user_id)


def _read(console: Console) -> str:
    try:
        return console.input("[bold cyan]you[/] ").strip()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return ""


def _show(console: Console, kind: str, chunk: Any) -> None:
    if kind == "messages":
        console.print(chunk[0].text, end="", markup=False, highlight=False)
    elif chunk.get("type") == "persona_memory.route_adapter":
        route = chunk["route"]
        console.print(f"[dim]{route['name']}: {route['reason']}[/]", highlight=False)
