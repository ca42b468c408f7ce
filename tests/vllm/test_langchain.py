"""An agent is answered by its user's adapter."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain", reason='needs pip install "persona-memory[langchain]"')

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from persona_memory_langchain import PersonaMemoryMiddleware
from persona_memory_vllm.langchain import AdapterMiddleware
from tests.vllm.conftest import BASE, QUESTION, TIGHT, Open, train


class Refused(Exception):
    """What a provider's SDK raises."""

    def __init__(self, status_code: int, said: str) -> None:
        super().__init__(said)
        self.status_code = status_code


class Engine(BaseChatModel):
    """A chat model that takes `model=…` with a call, as ChatOpenAI does, and knows some models only."""

    server: Any
    asked: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "engine"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **said: Any) -> Any:
        model = said.get("model", BASE)
        self.asked.append(model)
        if model != BASE and model not in self.server.loaded:
            raise Refused(404, f"The model `{model}` does not exist.")
        prompt = " ".join(str(one.content) for one in messages)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("a baker" if "baker" in prompt else "?"))])


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_each_user_is_answered_by_their_own_adapter(server: Any, open_engine: Open, way: str) -> None:
    """With the best that fits in the prompt; where the engine was started anew, by the base."""
    memory, engine = open_engine(server)
    ana, ben = train(memory, "ana", "ben")
    model = Engine(server=server)
    remembering = PersonaMemoryMiddleware(memory, max_tokens=TIGHT, ask_questions=False)
    agent: Any = create_agent(model, middleware=[remembering, AdapterMiddleware(engine)])

    async def answer(user_id: str) -> str:
        asked = {"messages": [("user", QUESTION)]}
        config = {"configurable": {"user_id": user_id, "thread_id": f"{user_id}-now"}}
        done = agent.invoke(asked, config) if way == "sync" else await agent.ainvoke(asked, config)
        return str(done["messages"][-1].content)

    assert [await answer(user_id) for user_id in ("ana", "ben", "cleo")] == ["a baker", "a baker", "?"]
    server.restart()
    assert [await answer("ana") for _ in range(2)] == ["a baker"] * 2
    assert model.asked == [ana, ben, BASE, ana, BASE, ana]
    assert remembering.doors.failures == {}


def test_an_adapter_that_the_plugin_finds_and_the_engine_cannot_load_leaves_the_base(
    server: Any, open_engine: Open
) -> None:
    """vLLM answers 400, and says which."""
    memory, engine = open_engine(server, loading="resolver")
    (ana,) = train(memory, "ana")

    class Unable(Engine):
        def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **said: Any) -> Any:
            if said.get("model", BASE) != BASE:
                self.asked.append(ana)
                raise Refused(400, f"LoRA adapter '{ana}' was found but could not be loaded.")
            return super()._generate(messages, stop, run_manager, **said)

    model = Unable(server=server)
    remembering = PersonaMemoryMiddleware(memory, max_tokens=TIGHT)
    agent: Any = create_agent(model, middleware=[remembering, AdapterMiddleware(engine)])
    agent.invoke({"messages": [("user", QUESTION)]}, {"configurable": {"user_id": "ana"}})
    assert model.asked == [ana, BASE]


def test_other_errors_are_the_agents(server: Any, open_engine: Open) -> None:
    memory, engine = open_engine(server)
    train(memory, "ana")

    class Broken(Engine):
        def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **said: Any) -> Any:
            raise ValueError("too long")

    remembering = PersonaMemoryMiddleware(memory, max_tokens=TIGHT)
    agent: Any = create_agent(Broken(server=server), middleware=[remembering, AdapterMiddleware(engine)])
    with pytest.raises(ValueError, match="too long"):
        agent.invoke({"messages": [("user", QUESTION)]}, {"configurable": {"user_id": "ana"}})
