"""Forgetting reaches every wording of what is forgotten, and no more than that."""

from __future__ import annotations

from pathlib import Path

from persona_memory import PersonaMemory


def test_earlier_wordings_of_an_edited_message_go_too(memory: PersonaMemory, tmp_path: Path) -> None:
    """The log keeps what a message said before it was edited; forgetting the message erases that as well."""
    for text in ("My door code is xylophone7.", "My door code is zeppelin8.", "My door code is secret."):
        memory.observe([{"role": "user", "content": text, "id": "1"}], user_id="ana")
    memory.flush(timeout=30)
    (turn,) = [hit.id for hit in memory.search("door code", user_id="ana") if hit.kind == "turn"]
    memory.forget([turn], user_id="ana")
    raw = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"xylophone7" not in raw
    assert b"zeppelin8" not in raw


def test_the_rest_of_a_turn_that_asks_to_forget_is_kept_and_learnt(memory: PersonaMemory) -> None:
    """Only the sentence that asks goes."""
    memory.observe([("user", "My address is Elm Street 7.")], user_id="ana", thread_id="t1")
    memory.observe([("user", "Please forget my address. I work as a nurse in Oslo.")], user_id="ana", thread_id="t2")
    memory.flush(timeout=30)
    everything = str(memory.export(user_id="ana"))
    assert "Elm Street" not in everything
    assert "address" not in everything
    assert "I work as a nurse in Oslo." in everything
    assert any("nurse" in one.text for one in memory.memories(user_id="ana"))
