"""A plain request to remember something is kept, whether or not the rules understand what it says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from persona_memory.learning.rules import RuleExtractor
from persona_memory.protocols import Window
from persona_memory.types import Turn


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Please remember that my car is a red Saab.", ["Asked to remember: my car is a red Saab"]),
        ("Remember that my locker code is 4711", ["Asked to remember: my locker code is 4711"]),
        ("please remember that I am allergic to nuts", ["Is allergic to nuts"]),
        ("Note: my train leaves at nine.", ["Asked to remember: my train leaves at nine"]),
        ("Can you remember that my train leaves at nine?", ["Asked to remember: my train leaves at nine"]),
        ("Do you remember that I live in Porto?", []),
        ("Can you remember my name?", []),
        ("I remember that my dad was tall.", []),
    ],
)
async def test_what_one_asks_to_remember_is_remembered(said: str, kept: list[str]) -> None:
    """With the exact sentence as its quote; a question about what is remembered is no request."""
    turn = Turn(1, "t", 1, "user", said, datetime(2026, 5, 1, tzinfo=UTC))
    found = (await RuleExtractor().extract(Window((turn,)))).memories
    assert [one.text for one in found] == kept
    assert all(one.quote == said for one in found)
