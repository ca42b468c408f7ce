"""Statements that come from another memory: each source once, and never again what was erased here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from persona_memory import InvalidInput, PersonaMemory, Policy

from .conftest import Open

TEA = "The user likes green tea."


def test_a_source_is_taken_once(open_memory: Open) -> None:
    """A memory at once, dated as it was there; the same source adds nothing, other sources and people do."""
    memory: PersonaMemory = open_memory()
    at = datetime(2024, 3, 1, tzinfo=UTC)
    kept = memory.import_statement(TEA, user_id="ana", source="a/1", at=at)
    assert kept is not None
    assert (kept.text, kept.valid_from) == (TEA, at)
    assert memory.import_statement(TEA, user_id="ana", source="a/1") is None
    assert memory.import_statement("The user likes mate.", user_id="ana", source="a/2") is not None
    assert memory.import_statement(TEA, user_id="ben", source="a/1") is not None
    assert len(memory.memories(user_id="ana")) == 2
    assert "green tea" in memory.recall("What tea do I like?", user_id="ana").text


def test_what_was_erased_stays_out(open_memory: Open) -> None:
    """After a forget, and after the whole person was deleted; what they say anew is remembered again."""
    memory: PersonaMemory = open_memory()
    kept = memory.import_statement(TEA, user_id="ana", source="a/1")
    assert kept is not None
    memory.forget([kept.id], user_id="ana")
    assert memory.import_statement(TEA, user_id="ana", source="a/1") is None
    memory.import_statement("The user likes mate.", user_id="ana", source="a/2")
    memory.delete_user(user_id="ana")
    for source in ("a/1", "a/2"):
        assert memory.import_statement(TEA, user_id="ana", source=source) is None
    assert "tea" not in str(memory.export(user_id="ana"))
    assert memory.remember(TEA, user_id="ana").text == TEA


async def test_it_is_redacted_and_asks_the_policy_like_any_statement(open_memory: Open) -> None:
    """By the twin that is awaited: what the hook leaves is stored, and nothing of a paused memory."""

    async def redact(text: str) -> str | None:
        return None if "secret" in text else text.replace("green", "[colour]")

    memory: PersonaMemory = open_memory(redact=redact)
    kept = await memory.aimport_statement(TEA, user_id="ana", source="a/1")
    assert kept is not None
    assert kept.text == "The user likes [colour] tea."
    assert await memory.aimport_statement(TEA, user_id="ana", source="a/1") is None
    with pytest.raises(InvalidInput):
        await memory.aimport_statement("a secret", user_id="ana", source="a/2")
    memory.set_policy(Policy(paused=True), user_id="ana")
    with pytest.raises(InvalidInput, match="asked that nothing be stored"):
        await memory.aimport_statement(TEA, user_id="ana", source="a/3")
    with pytest.raises(InvalidInput, match="pass what is to be remembered"):
        open_memory().import_statement(" ", user_id="ben", source="a/4")
