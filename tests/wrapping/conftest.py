"""A memory in a temporary home, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from persona_memory import PersonaMemory
from persona_memory.retrieval.hashing import HashingEmbedder

CAT = "My cat is called Miso."
WHICH_CAT = "What is my cat called?"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[PersonaMemory]:
    """A memory without an LLM."""
    home = tmp_path / "home"
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, durability="NORMAL") as opened:
        yield opened


def turns(memory: PersonaMemory, user: str = "ana", thread: str | None = None) -> list[tuple[str, str]]:
    """(role, text) of everything that was said by and to a person, as it stands, in order."""
    messages = memory.export(user_id=user)["messages"]
    return [(one["role"], one["content"]) for one in messages if thread in (None, one["thread_id"])]
