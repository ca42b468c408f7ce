"""Asking the chat model under test: refusals in one line, replies that are kept, several models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from persona_memory.errors import InvalidInput
from persona_memory.evaluation import Settings, run
from persona_memory.evaluation.calls import Replies, reply
from persona_memory.evaluation.continuity import OURS, play
from persona_memory.evaluation.histories import fresh_memory
from persona_memory.evaluation.people import generate
from persona_memory.evaluation.people.learning import Trial, told
from persona_memory.evaluation.profile import learners_of
from persona_memory.evaluation.progress import Checkpoint, Quiet
from persona_memory.evaluation.scenes import chitchat
from persona_memory.learning.extraction import LearnAnswer
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel


def test_a_provider_that_refuses_is_said_in_one_line() -> None:
    """With its own words, and that nothing is lost."""
    model = ScriptedChatModel(answers=[ConnectionError("quota is used up\nread more at …")])
    with pytest.raises(InvalidInput, match=r"ConnectionError: quota is used up; what is done is kept"):
        reply(model, "Hello?")


def test_what_was_replied_before_an_interruption_is_not_asked_again(tmp_path: Path) -> None:
    """Text and tool calls alike; another prompt, or the same one with other tools, is asked."""
    calls: list[Any] = []

    def answer(messages: list[Any], tools: list[Any]) -> str | dict[str, Any]:
        calls.append(messages)
        return {"memories": []} if tools else f"reply {len(calls)}"

    for _ in range(2):
        model = ScriptedChatModel(answers=answer)
        model.cache = Replies(Checkpoint(tmp_path / "run.jsonl"))
        assert reply(model, "Hello?") == "reply 1"
        structured = model.with_structured_output(LearnAnswer, include_raw=True)
        assert isinstance(structured.invoke("Hello?"), dict)
        assert reply(model, [AIMessage("x")]) == "reply 3"
    assert len(calls) == 3


def test_learning_asks_the_model_itself(tmp_path: Path) -> None:
    """A malformed reply that is kept would be every retry's answer, and the work would be parked."""
    model = ScriptedChatModel(answers=lambda messages, tools: {"memories": [], "edits": []} if tools else "Fine.")
    checkpoint = Checkpoint(tmp_path / "run.jsonl")
    model.cache = Replies(checkpoint)
    asked = []
    for _ in range(2):
        with fresh_memory(model=model, embedder=HashingEmbedder()) as memory:
            memory.observe([{"role": "user", "content": "I live in Porto."}], user_id="ana", thread_id="1")
            memory.flush()
        asked.append(len(model.calls))
    assert asked[1] == 2 * asked[0] > 0
    assert not len(checkpoint)
    people = generate(1, sessions=1)
    with told(people, Trial("plain", 1, model), watch=Quiet(), label=""):
        assert len(model.calls) > asked[1]
    scene = next(iter(chitchat(1)))
    play(Settings(tmp_path, model=model, embedder=HashingEmbedder()), scene, OURS)
    assert len(checkpoint) == sum(not call.tools for call in model.calls)


def test_only_profile_compares_several_models(tmp_path: Path) -> None:
    """Each is a learner beside the rules and the oracle; other evaluations refuse a second model."""
    one, other = (ScriptedChatModel(answers=[], model_name=name) for name in ("one", "other"))
    settings = Settings(tmp_path, model=one, others=(other,))
    assert [learner.name for learner in learners_of(settings, [])] == ["rules, no model", "one", "other", "oracle"]
    with pytest.raises(InvalidInput, match="pass --model once"):
        run("continuity", settings)
