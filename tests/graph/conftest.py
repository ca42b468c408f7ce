"""Memories in a temporary home and a model that follows a script; LangGraph is all that is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel

Open = Callable[..., PersonaMemory]
Warnings = Callable[[], list[str]]

CAT = "My cat is called Miso."
WHICH_CAT = "What is my cat called?"


@pytest.fixture
def open_memory(tmp_path: Path) -> Iterator[Open]:
    """Opens memories on one home folder; closes them after the test."""
    opened: list[PersonaMemory] = []

    def make(**options: Any) -> PersonaMemory:
        settings: dict[str, Any] = {
            "embeddings": HashingEmbedder(), "worker": False, "retry": Retry(backoff=0.0), "durability": "NORMAL",
        }  # fmt: skip
        opened.append(PersonaMemory.open(tmp_path / "home", **{**settings, **options}))
        return opened[-1]

    yield make
    for memory in opened:
        memory.close()


@pytest.fixture
def memory(open_memory: Open) -> PersonaMemory:
    """A memory without an LLM."""
    return open_memory()


@pytest.fixture
def model() -> ScriptedChatModel:
    """A chat model that acknowledges whatever is said, and records its prompts."""
    return ScriptedChatModel(answers=lambda messages, tools: "Noted.")


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Warnings:
    """What persona-memory has logged so far."""
    caplog.set_level(logging.WARNING, logger="persona_memory")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("persona_memory")]


def of(user: str, thread: str | None = None) -> Any:
    """A graph's run options: the person, and the thread."""
    found: dict[str, Any] = {"context": {"user_id": user}}
    return found if thread is None else {**found, "config": {"configurable": {"thread_id": thread}}}


def turns(memory: PersonaMemory, user: str = "ana") -> list[tuple[str, str]]:
    """(role, text) of everything that was said by and to a person, as it stands, in order."""
    return [(one["role"], one["content"]) for one in memory.export(user_id=user)["messages"]]
