"""Importing LoCoMo: what storing, learning by rules and embedding cost, one after the other.

    python benchmarks/import_locomo.py --data path/to/data [--quick]

Learning includes hashed vectors; then everything is embedded again with the default embedder, MiniLM where installed.
`persona-memory import` does both at the same time.
"""
# needs: locomo

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from persona_memory import PersonaMemory
from persona_memory.importers import ImportedMessage, read_locomo
from persona_memory.retrieval import default_embedder
from persona_memory.retrieval.hashing import HashingEmbedder

QUESTION = "When did Caroline go to the LGBTQ support group?"


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:<24} {wall:7.1f} s {cpu:7.1f} s CPU {1e3 * cpu / count:7.2f} ms CPU a turn")


def store(memory: PersonaMemory, messages: list[ImportedMessage]) -> None:
    for (user, thread), group in groupby(messages, key=lambda one: (one.user_id, one.thread_id)):
        said = [
            {"role": one.role, "content": one.text, "id": one.message_id, "name": one.speaker, "at": one.at}
            for one in group
        ]
        memory.observe(said, user_id=user, thread_id=thread)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="the first dialogue only")
    chosen = parser.parse_args()
    messages = list(read_locomo(chosen.data / "locomo" / "locomo10.json"))
    people = list(dict.fromkeys(one.user_id for one in messages))[: 1 if chosen.quick else None]
    messages = [one for one in messages if one.user_id in people]
    embedder = default_embedder()
    with timed("loading the embedder", len(messages)):
        embedder.embed_query("hello")
    print(f"{len(messages)} turns of {len(people)} people, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as home:
        with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
            with timed("storing", len(messages)):
                store(memory, messages)
            with timed("learning, hashed vectors", len(messages)):
                memory.flush()
        with PersonaMemory.open(home, embeddings=embedder, worker=False) as memory:
            with timed("embedding again", len(messages)):
                memory.flush()
            with timed("one recall", 1):
                memory.recall(QUESTION, user_id=people[0])
            with timed("ten more", 10):
                for _ in range(10):
                    memory.recall(QUESTION, user_id=people[0])


if __name__ == "__main__":
    main()
