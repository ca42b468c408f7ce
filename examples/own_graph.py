"""Memory in a graph of your own, with state keys of your own, for a tutor.

    START → track_state → retrieve → route_adapter → teach → optimize_profile → END

`python examples/own_graph.py` runs offline. The memory lives in the folder ./graph-memory, or in that of --home; your
own ~/.persona-memory is left alone.
"""

from __future__ import annotations

import argparse
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, SystemMessage
from langgraph.graph import StateGraph
from langgraph.graph.message import add_messages

from persona_memory import PersonaChannel, PersonaMemory, add_persona_nodes, inject
from persona_memory.demo.offline_model import OfflineChatModel


class TutorState(TypedDict, total=False):
    """`about_user` carries what is remembered from node to node; as a PersonaChannel it is never checkpointed."""

    chat: Annotated[list[AnyMessage], add_messages]
    about_user: PersonaChannel


class Context(TypedDict):
    """Who is speaking: from your login, never from a message."""

    user_id: str


model = OfflineChatModel()
tutor = SystemMessage("You are a patient maths tutor.")


def teach(state: TutorState) -> dict[str, Any]:
    """The host's own node: the prompt is its business, `inject` adds what is remembered for this call only."""
    return {"chat": [model.invoke(inject([tutor, *state["chat"]], state["about_user"]))]}


def main() -> None:
    parser = argparse.ArgumentParser(description="A tutor's own graph, with memory.")
    parser.add_argument("--home", default="graph-memory", help="folder of the memory (default: ./graph-memory)")
    with PersonaMemory.open(parser.parse_args().home) as memory:
        builder = StateGraph(TutorState, context_schema=Context)
        builder.add_node("teach", teach)
        doors = add_persona_nodes(builder, memory, model_node="teach", messages="chat", persona="about_user")
        builder.add_edge("teach", "optimize_profile")
        graph: Any = builder.compile()

        def say(thread: str, text: str) -> None:
            config = {"configurable": {"thread_id": thread}}
            given = {"chat": [("user", text)]}
            for event in graph.stream(given, config, context={"user_id": "ana"}, stream_mode=["custom", "updates"]):
                match event:
                    case ("custom", {"type": "persona_memory.route_adapter", "route": route}):
                        print(f"    route: {route['name']}, because {route['reason']}")
                    case ("updates", {"teach": update}):
                        print(f"[{thread}] {text}\n    → {update['chat'][-1].text}")

        say("monday", "I always mix up the numerator and the denominator.")
        say("tuesday", "What do I mix up with fractions?")
        print("failures of the memory:", dict(doors.failures) or "none")


if __name__ == "__main__":
    main()
