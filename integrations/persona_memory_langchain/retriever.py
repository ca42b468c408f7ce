"""One person's memory as a LangChain retriever."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from persona_memory import Hit, PersonaMemory


class PersonaMemoryRetriever(BaseRetriever):
    """Retrieves what is remembered of one person.

    Each document's metadata says where it comes from: id, kind, score with its parts, date, speaker, source turns.

    Args:
        memory: the memory.
        user_id: the person.
        k: documents at most; fewer when less is relevant.
    """

    memory: PersonaMemory
    user_id: str
    k: int = 10

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **_: Any
    ) -> list[Document]:
        return _documents(self.memory.search(query, user_id=self.user_id, limit=self.k if k is None else k))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None, **_: Any
    ) -> list[Document]:
        return _documents(await self.memory.asearch(query, user_id=self.user_id, limit=self.k if k is None else k))


def _documents(hits: list[Hit]) -> list[Document]:
    return [
        Document(
            id=hit.id,
            page_content=hit.text,
            metadata={
                "id": hit.id, "kind": hit.kind, "score": hit.score, "parts": dict(hit.parts), "at": hit.at.isoformat(),
                "speaker": hit.speaker, "role": hit.role, "thread_id": hit.thread_id, "sources": list(hit.sources),
                "since_changed": hit.since_changed,
            },
        )
        for hit in hits
    ]  # fmt: skip
