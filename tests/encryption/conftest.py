"""Encrypted memories in a temporary home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')

from persona_memory import PersonaMemory, Retry
from persona_memory.encryption import new_key
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.memory.conftest import Clock, Open

KEY = new_key()


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's memories."""
    return Clock()


@pytest.fixture
def open_memory(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """As tests/memory's, with encryption."""
    opened: list[PersonaMemory] = []

    def make(**options: Any) -> PersonaMemory:
        settings: dict[str, Any] = {
            "embeddings": HashingEmbedder(), "clock": clock, "worker": False, "retry": Retry(backoff=0.0),
            "durability": "NORMAL", "encryption": KEY,
        }  # fmt: skip
        opened.append(PersonaMemory.open(tmp_path / "home", **{**settings, **options}))
        return opened[-1]

    yield make
    for memory in opened:
        memory.close()


@pytest.fixture
def memory(open_memory: Open) -> PersonaMemory:
    """An encrypted memory without an LLM."""
    return open_memory()
