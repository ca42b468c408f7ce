"""Snapshots of rendered prompts, and short ways to write turns and edits."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from persona_memory.types import Basis, ProfileEdit, Role, Turn

SNAPSHOTS = Path(__file__).parent / "snapshots"
START = datetime(2025, 3, 1, 9, tzinfo=UTC)


def at(day: int) -> datetime:
    """The n-th day of the story."""
    return START + timedelta(days=day)


def turn(seq: int, text: str, *, role: Role = "user", thread: str = "t1") -> Turn:
    """A turn on the day of its number."""
    return Turn(seq, thread, 1, role, text, at(seq))


def edit(
    field: str, value: Any, *evidence: int, op: Any = "set", basis: Basis = "stated", confidence: float = 0.9
) -> ProfileEdit:
    """An edit made on the day of its newest evidence."""
    return ProfileEdit(field, op, value, evidence, confidence, basis, at(max(evidence, default=0)))


@pytest.fixture
def same_as_snapshot() -> Callable[[str, str], None]:
    """Compares a text with snapshots/NAME.txt; PERSONA_MEMORY_UPDATE_SNAPSHOTS=1 writes the file instead."""

    def compare(name: str, text: str) -> None:
        file = SNAPSHOTS / f"{name}.txt"
        if os.environ.get("PERSONA_MEMORY_UPDATE_SNAPSHOTS") == "1":
            file.parent.mkdir(exist_ok=True)
            file.write_text(text + "\n", encoding="utf-8")
        assert file.is_file(), f"{file} is missing; run with PERSONA_MEMORY_UPDATE_SNAPSHOTS=1 and read what it wrote"
        assert text + "\n" == file.read_text(encoding="utf-8")

    return compare
