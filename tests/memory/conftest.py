"""Memories in a temporary home, with a clock that tests can move and an LLM that follows a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.retrieval.hashing import HashingEmbedder


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move it, by default forwards."""
        self.now += timedelta(**by)


Open = Callable[..., PersonaMemory]


@pytest.fixture
def clock() -> Clock:
    """The clock of the test's memories."""
    return Clock()


@pytest.fixture
def open_memory(tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Opens memories on one home folder, without pauses; closes them after the test."""
    opened: list[PersonaMemory] = []

    def make(**options: Any) -> PersonaMemory:
        settings: dict[str, Any] = {
            "embeddings": HashingEmbedder(), "clock": clock, "worker": False, "retry": Retry(backoff=0.0),
            "durability": "NORMAL",
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
