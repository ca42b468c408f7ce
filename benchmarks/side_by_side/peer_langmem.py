"""LangMem's side, run in its venv: LangGraph's InMemoryStore (nothing is durable), its store manager for learning."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

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


def open_store() -> Any:
    """An empty store with the free vectors."""
    from langgraph.store.memory import InMemoryStore

    return InMemoryStore(index={"dims": DIMENSION, "embed": MODEL.embed_documents, "fields": ["content"]})


def reading_and_writing(job: Job) -> None:
    """observe as two `put`s, recall as `search`."""
    store = open_store()
    began = time.perf_counter()
    for user_id, numbers in people(job):
        for number in numbers:
            store.put(("memories", user_id), str(number), {"content": sentence(number)})
    emit("fill", value=time.perf_counter() - began)

    def recall(number: int) -> None:
        store.search(("memories", somebody(job, number)), query=question(number), limit=10)

    def observe(number: int) -> None:
        for message in exchange(number):
            store.put(("memories", somebody(job, number)), str(uuid.uuid4()), {"content": message["content"]})

    if "recall" in job.rows:
        measure("recall", recall, job, start=unasked(job))
        emit("resident", value=resident_mb())
    if "observe" in job.rows:
        measure("observe", observe, job)
    if "after" in job.rows:
        measure("recall right after observe", recall, job, before=observe, start=job.samples)


def manager(job: Job) -> Any:
    """Its store manager, with the scripted server as the model."""
    from langchain_openai import ChatOpenAI
    from langmem import create_memory_store_manager

    model = ChatOpenAI(model="gpt-4o-mini", base_url=job.server, api_key="none", max_retries=0)
    return create_memory_store_manager(model, namespace=("memories", "{user}"), store=open_store())


def learn(job: Job) -> None:
    """Seconds until 64 people's conversations are learnt and stored."""
    made = manager(job)

    async def one(number: int) -> None:
        messages = [{"role": said["role"], "content": said["content"]} for said in exchange(number)]
        await made.ainvoke({"messages": messages}, config={"configurable": {"user": f"u{number}"}})

    async def all_at_once() -> float:
        await one(10_000)
        began = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(LEARNERS)))
        return time.perf_counter() - began

    emit("learn", value=asyncio.run(all_at_once()))


def economy(job: Job) -> None:
    """The manager for each stretch of the dialogue; the server counts."""
    made = manager(job)
    config = {"configurable": {"user": "ana"}}
    for session in dialogue(job):
        for said in pairs(session, job.options.get("stretch", 2)):
            messages = [{"role": one["role"], "content": one["content"]} for one in said]
            made.invoke({"messages": messages}, config=config)
    emit("memories", value=len(made.store.search(("memories", "ana"), limit=10_000)))


def start(job: Job) -> None:
    """Milliseconds from nothing to the first answer."""

    def once(number: int) -> None:
        store = open_store()
        store.put(("memories", "ana"), "1", {"content": sentence(number)})
        store.search(("memories", "ana"), query=question(number), limit=10)

    measure("start-up", once, job)


def residue(job: Job) -> None:
    """Files that hold what its memory tool has deleted from LangGraph's store in SQLite."""
    from langgraph.store.sqlite import SqliteStore
    from langmem import create_manage_memory_tool

    with SqliteStore.from_conn_string(f"{job.folder}/store.db") as store:
        store.conn.execute(f"PRAGMA secure_delete = {job.options['secure_delete']}")
        store.setup()
        tool = create_manage_memory_tool(("memories", "ana"), store=store)
        tool.invoke({"content": secret(1), "action": "create"})
        (kept,) = store.search(("memories", "ana"))
        tool.invoke({"id": kept.key, "action": "delete"})
    emit("one memory", files=traces(job.folder))


KINDS: dict[str, Callable[[Job], None]] = {
    "reading": reading_and_writing, "learn": learn, "economy": economy, "start": start,
    "residue": residue,
}  # fmt: skip

if __name__ == "__main__":
    KINDS[sys.argv[2]](read_job())
