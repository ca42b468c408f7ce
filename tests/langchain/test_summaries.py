"""Old messages that a summary replaces: durable before they go, recalled when they are gone, never learnt again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from persona_memory import PersonaMemory, Policy
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware, memory_summarizer

from .conftest import CAT, WHICH_CAT, of, said, turns

FILLER = ["I like tea.", "It rains today.", "I went for a walk.", "I read a book about trains."]


def model_of(replies: list[str]) -> ScriptedChatModel:
    """A model that numbers its replies; nobody may ask it for a summary."""

    def answer(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> str:
        assert "<messages>" not in str(messages[-1].text), "a summary costs no call"
        replies.append(f"Reply {len(replies) + 1}.")
        return replies[-1]

    return ScriptedChatModel(answers=answer)


def talk(
    memory: PersonaMemory,
    texts: Sequence[str],
    *,
    keep: int,
    trigger: int = 4,
    ours_first: bool = True,
    user: Any = "ana",
) -> tuple[Any, ScriptedChatModel]:
    """A conversation in one thread with an agent that summarises; its last state, and its model."""
    model = model_of([])
    summary: Any = SummarizationMiddleware(
        model, trigger=("messages", trigger), keep=("messages", keep), summarizer=memory_summarizer(memory)
    )
    both: list[Any] = [PersonaMemoryMiddleware(memory, ask_questions=False), summary]
    agent = create_agent(model, middleware=both if ours_first else both[::-1], checkpointer=InMemorySaver())
    result: Any = None
    for text in texts:
        result = agent.invoke(said(text), **of(user, "one"))
    return result, model


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize(("trigger", "keep"), [(3, 1), (4, 1), (4, 2), (4, 3), (5, 4)])
def test_every_message_is_stored_once_however_much_goes(
    memory: PersonaMemory, trigger: int, keep: int, ours_first: bool
) -> None:
    """Summaries after every few messages: the log is that of a conversation without them."""
    texts = [CAT, *FILLER, "yes", "yes", WHICH_CAT]
    result, _ = talk(memory, texts, keep=keep, trigger=trigger, ours_first=ours_first)
    expected = [
        pair for number, text in enumerate(texts, 1) for pair in (("user", text), ("assistant", f"Reply {number}."))
    ]
    assert turns(memory) == expected
    assert any(m.additional_kwargs.get("lc_source") for m in result["messages"]), "it did happen"
    memory.flush()
    assert "Earlier messages" not in str(memory.export(user_id="ana"))


@pytest.mark.parametrize("ours_first", [True, False])
def test_what_a_summary_replaced_is_recalled_in_the_same_run(memory: PersonaMemory, ours_first: bool) -> None:
    """The question itself makes the conversation too long: what goes for it is recalled for it."""
    _, model = talk(memory, [CAT, FILLER[0], WHICH_CAT], keep=1, trigger=5, ours_first=ours_first)
    prompt = model.calls[-1].text
    assert "Earlier messages of this conversation" in prompt
    assert prompt.count(CAT) == 1
    assert "<recalled_memories>" in prompt


def test_what_is_still_shown_is_not_recalled_beside_it(memory: PersonaMemory) -> None:
    """A message is in the prompt once, in full or recalled."""
    _, model = talk(memory, [FILLER[0], CAT, WHICH_CAT], keep=3, trigger=5)
    prompt = model.calls[-1].text
    assert "Earlier messages of this conversation" in prompt
    assert prompt.count("Miso") == 1
    assert FILLER[0] not in prompt or prompt.count(FILLER[0]) == 1


def test_what_is_forgotten_leaves_no_copy_in_the_state(memory: PersonaMemory) -> None:
    """The summary says nothing of what was said."""
    result, _ = talk(memory, [CAT, *FILLER], keep=1)
    assert "Miso" not in str(result["messages"])
    memory.forget(["t1"], user_id="ana")
    assert "Miso" not in str(turns(memory))


@pytest.mark.parametrize("policy", [Policy(paused=True), Policy(incognito_threads=("one",)), None])
def test_where_nothing_is_stored_the_words_themselves_stay(memory: PersonaMemory, policy: Policy | None) -> None:
    """A paused memory, an incognito thread, no user: a summary must not promise what nobody remembers."""
    if policy is not None:
        memory.set_policy(policy, user_id="ana")
    result, _ = talk(memory, [CAT, *FILLER], keep=1, user=None if policy is None else "ana")
    assert "Earlier messages of this conversation" not in str(result["messages"])
    assert CAT in str(result["messages"])


def test_a_memory_that_breaks_loses_no_words(memory: PersonaMemory, tmp_path: Path) -> None:
    """The run goes on, and the state keeps what the ledger could not take."""
    connection = sqlite3.connect(tmp_path / "home" / "memory.db")
    connection.execute("ALTER TABLE users RENAME TO broken")
    connection.close()
    result, _ = talk(memory, [CAT, *FILLER], keep=1)
    assert CAT in str(result["messages"])


async def test_it_is_asked_without_blocking_the_loop(memory: PersonaMemory) -> None:
    """The asynchronous run comes out the same."""
    model = model_of([])
    summary: Any = SummarizationMiddleware(
        model, trigger=("messages", 4), keep=("messages", 1), summarizer=memory_summarizer(memory)
    )
    agent = create_agent(model, middleware=[PersonaMemoryMiddleware(memory), summary], checkpointer=InMemorySaver())
    for text in (CAT, *FILLER, WHICH_CAT):
        result = await agent.ainvoke(said(text), **of("ana", "one"))
    assert "Earlier messages of this conversation" in str(result["messages"])
    assert CAT in model.calls[-1].text
    assert [text for role, text in turns(memory) if role == "user"] == [CAT, *FILLER, WHICH_CAT]


def test_what_was_removed_by_any_other_middleware_can_be_recalled(memory: PersonaMemory) -> None:
    """Trimming leaves no summary behind, and has the same effect."""
    from langchain.agents.middleware import before_model
    from langchain_core.messages import RemoveMessage
    from langgraph.graph.message import REMOVE_ALL_MESSAGES

    @before_model  # type: ignore[misc, untyped-decorator, unused-ignore]
    def trim(state: Any, runtime: Any) -> dict[str, Any]:
        """Keep the last message."""
        return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), state["messages"][-1]]}

    model = model_of([])
    both: list[Any] = [PersonaMemoryMiddleware(memory), trim]
    agent = create_agent(model, middleware=both, checkpointer=InMemorySaver())
    history = [HumanMessage(CAT), HumanMessage(FILLER[0]), HumanMessage(WHICH_CAT)]
    given: Any = {"messages": history}
    agent.invoke(given, **of("ana", "one"))
    assert model.calls[-1].text.count(CAT) == 1
