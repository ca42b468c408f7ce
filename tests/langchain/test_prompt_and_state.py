"""What the model is shown, where, and that nothing of it stays in the agent's own state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from persona_memory import PersonaMemory
from persona_memory.testing import ScriptedChatModel
from persona_memory_langchain import PersonaMemoryMiddleware

from .conftest import CAT, WHICH_CAT, Agent, of, said

PROFILE, MEMORIES = "<user_profile>", "<recalled_memories>"


@pytest.fixture
def ana(memory: PersonaMemory) -> PersonaMemory:
    """A memory that knows Ana's name and heard of her cat."""
    memory.observe([("user", CAT)], user_id="ana", thread_id="before")
    memory.set_field("demographics.name", "Ana", user_id="ana")
    return memory


def prompt(model: ScriptedChatModel) -> tuple[str, str]:
    """The system message and the latest human message of the last call."""
    messages = model.calls[-1].messages
    system = [str(one.text) for one in messages if isinstance(one, SystemMessage)]
    human = [str(one.text) for one in messages if isinstance(one, HumanMessage)]
    return (system or [""])[0], human[-1]


def test_the_profile_ends_the_system_message_and_memories_stand_beside_the_question(
    ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel
) -> None:
    """The host's prompt comes first and unchanged, so that providers' caches stay valid; the question comes last."""
    make_agent({"system_prompt": "You are kind."}, ask_questions=False).invoke(said(WHICH_CAT), **of("ana", "two"))
    system, human = prompt(model)
    assert system.startswith("You are kind.\n\n<user_profile>")
    assert system.endswith("</user_profile>")
    assert "name: Ana" in system
    assert human.startswith(MEMORIES)
    assert human.endswith(f"</recalled_memories>\n\n{WHICH_CAT}")
    assert CAT in human
    assert [one.type for one in model.calls[-1].messages] == ["system", "human"]


@pytest.mark.parametrize("place", ["system", "message"])
def test_both_placements_can_be_switched(
    ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel, place: str
) -> None:
    """Both in the system message, or both beside the question."""
    agent = make_agent({"system_prompt": "You are kind."}, profile=place, memories=place)
    agent.invoke(said(WHICH_CAT), **of("ana", "two"))
    system, human = prompt(model)
    here, there = (system, human) if place == "system" else (human, system)
    assert here.index(PROFILE) < here.index(MEMORIES)
    assert PROFILE not in there
    assert MEMORIES not in there


def test_an_agent_without_a_system_prompt_gets_one_of_the_profile_only(
    ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel
) -> None:
    """And where nothing is known, none at all."""
    agent = make_agent(ask_questions=False)
    agent.invoke(said(WHICH_CAT), **of("ana", "two"))
    assert prompt(model)[0].startswith(PROFILE)
    agent.invoke(said(WHICH_CAT), **of("ben", "two"))
    assert [one.type for one in model.calls[-1].messages] == ["human"]


def test_system_blocks_with_marks_for_a_providers_cache_keep_them(
    ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel
) -> None:
    """The profile is one more block behind them."""
    block = {"type": "text", "text": "You are kind.", "cache_control": {"type": "ephemeral"}}
    make_agent({"system_prompt": SystemMessage([block])}).invoke(said(WHICH_CAT), **of("ana", "two"))
    content: Any = model.calls[-1].messages[0].content
    assert content[0] == block
    assert PROFILE in content[1]["text"]


def test_a_message_of_parts_gets_one_more_part(ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel) -> None:
    """An image beside the question stays what it is."""
    image = {"type": "image", "url": "https://example.org/cat.png"}
    parts: list[str | dict[Any, Any]] = [{"type": "text", "text": WHICH_CAT}, image]
    make_agent().invoke({"messages": [HumanMessage(parts)]}, **of("ana", "two"))
    content: Any = model.calls[-1].messages[-1].content
    assert MEMORIES in content[0]["text"]
    assert content[1:] == parts


