"""Plain qdrant-client in its local mode: vectors with the text as payload, filtered by user. No word index, no log."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from qdrant_client import QdrantClient, models

from benchmarks.side_by_side.common import (
    DIMENSION,
    Job,
    Vectors,
    emit,
    exchange,
    measure,
    people,
    question,
    read_job,
    resident_mb,
    sentence,
    somebody,
    unasked,
)

NAME = "memories"
MODEL = Vectors()


def open_client(where: dict[str, Any]) -> QdrantClient:
    """A client with an empty collection."""
    client = QdrantClient(**where)
    size = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
    client.create_collection(NAME, vectors_config=size)
    return client


def points(user_id: str, texts: list[str], first: int) -> list[models.PointStruct]:
    """The texts as points with ids from `first` on."""
    return [
        models.PointStruct(id=first + place, vector=MODEL.embed_query(text), payload={"user": user_id, "text": text})
        for place, text in enumerate(texts)
    ]


def reading_and_writing(job: Job) -> None:
    """observe as an upsert, recall as a filtered query."""
    warnings.simplefilter("ignore")
    client = open_client({"path": job.folder} if job.options.get("disk") else {"location": ":memory:"})
    began = time.perf_counter()
    batch: list[models.PointStruct] = []
    for user_id, numbers in people(job):
        batch += points(user_id, [sentence(number) for number in numbers], numbers.start)
        if len(batch) >= 2000:
            client.upsert(NAME, batch)
            batch = []
    if batch:
        client.upsert(NAME, batch)
    emit("fill", value=time.perf_counter() - began)

    def recall(number: int) -> None:
        mine = models.FieldCondition(key="user", match=models.MatchValue(value=somebody(job, number)))
        vector = MODEL.embed_query(question(number))
        client.query_points(NAME, query=vector, query_filter=models.Filter(must=[mine]), limit=10, with_payload=True)

    def observe(number: int) -> None:
        texts = [message["content"] for message in exchange(number)]
        client.upsert(NAME, points(somebody(job, number), texts, 10**9 + 2 * number))

    if "recall" in job.rows:
        measure("recall", recall, job, start=unasked(job))
        emit("resident", value=resident_mb())
    if "observe" in job.rows:
        measure("observe", observe, job)
    if "after" in job.rows:
        measure("recall right after observe", recall, job, before=observe, start=job.samples)


KINDS: dict[str, Callable[[Job], None]] = {"reading": reading_and_writing}

if __name__ == "__main__":
    KINDS[sys.argv[2]](read_job())
