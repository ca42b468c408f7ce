"""mem0's side, run in its venv: `add(infer=False)` and `search`; `add` with its own prompt for learning.

Its embedder is replaced by the free vectors that all sides use. Filling goes through its vector store in batches, with
the file's durability switched off: one `add` per memory would take hours.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

os.environ["MEM0_TELEMETRY"] = "False"

from benchmarks.side_by_side.common import (
    DIMENSION,
    LEARNERS,
    Job,
    Vectors,
    dialogue,
    emit,
    exchange,
    measure,
    pairs,
    people,
    question,
    read_job,
    resident_mb,
    secret,
    sentence,
    somebody,
    traces,
    unasked,
)

MODEL = Vectors()


class Embedder:
    """The free vectors under mem0's names."""

    config = None

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return MODEL.embed_query(text)

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        return MODEL.embed_documents(texts)


def config(job: Job) -> dict[str, Any]:
    """Its default configuration with a folder of our own, or another embedded store."""
    store = job.options.get("store", "qdrant")
    where: dict[str, Any] = {"path": f"{job.folder}/store", "collection_name": "bench"}
    if store != "chroma":
        where["embedding_model_dims"] = DIMENSION
    llm = {"api_key": "none", "openai_base_url": job.server or "http://127.0.0.1:9/v1", "model": "gpt-4o-mini"}
    return {
        "vector_store": {"provider": store, "config": where},
        "llm": {"provider": "openai", "config": llm},
        "embedder": {"provider": "openai", "config": {"api_key": "none", "embedding_dims": DIMENSION}},
        "history_db_path": f"{job.folder}/history.db",
    }


def open_memory(job: Job, *, asynchronous: bool = False) -> Any:
    """A memory in the job's folder."""
    os.environ["MEM0_DIR"] = f"{job.folder}/home"
    import mem0

    kind = mem0.AsyncMemory if asynchronous else mem0.Memory
    memory = kind.from_config(config(job))
    memory.embedding_model = Embedder()
    return memory


def fill(memory: Any, job: Job) -> None:
    """Everybody's memories through the vector store."""
    _pragmas(memory, "synchronous = OFF", "journal_mode = MEMORY")
    vectors, payloads, ids = [], [], []
    for user_id, numbers in people(job):
        for number in numbers:
            text = sentence(number)
            vectors.append(MODEL.embed_query(text))
            made = {"hash": str(number), "created_at": "2026-03-01T00:00:00Z"}
            payloads.append({"data": text, "user_id": user_id, **made})
            ids.append(str(uuid.UUID(int=number)))
    for start in range(0, len(ids), 5000):
        stop = start + 5000
        memory.vector_store.insert(vectors=vectors[start:stop], payloads=payloads[start:stop], ids=ids[start:stop])
    _pragmas(memory, "synchronous = FULL", "journal_mode = DELETE")


def _pragmas(memory: Any, *pragmas: str) -> None:
    """Settings of the SQLite files of qdrant-client's local mode, where that is the store."""
    client = getattr(getattr(memory.vector_store, "client", None), "_client", None)
    for collection in getattr(client, "collections", {}).values():
        if getattr(collection, "storage", None) is not None:
            for pragma in pragmas:
                collection.storage.storage.execute(f"PRAGMA {pragma}")


def reading_and_writing(job: Job) -> None:
    """observe as `add(infer=False)`, recall as `search`."""
    memory = open_memory(job)
    began = time.perf_counter()
    fill(memory, job)
    emit("fill", value=time.perf_counter() - began)

    def recall(number: int) -> None:
        memory.search(question(number), filters={"user_id": somebody(job, number)}, top_k=10)

    def observe(number: int) -> None:
        messages = [{"role": one["role"], "content": one["content"]} for one in exchange(number)]
        memory.add(messages, user_id=somebody(job, number), infer=False)

    if "recall" in job.rows:
        measure("recall", recall, job, start=unasked(job))
        emit("resident", value=resident_mb())
    if "observe" in job.rows:
        measure("observe", observe, job)
    if "after" in job.rows:
        measure("recall right after observe", recall, job, before=observe, start=job.samples)


def learn(job: Job) -> None:
    """Seconds until 64 people's conversations are learnt and stored."""

    async def all_at_once() -> float:
        memory = open_memory(job, asynchronous=True)
        await memory.add(exchange(0), user_id="first")
        began = time.perf_counter()
        await asyncio.gather(*(memory.add(exchange(number), user_id=f"u{number}") for number in range(LEARNERS)))
        return time.perf_counter() - began

    emit("learn", value=asyncio.run(all_at_once()))


def economy(job: Job) -> None:
    """`add` for each stretch of the dialogue; the server counts."""
    memory = open_memory(job)
    for session in dialogue(job):
        for said in pairs(session, job.options.get("stretch", 2)):
            memory.add([{"role": one["role"], "content": one["content"]} for one in said], user_id="ana")
    emit("memories", value=len(memory.get_all(filters={"user_id": "ana"}, top_k=10_000)["results"]))


def start(job: Job) -> None:
    """Milliseconds from nothing to the first answer."""

    def once(number: int) -> None:
        mine = Job(**{**{name: getattr(job, name) for name in job.__slots__}, "folder": f"{job.folder}/{number}"})
        os.makedirs(mine.folder)
        memory = open_memory(mine)
        memory.add([{"role": "user", "content": sentence(number)}], user_id="ana", infer=False)
        memory.search(question(number), filters={"user_id": "ana"}, top_k=10)

    measure("start-up", once, job)


def residue(job: Job) -> None:
    """Files that hold what was deleted, by `delete` and by `delete_all`."""
    memory = open_memory(job)
    (kept,) = memory.add([{"role": "user", "content": secret(1)}], user_id="ana", infer=False)["results"]
    memory.delete(kept["id"])
    emit("one memory", files=traces(job.folder))
    memory.add([{"role": "user", "content": secret(2)}], user_id="ben", infer=False)
    memory.delete_all(user_id="ben")
    emit("a person", files=traces(job.folder))


KINDS: dict[str, Callable[[Job], None]] = {
    "reading": reading_and_writing, "learn": learn, "economy": economy, "start": start,
    "residue": residue,
}  # fmt: skip

if __name__ == "__main__":
    KINDS[sys.argv[2]](read_job())
