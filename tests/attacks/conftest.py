"""Memories in a temporary home, offline and without pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.retrieval.hashing import HashingEmbedder

Open = Callable[..., PersonaMemory]


def opened(home: Path, **options: Any) -> PersonaMemory:
    """A memory in this folder that works only when it is told to."""
    settings: dict[str, Any] = {
        "embeddings": HashingEmbedder(), "worker": False, "retry": Retry(backoff=0.0), "durability": "NORMAL",
    }  # fmt: skip
    return PersonaMemory.open(home, **{**settings, **options})


@pytest.fixture
def open_memory(tmp_path: Path) -> Iterator[Open]:
    """Opens memories on one home folder; closes them after the test."""
    made: list[PersonaMemory] = []

    def make(**options: Any) -> PersonaMemory:
        made.append(opened(tmp_path / "home", **options))
        return made[-1]

    yield make
    for memory in made:
        memory.close()


@pytest.fixture
def memory(open_memory: Open) -> PersonaMemory:
    """A memory without an LLM."""
    return open_memory()
