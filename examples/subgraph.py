"""The read path of the memory as one node of a bigger graph: recall → plan → answer → remember.

`python examples/subgraph.py` runs offline. The memory lives in the folder ./subgraph-memory, or in that of --home;
your own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from persona_memory import PersonaChannel, PersonaMemory, inject, optimize_profile_node, recall_subgraph
from persona_memory.demo.offline_model import OfflineChatModel


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    persona: PersonaChannel
    plan: str


class Context(TypedDict):
    user_id: str


model = OfflineChatModel()


def plan(state: State) -> dict[str, Any]:
    """Any node may look at what is remembered: it is a plain dictionary."""
    known = state["persona"].get("hits", [])
    return {"plan": f"use {len(known)} memories" if known else "ask the user"}


async def answer(state: State) -> dict[str, Any]:
    return {"messages": [await model.ainvoke(inject(state["messages"], state["persona"]))]}


async def main() -> None:
    parser = argparse.ArgumentParser(description="Recall as a subgraph of a bigger graph.")
    parser.add_argument("--home", default="subgraph-memory", help="folder of the memory (default: ./subgraph-memory)")
    with PersonaMemory.open(parser.parse_args().home) as memory:
        builder = StateGraph(State, context_schema=Context)
        # `state` lets it check that both sides mean the same keys; LangGraph itself would drop a stranger silently.
        builder.add_node("recall", recall_subgraph(memory, state=State))
        builder.add_node("plan", plan)
        builder.add_node("answer", answer)
        builder.add_node("remember", optimize_profile_node(memory))
        for one, following in (("recall", "plan"), ("plan", "answer"), ("answer", "remember"), ("remember", END)):
            builder.add_edge(one, following)
        builder.add_edge(START, "recall")
        graph = builder.compile()
        for thread, text in (("a", "I am allergic to peanuts."), ("b", "What am I allergic to?")):
            config: Any = {"configurable": {"thread_id": thread}}
            given: Any = {"messages": [("user", text)]}
            state = await graph.ainvoke(given, config, context={"user_id": "ana"})
            print(f"[{thread}] {text}\n    plan: {state['plan']}\n    → {state['messages'][-1].text}")


if __name__ == "__main__":
    asyncio.run(main())
