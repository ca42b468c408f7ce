"""What one process has cached stays true when another one deletes people or embeds anew."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from persona_memory.errors import InvalidInput
from persona_memory.ledger import Person, people
from persona_memory.testing import ScriptedChatModel

from .conftest import Open


@dataclass
class Embedder(Embeddings):
    """Vectors of its own for the same texts."""

    fingerprint: str
    dimension: int = 16

    def embed_query(self, text: str) -> list[float]:
        """A direction that the text and the embedder's name decide."""
        seed = hashlib.blake2b(f"{self.fingerprint}{text}".encode(), digest_size=4).digest()
        made: list[float] = np.random.default_rng(list(seed)).normal(size=self.dimension).tolist()
        return made

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_query`, for each."""
        return [self.embed_query(text) for text in texts]


def test_an_embedder_that_comes_back_finds_what_was_said_meanwhile(open_memory: Open) -> None:
    """Of a deployment that is rolled back while a process of it lives on."""
    first = open_memory(embeddings=Embedder("a"))
    first.observe([("user", f"Item {number} is on shelf {number}.") for number in range(10)], user_id="ana")
    first.flush(timeout=60)
    index = first._learning.semantic.space().index
    asked = np.full(16, 0.25, np.float32)
    assert len(index.search("ana", asked, limit=99)) == 10
    second = open_memory(embeddings=Embedder("b"))
    second.observe([("user", f"Thing {number} is new.") for number in range(4)], user_id="ana", thread_id="t2")
    second.flush(timeout=60)
    second.close()
    first.flush(timeout=60)
    found = [id for id, _ in index.search("ana", asked, limit=99)]
    assert sorted(found) == sorted(index.ids("ana"))
    assert len(found) == 14


def test_a_job_that_fails_after_its_person_was_deleted_brings_nothing_back(open_memory: Open, tmp_path: Path) -> None:
    """No row of theirs, and no file with their id."""
    asked, deleted = threading.Event(), threading.Event()

    def answer(messages: Any, tools: Any) -> Any:
        asked.set()
        deleted.wait(30)
        raise ConnectionError("down")

    memory = open_memory(model=ScriptedChatModel(answers=answer), worker=True, learn_after=1)
    memory.observe([("user", "I live in Porto.")], user_id="secret-user-4711")
    assert asked.wait(30)
    assert memory.delete_user(user_id="secret-user-4711").erased["events"] == 1
    deleted.set()
    memory.close()
    held = [path for path in tmp_path.rglob("*") if path.is_file() and b"secret-user-4711" in path.read_bytes()]
    assert held == []


def test_how_turns_fitted_goes_with_its_person_and_not_before_it_is_written(open_memory: Open) -> None:
    """A person who is deleted elsewhere takes the note along; a refused message does not."""
    here, elsewhere = open_memory(), open_memory()
    here.observe([("user", "My red bicycle is in the cellar.")], user_id="ana")
    here.recall("Where is my bicycle?", user_id="ana", max_tokens=5)
    elsewhere.delete_user(user_id="ana")
    here.observe([("user", "Hello, I am new. My boat is blue.")], user_id="ana")

    def written() -> tuple[bool, ...]:
        with here._ledger.read() as connection:
            return people.counters(connection, Person("default", "ana")).overflows

    here.profile(user_id="ana")
    here.recall("Which colour is my boat?", user_id="ana", max_tokens=1)
    with pytest.raises(InvalidInput):
        here.observe([{"role": "user"}], user_id="ana")
    here.observe([("user", "Bye.")], user_id="ana")
    assert written() == (True,)
