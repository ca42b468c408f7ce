"""This library's side: each index and each durability mode; learning and profile through the same scripted server."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.side_by_side.common import (
    DIMENSION,
    LAPS,
    LEARNERS,
    Job,
    Vectors,
    dialogue,
    emit,
    exchange,
    measure,
    measure_in_turn,
    pairs,
    people,
    pooled,
    question,
    read_job,
    resident_mb,
    secret,
    sentence,
    somebody,
    traces,
    unasked,
)
from persona_memory import PersonaMemory
from persona_memory.ledger import capture, events, vectors
from persona_memory.ledger import people as rows
from persona_memory.ledger.threads import Thread
from persona_memory.models import embedder as embedder_named
from persona_memory.protocols import Vector
from persona_memory.retrieval.embeddings import normalise

NOW = datetime(2026, 3, 1, tzinfo=UTC)

PENDING = text("SELECT 1 FROM events WHERE state = 'pending' LIMIT 1")

TOGETHER = 10_000
"""Memories that one transaction of the filling writes, of one person or of many."""

NEVER_ASKED = 1_000
"""The first question of the laps: the rows before them ask those below it."""


def served_model(job: Job) -> Any:
    """The scripted server's model, through the same client as LangMem's."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="gpt-4o-mini", base_url=job.server, api_key="none", max_retries=0)


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
    """Write everybody's log with vectors, learnt: what an import and its worker leave, many people a transaction."""
    space, ledger = memory._learning.semantic.space(), memory._ledger
    pool = [normalise(vector, dimension=DIMENSION) for vector in Vectors().pool]
    outside = job.options.get("index") is not None
    everybody = people(job)
    while some := list(islice(everybody, max(1, TOGETHER // job.each))):
        with ledger.write() as tx:
            made = {user_id: _log(tx, memory, space.fingerprint, user_id, numbers, pool) for user_id, numbers in some}
        for user_id, points in made.items() if outside else ():
            space.index.upsert(user_id, points)


def _log(
    tx: Connection, memory: PersonaMemory, fingerprint: str, user_id: str, numbers: range, pool: Sequence[Vector]
) -> dict[str, Vector]:
    """One person's log in the ledger; the points that stand for it."""
    person = memory._learning.person(user_id)
    texts = [sentence(number) for number in numbers]
    said = [capture.Said("user", said, NOW, f"s{number}") for said, number in zip(texts, numbers, strict=True)]
    found = rows.lock(tx, person)
    thread = Thread(memory._ledger.secret, person, "old")
    stored = capture.store(tx, found, thread, said, now=NOW).observed
    points = {f"t{seq}#0": pool[pooled(said)] for seq, said in zip(stored.new, texts, strict=True)}
    vectors.store(tx, person, fingerprint, points)
    for some in rows.parts(stored.new):
        vectors.mark_embedded(tx, person, fingerprint, [f"t{seq}" for seq in some])
        events.mark(tx, person, some, "learnt")
        events.mark_profiled(tx, person, some)
    vectors.complete(tx, person, fingerprint)
    return points


def reading_and_writing(job: Job) -> None:
    """observe, recall (first of a person, new, asked before), recall right after observe, memory in RAM."""
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
            measure("recall", recall, job, start=unasked(job))
            measure("recall, asked before", recall, job, start=unasked(job))
            emit("resident", value=resident_mb())
        if "observe" in job.rows:
            measure("observe", observe, job)
        if "after" in job.rows:
            measure("recall right after observe", recall, job, before=observe, start=job.samples)
        if "flat" in job.rows:
            flat(memory, job)


def flat(memory: PersonaMemory, job: Job) -> None:
    """Memory in RAM after asking everybody something new once, twice, …"""
    for lap in range(LAPS):
        for number in range(job.users):
            memory.recall(question(NEVER_ASKED + lap * job.users + number), user_id=f"u{number}")
        emit(f"resident after {lap + 1} laps", value=resident_mb())


def learn(job: Job) -> None:
    """Seconds from the first observe until all is learnt and has vectors, and until the profiles are made, too."""
    with closing(open_memory(job, model=served_model(job), worker=True, quiet=timedelta(hours=1))) as memory:
        memory.observe(exchange(0), user_id="first")
        memory.flush(timeout=60)
        while memory.backlog().unindexed:
            time.sleep(0.01)
        began = time.perf_counter()
        for number in range(LEARNERS):
            memory.observe(exchange(number), user_id=f"u{number}")
        waiting = threading.Thread(target=memory.flush)
        waiting.start()
        while _unlearnt(memory) or memory.backlog().unindexed:
            time.sleep(0.01)
        emit("learn", value=time.perf_counter() - began)
        waiting.join()
        emit("learn and profile", value=time.perf_counter() - began)


def _unlearnt(memory: PersonaMemory) -> bool:
    """Whether a turn is still to be learnt: a look that takes nothing from what is measured."""
    with memory._ledger.read() as connection:
        return connection.execute(PENDING).first() is not None


def economy(job: Job) -> None:
    """Live one dialogue, turn by turn, learning when it is due; the server counts."""
    moment = [NOW]
    model, clock = served_model(job), lambda: moment[0]
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
    embedder = embedder_named("minilm")
    with closing(open_memory(job, embeddings=embedder)) as memory:
        memory.observe([("user", sentence(number)) for number in range(100)], user_id="u0", resent=False)
        memory.flush()
        memory.recall(question(0), user_id="u0")
        calls: dict[str, Callable[[int], object]] = {
            "embedding alone": lambda number: embedder.embed_query(question(number)),
            "recall with embedding": lambda number: memory.recall(question(number), user_id="u0"),
        }
        measure_in_turn(calls, job)


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
        made = {
            row: create_agent(model, [], middleware=hooks, checkpointer=InMemorySaver()) for row, hooks in sides.items()
        }
        measure_in_turn({row: _turn(agent, job) for row, agent in made.items()}, job)


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


def residue(job: Job) -> None:
    """Files that hold what was deleted: a statement that was forgotten, and a person who spoke."""
    with closing(open_memory(job)) as memory:
        kept = memory.remember(secret(1), user_id="ana")
        memory.forget([kept.id], user_id="ana")
    emit("one memory", files=traces(job.folder))
    with closing(open_memory(job)) as memory:
        memory.observe([("user", secret(2)), ("assistant", "Noted.")], user_id="ana", thread_id="t")
        memory.remember(secret(3), user_id="ana")
        memory.flush()
        memory.delete_user(user_id="ana")
    emit("a person", files=traces(job.folder))


KINDS: dict[str, Callable[[Job], None]] = {
    "reading": reading_and_writing, "learn": learn, "economy": economy, "minilm": minilm, "middleware": middleware,
    "start": start, "residue": residue,
}  # fmt: skip

if __name__ == "__main__":
    KINDS[sys.argv[2]](read_job())