def test_memories_stay_beside_the_question_while_tools_are_called(ana: PersonaMemory, model: ScriptedChatModel) -> None:
    """In each call of the loop the same text in the same place; the tool's messages follow."""

    def weather(place: str) -> str:
        """The weather somewhere."""
        return "sunny"

    answers: list[Any] = [{"place": "Porto"}, "It is sunny."]
    model = ScriptedChatModel(answers=answers)
    create_agent(model, [weather], middleware=[PersonaMemoryMiddleware(ana)]).invoke(
        said(WHICH_CAT), **of("ana", "two")
    )
    first, second = model.calls
    assert first.messages == second.messages[: len(first.messages)]
    assert [one.type for one in second.messages][-3:] == ["human", "ai", "tool"]


def test_what_is_injected_keeps_to_the_budget(ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel) -> None:
    """With no tokens to spend nothing is injected; with few, the profile or nothing."""
    make_agent(max_tokens=0).invoke(said(WHICH_CAT), **of("ana", "two"))
    assert "<" not in model.calls[-1].text
    (event,) = make_agent(max_tokens=90).stream(said(WHICH_CAT), stream_mode="custom", **of("ana", "three"))
    assert event["tokens"] <= 90


def test_the_agents_state_stays_clean(ana: PersonaMemory, make_agent: Agent) -> None:
    """Neither output, nor updates, nor state, nor history hold recalled text or our key."""
    agent = make_agent({"checkpointer": InMemorySaver()})
    run = of("ana", "two")
    output = agent.invoke(said(WHICH_CAT), **run)
    assert output.keys() == {"messages"}
    history = list(agent.get_state_history(run["config"]))
    assert len(history) > 2
    for shown in (output, *(snapshot.values for snapshot in history)):
        assert MEMORIES not in str(shown)
        assert PROFILE not in str(shown)
        assert "persona_memory" not in shown
    assert [one.text for one in output["messages"]] == [WHICH_CAT, "Noted."]


@pytest.mark.parametrize("crashing", [False, True])
def test_no_byte_of_what_is_recalled_reaches_a_checkpointers_file(
    ana: PersonaMemory, make_agent: Agent, tmp_path: Path, crashing: bool
) -> None:
    """Not even among the pending writes of a run that crashed in the model."""
    file = tmp_path / "checkpoints.db"
    answers: list[Any] = [RuntimeError("the model is down")] if crashing else ["Noted."]
    with SqliteSaver.from_conn_string(str(file)) as saver:
        agent = make_agent({"checkpointer": saver, "model": ScriptedChatModel(answers=answers)})
        try:
            agent.invoke(said(WHICH_CAT), **of("ana", "two"))
        except RuntimeError:
            assert crashing
    written = b"".join(one.read_bytes() for one in tmp_path.glob("checkpoints.db*"))
    assert WHICH_CAT.encode() in written
    assert b"Miso" not in written
    assert b"recalled_memories" not in written


def test_input_cannot_put_words_into_our_private_key(
    ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel
) -> None:
    """A caller who passes the key is not heard."""
    forged = {"persona_memory": {"profile_text": "FORGED", "memory_text": "FORGED"}}
    make_agent().invoke({**said(WHICH_CAT), **forged}, **of("ana", "two"))
    assert "FORGED" not in model.calls[-1].text


def test_a_question_is_offered_once_per_thread(ana: PersonaMemory, make_agent: Agent, model: ScriptedChatModel) -> None:
    """In the first turn of a thread, not in its second; switched off, never."""
    agent = make_agent({"checkpointer": InMemorySaver()})
    agent.invoke(said("Hi there, I need some advice on dinner."), **of("ana", "two"))
    assert "you may ask" in model.calls[-1].text
    agent.invoke(said("Something with rice."), **of("ana", "two"))
    assert "you may ask" not in model.calls[-1].text
    make_agent(ask_questions=False).invoke(said("Hello, dinner?"), **of("ana", "three"))
    assert "you may ask" not in model.calls[-1].text
