"""Turns and memories for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from persona_memory.types import Memory, Role, Turn

START = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)


def turn(
    seq: int,
    text: str,
    *,
    session: int = 1,
    thread: str = "th",
    role: Role = "user",
    speaker: str | None = None,
    day: int = 0,
) -> Turn:
    return Turn(seq, thread, session, role, text, START + timedelta(days=day, minutes=seq), speaker)


def talk(*texts: str, session: int = 1, start: int = 1) -> list[Turn]:
    """User and assistant in turn."""
    return [
        turn(seq, text, session=session, role="user" if place % 2 == 0 else "assistant")
        for place, (seq, text) in enumerate(enumerate(texts, start))
    ]


def memory(
    id: str, text: str, *, sources: Sequence[int] = (), superseded_by: str | None = None, day: int = 0
) -> Memory:
    return Memory(id, "semantic", text, tuple(sources), START + timedelta(days=day), superseded_by=superseded_by)
