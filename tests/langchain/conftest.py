"""Agents made by `create_agent`, with a memory in a temporary home and a model that follows a script."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel

if find_spec("langchain") is None:
    collect_ignore_glob = ["test_*.py"]

Open = Callable[..., PersonaMemory]
Agent = Callable[..., Any]

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
def make_agent(memory: PersonaMemory, model: ScriptedChatModel) -> Agent:
    """Makes agents with the middleware: options are the middleware's, `agent` holds those of `create_agent`."""
    from langchain.agents import create_agent

    from persona_memory_langchain import PersonaMemoryMiddleware

    def make(agent: dict[str, Any] | None = None, **options: Any) -> Any:
        settings: dict[str, Any] = {"model": model, "middleware": [PersonaMemoryMiddleware(memory, **options)]}
        return create_agent(**{**settings, **(agent or {})})

    return make


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What persona-memory has logged so far."""
    caplog.set_level(logging.WARNING, logger="persona_memory")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("persona_memory")]


def said(text: str) -> Any:
    """An agent's input: one message of the person."""
    return {"messages": [{"role": "user", "content": text}]}


def of(user: str, thread: str | None = None) -> Any:
    """An agent's run options: the person, and the thread."""
    found: dict[str, Any] = {"context": {"user_id": user}}
    return found if thread is None else {**found, "config": {"configurable": {"thread_id": thread}}}


def turns(memory: PersonaMemory, user: str = "ana") -> list[tuple[str, str]]:
    """(role, text) of everything that was said by and to a person, as it stands, in order."""
    exported = memory.export(user_id=user)
    return [(one["role"], one["content"]) for one in exported["messages"]]


def break_tables(home: Path) -> None:
    """Take the tables away under the feet of an open memory."""
    with sqlite3.connect(home / "memory.db") as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name IN ('users', 'events')")
        ]
        for name in names:
            connection.execute(f"ALTER TABLE {name} RENAME TO broken_{name}")
    connection.close()
