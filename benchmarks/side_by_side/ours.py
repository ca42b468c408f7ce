"""This library's side: each index and each durability mode; learning and profile through the same scripted server."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
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
    sentence,
    somebody,
)
from persona_memory import PersonaMemory
from persona_memory.ledger import capture, events, vectors
from persona_memory.ledger import people as rows
from persona_memory.retrieval.embeddings import normalise

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class ServedModel:
    """A chat model behind the scripted server: just what `with_structured_output` needs."""

    model_name = "scripted"

    def __init__(self, server: str) -> None:
        self._server = server
        self._clients: dict[Any, Any] = {}

    def with_structured_output(self, schema: type[Any], *, include_raw: bool) -> Any:
        from langchain_core.utils.function_calling import convert_to_openai_tool

        return _Structured(self.client, convert_to_openai_tool(schema))

    def client(self) -> Any:
        """The HTTP client of the running event loop: a flush without a worker has a loop of its own."""
        import asyncio

        import httpx

        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            limits = httpx.Limits(max_connections=None)
            self._clients[loop] = httpx.AsyncClient(base_url=self._server, timeout=60, limits=limits, verify=False)
        return self._clients[loop]


class _Structured:
    def __init__(self, client: Callable[[], Any], tool: dict[str, Any]) -> None:
        self._client, self._tool = client, tool

    async def ainvoke(self, messages: Sequence[Any], config: Any = None) -> dict[str, Any]:
        shown = [{"role": one.type, "content": one.content} for one in messages]
        answer = await self._client().post("/chat/completions", json={"messages": shown, "tools": [self._tool]})
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        return {"parsed": json.loads(call["function"]["arguments"])}


def open_memory(job: Job, **more: Any) -> PersonaMemory:
    """A memory as the job's options say, without a worker."""
    index: Any = job.options.get("index")
    if index == "qdrant":
        index = _local_qdrant()
    options: dict[str, Any] = {"embeddings": Vectors(), "worker": False, "index": index}
    return PersonaMemory.open(job.folder, durability=job.options.get("durability", "FULL"), **{**options, **more})


def _local_qdrant() -> Any:
    import warnings

    from qdrant_client import QdrantClient

    from persona_memory.retrieval.qdrant import QdrantIndex

    warnings.simplefilter("ignore")  # local mode says that it ignores what only a server heeds
    name = f"{Vectors.fingerprint}:{DIMENSION}"
    return QdrantIndex(QdrantClient(":memory:"), namespace="default", fingerprint=name, dimension=DIMENSION)


def fill(memory: PersonaMemory, job: Job) -> None:
    """Write everybody's log with vectors, learnt; what a worker would have done by now."""
    learning, model = memory._learning, Vectors()
    space, ledger = learning.semantic.space(), memory._ledger
    outside = job.options.get("index") is not None
    for user_id, numbers in people(job):
        person = learning.person(user_id)
        texts = [sentence(number) for number in numbers]
        said = [capture.Said("user", text, NOW, f"s{number}") for text, number in zip(texts, numbers, strict=True)]
        made = [normalise(vector, dimension=DIMENSION) for vector in model.embed_documents(texts)]
        with ledger.write() as tx:
            found = rows.lock(tx, person)
            stored = capture.store(tx, person, found, "old", said, secret=ledger.secret, now=NOW)
            points = {f"t{seq}#0": vector for seq, vector in zip(stored.new, made, strict=True)}
            for start in range(0, len(points), 1000):
                vectors.store(tx, person, space.fingerprint, dict(list(points.items())[start : start + 1000]))
                some = stored.new[start : start + 1000]
                vectors.mark_embedded(tx, person, space.fingerprint, [f"t{seq}" for seq in some])
                events.mark(tx, person, some, "learnt")
                events.mark_profiled(tx, person, some)
            vectors.complete(tx, person, space.fingerprint)
        if outside:
            space.index.upsert(user_id, points)


def reading_and_writing(job: Job) -> None:
    """observe, recall (warm and first), recall right after observe, memory in RAM."""
    with closing(open_memory(job)) as memory:
        began = time.perf_counter()
        fill(memory, job)
        emit("fill", value=time.perf_counter() - began)

        def recall(number: int) -> None:
            memory.recall(question(number), user_id=somebody(job, number))

        def observe(number: int) -> None:
            memory.observe(exchange(number), user_id=somebody(job, number), thread_id="now")

        if "recall" in job.rows:
            measure("recall, first of a person", recall, job)
            measure("recall", recall, job)
            emit("resident", value=resident_mb())
        if "observe" in job.rows:
            measure("observe", observe, job)
        if "after" in job.rows:
            measure("recall right after observe", recall, job, before=observe, start=job.samples)
        if "flat" in job.rows:
            flat(memory, job)


