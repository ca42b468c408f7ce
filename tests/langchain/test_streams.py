"""Learning works in the same process while an agent streams, and its LLM calls are invisible to the host."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage

from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware

from .conftest import CAT, Open, of, said


class Learner:
    """A model that learns nothing, and tells when it has been asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.model = ScriptedChatModel(answers=self)

    def __call__(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> dict[str, Any]:
        self.asked.set()
        if tools[0]["function"]["name"] == "ProfileAnswer":
            return {"edits": []}
        return {"memories": [], "topics": [], "forget": [], "internal": "INTERNAL"}


def agent_beside(learner: Learner, open_memory: Open) -> Any:
    """An agent whose model waits until the learner has been asked, with a worker in the same process."""
    memory = open_memory(model=learner.model, worker=True, quiet=timedelta(0), learn_after=1, optimize_every=1)

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> str:
        assert learner.asked.wait(30), "learning did not run while the agent was answering"
        return "Noted with pleasure."

    return create_agent(ScriptedChatModel(answers=answer), middleware=[PersonaMemoryMiddleware(memory)])


def test_learning_is_invisible_in_a_token_stream(open_memory: Open) -> None:
    """The learner's call runs in the middle of the stream; the stream holds the agent's words."""
    learner = Learner()
    agent = agent_beside(learner, open_memory)
    shown = list(agent.stream(said(CAT), stream_mode="messages", **of("ana")))
    assert "".join(str(chunk.text) for chunk, _ in shown) == "Noted with pleasure."
    assert {where["langgraph_node"] for _, where in shown} == {"model"}
    assert all("nostream" in call.tags for call in learner.model.calls)


async def test_learning_is_invisible_in_an_asynchronous_stream_and_its_events(open_memory: Open) -> None:
    """Neither tokens nor model events are the learner's."""
    learner = Learner()
    agent = agent_beside(learner, open_memory)
    shown = [part async for part in agent.astream(said(CAT), stream_mode="messages", **of("ana"))]
    assert "".join(str(chunk.text) for chunk, _ in shown) == "Noted with pleasure."
    learner.asked.clear()
    events = [event async for event in agent.astream_events(said("She is grey."), version="v2", **of("ana"))]
    models = [event for event in events if event["event"] == "on_chat_model_end"]
    assert [event["data"]["output"].text for event in models] == ["Noted with pleasure."]
