"""The retriever: langchain-tests' suite, one person's hits with where they come from, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_tests.integration_tests import RetrieversIntegrationTests

from persona_memory import InvalidUserId, PersonaMemory
from persona_memory_langchain import PersonaMemoryRetriever

from .conftest import CAT, WHICH_CAT


class TestStandardSuite(RetrieversIntegrationTests):
    """langchain-tests' own suite, over a person who said enough about one thing."""

    @pytest.fixture(autouse=True)
    def _cats(self, memory: PersonaMemory) -> None:
        """Ana talked of her cat in five conversations."""
        self.memory = memory
        said = [CAT, "Miso the cat sleeps all day.", "My cat Miso likes fish.", "The cat is grey.", "Cats need a vet."]
        for place, text in enumerate(said):
            memory.observe([("user", text)], user_id="ana", thread_id=f"t{place}")

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return PersonaMemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self.memory, "user_id": "ana"}

    @property
    def retriever_query_example(self) -> str:
        return "Tell me about my cat Miso, the cat"


async def test_each_document_says_where_it_comes_from(memory: PersonaMemory) -> None:
    """Its id, the score with its parts, date, speaker, thread and source turns, as plain JSON values."""
    memory.observe([{"role": "user", "content": CAT, "name": "Ana"}], user_id="ana", thread_id="one")
    retriever = PersonaMemoryRetriever(memory=memory, user_id="ana")
    (document,) = retriever.invoke(WHICH_CAT)
    assert document.page_content == CAT
    assert document.id == "t1"
    shown = document.metadata
    assert (shown["kind"], shown["speaker"], shown["role"], shown["thread_id"]) == ("turn", "Ana", "user", "one")
    assert shown["sources"] == [1]
    assert 0 < shown["score"] <= 1
    assert shown["parts"]
    assert [one.page_content for one in await retriever.ainvoke(WHICH_CAT)] == [CAT]


async def test_it_finds_nothing_of_anybody_else(memory: PersonaMemory) -> None:
    """Neither at once nor asynchronously."""
    memory.observe([("user", CAT)], user_id="ana")
    retriever = PersonaMemoryRetriever(memory=memory, user_id="ben")
    assert retriever.invoke(WHICH_CAT) == []
    assert await retriever.ainvoke(WHICH_CAT) == []


def test_a_retriever_without_a_person_is_refused(memory: PersonaMemory) -> None:
    """There is no default person; a retriever is asked directly, so it says what is wrong."""
    with pytest.raises(InvalidUserId):
        PersonaMemoryRetriever(memory=memory, user_id=" ").invoke("cat")
