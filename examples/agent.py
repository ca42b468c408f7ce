"""An agent that remembers people: two threads, two people, and whatever it was told in an earlier run.

    python examples/agent.py                                 # offline: the model quotes what it remembers
    python examples/agent.py anthropic:claude-sonnet-4-5     # any model that LangChain knows

The memory lives in the folder ./agent-memory, or in that of --home; your own ~/.persona-memory is left alone. Run it
twice, and the second run remembers the first. `persona-memory show --user ana --home agent-memory` shows what is known.
"""

from __future__ import annotations

import argparse
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from persona_memory import PersonaMemory
from persona_memory.demo.offline_model import OfflineChatModel
from persona_memory_langchain import PersonaMemoryMiddleware


def say(agent: Any, user: str, thread: str, text: str) -> None:
    """One turn of a conversation, printed."""
    result = agent.invoke(
        {"messages": [{"role": "user", "content": text}]},
        context={"user_id": user},
        config={"configurable": {"thread_id": thread}},
    )
    print(f"[{user}, {thread}] {text}\n    → {result['messages'][-1].text}")


def main() -> None:
    parser = argparse.ArgumentParser(description="An agent that remembers people.")
    parser.add_argument(
        "model", nargs="?", help="provider:model; without one an offline model quotes what it remembers"
    )
    parser.add_argument("--home", default="agent-memory", help="folder of the memory (default: ./agent-memory)")
    options = parser.parse_args()
    model: BaseChatModel = init_chat_model(options.model) if options.model else OfflineChatModel()
    with PersonaMemory.open(options.home) as memory:
        agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory)])
        say(agent, "ana", "monday", "My cat is called Miso and I live in Porto.")
        say(agent, "ana", "tuesday", "What is my cat called?")
        say(agent, "ben", "tuesday", "What is my cat called?")
        memory.flush()
        print("learnt of ana:", [one.text for one in memory.memories(user_id="ana")])


if __name__ == "__main__":
    main()