def flat(memory: PersonaMemory, job: Job) -> None:
    """Memory in RAM after recalling for everybody once, twice, three times."""
    for lap in (1, 2, 3):
        for number in range(job.users):
            memory.recall(question(number), user_id=f"u{number}")
        emit(f"resident after {lap} laps", value=resident_mb())


def learn(job: Job) -> None:
    """Seconds until 64 people's conversations are learnt, and until their profiles are, too."""
    with closing(open_memory(job, model=ServedModel(job.server), worker=True, quiet=timedelta(hours=1))) as memory:
        memory.observe(exchange(0), user_id="first")
        memory.flush(timeout=60)
        for number in range(LEARNERS):
            memory.observe(exchange(number), user_id=f"u{number}")
        while memory.backlog().unindexed:  # embedding is not what is measured
            time.sleep(0.05)
        began = time.perf_counter()
        waiting = threading.Thread(target=memory.flush)
        waiting.start()
        while memory.backlog().unlearnt:
            time.sleep(0.005)
        emit("learn", value=time.perf_counter() - began)
        waiting.join()
        emit("learn and profile", value=time.perf_counter() - began)


def economy(job: Job) -> None:
    """Live one dialogue, turn by turn, learning when it is due; the server counts."""
    moment = [NOW]
    model, clock = ServedModel(job.server), lambda: moment[0]
    with closing(open_memory(job, model=model, clock=clock)) as memory:
        for session in dialogue(job):
            moment[0] = datetime.fromisoformat(session[0]["at"])
            for said in pairs(session, 2):
                memory.observe([(one["role"], one["content"]) for one in said], user_id="ana", resent=False)
                _work_if_due(memory, moment[0])
                moment[0] += timedelta(seconds=15)
            moment[0] += timedelta(hours=1)
            _work_if_due(memory, moment[0])
        emit("memories", value=len(memory.memories(user_id="ana")))


def _work_if_due(memory: PersonaMemory, now: datetime) -> None:
    if any(job.kind == "learn" and job.due_at <= now for job in memory.jobs(user_id="ana")):
        memory.flush(timeout=60)


def minilm(job: Job) -> None:
    """recall with the local MiniLM, and its embedding alone."""
    from persona_memory.retrieval import default_embedder

    embedder = default_embedder()
    with closing(open_memory(job, embeddings=embedder)) as memory:
        memory.observe([("user", sentence(number)) for number in range(100)], user_id="u0", resent=False)
        memory.flush()
        memory.recall(question(0), user_id="u0")
        emit("embedder", name=type(embedder).__name__)
        measure("embedding alone", lambda number: embedder.embed_query(question(number)), job)
        measure("recall with embedding", lambda number: memory.recall(question(number), user_id="u0"), job)


def middleware(job: Job) -> None:
    """One agent turn without middleware, with empty hooks, and with the memory's."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import AgentMiddleware
    from langgraph.checkpoint.memory import InMemorySaver

    from persona_memory.testing import ScriptedChatModel
    from persona_memory_langchain import PersonaMemoryMiddleware

    class Empty(AgentMiddleware):  # type: ignore[type-arg]
        def before_agent(self, state: Any, runtime: Any) -> None: ...

        def after_agent(self, state: Any, runtime: Any) -> None: ...

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request)

    with closing(open_memory(job)) as memory:
        fill(memory, job)
        sides: dict[str, list[Any]] = {
            "agent turn alone": [], "agent turn, empty hooks": [Empty()],
            "agent turn, with memory": [PersonaMemoryMiddleware(memory)],
        }  # fmt: skip
        model = ScriptedChatModel(answers=lambda messages, tools: "Noted.")
        for row, hooks in sides.items():
            agent = create_agent(model, [], middleware=hooks, checkpointer=InMemorySaver())
            measure(row, _turn(agent, job), job)


def _turn(agent: Any, job: Job) -> Callable[[int], object]:
    def turn(number: int) -> None:
        config = {"configurable": {"thread_id": f"x{number % job.users}", "user_id": somebody(job, number)}}
        agent.invoke({"messages": [("user", question(number))]}, config)

    return turn


def start(job: Job) -> None:
    """Milliseconds from nothing to the first answer, in a fresh folder: opening, one observe, one recall."""

    def once(number: int) -> None:
        folder = Path(job.folder) / str(number)
        with closing(PersonaMemory.open(folder, embeddings=Vectors(), worker=False)) as memory:
            memory.observe(exchange(number), user_id="ana")
            memory.recall(question(number), user_id="ana")

    measure("start-up", once, job)


KINDS: dict[str, Callable[[Job], None]] = {
    "reading": reading_and_writing, "learn": learn, "economy": economy, "minilm": minilm, "middleware": middleware,
    "start": start,
}  # fmt: skip

if __name__ == "__main__":
    KINDS[sys.argv[2]](read_job())
