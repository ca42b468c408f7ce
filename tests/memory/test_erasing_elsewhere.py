"""An erasure ends in every place.

In an index that is down for a while, in one that an indexing job writes to just then, and in the vectors of embedders
that were used before.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from persona_memory import PersonaMemory, Retry
from persona_memory.errors import IndexUnavailable
from persona_memory.ledger import Ledger, Person, erasure
from persona_memory.ledger.schema import receipts as table
from persona_memory.protocols import Vector, VectorIndex

from .conftest import Open
from .test_backends import local_qdrant

pytestmark = [pytest.mark.filterwarnings("ignore:Local mode"), pytest.mark.filterwarnings("ignore:Payload indexes")]


@dataclass
class Interrupted:
    """A real index whose network can be cut, and which tells when it is written to."""

    index: VectorIndex
    down: bool = False
    failure: Exception | None = None
    on_upsert: list[Callable[[], Any]] = field(default_factory=list)

    def reach(self) -> VectorIndex:
        """The index behind, if the network stands."""
        if self.failure is not None:
            raise self.failure
        if self.down:
            raise IndexUnavailable("the network is cut")
        return self.index

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points; what is to happen in the middle of it happens first."""
        while self.on_upsert:
            self.on_upsert.pop()()
        self.reach().upsert(user_id, points)

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove these ids."""
        self.reach().delete(user_id, ids)

    def delete_user(self, user_id: str) -> None:
        """Remove all of a person."""
        self.reach().delete_user(user_id)

    def ids(self, user_id: str) -> set[str]:
        """The ids of a person."""
        return self.reach().ids(user_id)

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """The person's nearest ids."""
        return self.reach().search(user_id, vector, limit=limit)

    def close(self) -> None:
        """Close it."""
        self.index.close()


@pytest.fixture
def index() -> Interrupted:
    """A Qdrant index whose network can be cut."""
    return Interrupted(local_qdrant())


def told(memory: PersonaMemory, text: str = "The bicycle is in the cellar.") -> None:
    """One message of Ana's, learnt and indexed."""
    memory.observe([("user", text)], user_id="ana", thread_id=text)
    memory.flush(timeout=60)


@pytest.mark.parametrize("whole", [True, False], ids=["delete_user", "forget"])
def test_an_erasure_waits_for_an_index_that_is_down(
    open_memory: Open, index: Interrupted, tmp_path: Path, whole: bool
) -> None:
    """The receipt says that it is not complete and why; the worker of a later process finishes it."""
    memory = open_memory(index=index)
    told(memory)
    index.down = True
    receipt = memory.delete_user(user_id="ana") if whole else memory.forget(["t1"], user_id="ana")
    assert not receipt.complete
    assert any("the network is cut" in place for place in receipt.remains)
    index.down = False
    assert index.ids("ana")
    memory.close()
    later = open_memory(index=index)
    later.observe([("user", "Somebody else says something.")], user_id="ben")
    ledger = later._ledger
    while erasure.unfinished(ledger):
        later.flush(timeout=60)
    assert index.ids("ana") == set()
    assert receipts(ledger) == {True}


def test_a_reader_of_the_file_keeps_nobody_from_writing(open_memory: Open, tmp_path: Path) -> None:
    """While somebody reads, an erasure is not complete and says why; others write on at once; the worker finishes."""
    memory = open_memory()
    told(memory)
    with sqlite3.connect(tmp_path / "home" / "memory.db") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        started = time.monotonic()
        receipt = memory.forget(["t1"], user_id="ana")
        memory.observe([("user", "I like tea.")], user_id="ben")
        assert time.monotonic() - started < 9  # a checkpoint that waits for the reader takes LOCK_TIMEOUT_S, 10
        assert not receipt.complete
        assert any("somebody reads the file" in place for place in receipt.remains)
        reader.rollback()
    reader.close()
    memory.flush(timeout=60)
    assert [one.complete for one in memory.receipts(user_id="ana")] == [True]


def test_an_erasure_is_complete_among_short_reads_and_writes(open_memory: Open) -> None:
    """What others ask and say meanwhile, in threads of this process, holds no receipt up."""
    memory = open_memory()
    told(memory)
    done = threading.Event()

    def talk(user_id: str) -> None:
        while not done.is_set():
            memory.observe([("user", "I like tea.")], user_id=user_id)
            memory.memories(user_id=user_id)

    def look() -> None:
        with contextlib.closing(sqlite3.connect(memory._ledger.engine.url.database or "")) as reader:
            while not done.is_set():
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM events").fetchone()
                time.sleep(0.05)
                reader.rollback()
                time.sleep(0.05)

    with ThreadPoolExecutor() as pool:
        others = [pool.submit(talk, "ben"), pool.submit(talk, "eva"), pool.submit(look)]
        time.sleep(0.2)
        try:
            complete = [memory.forget(["t1"], user_id="ana").complete]
            complete += [memory.delete_user(user_id="ana").complete for _ in range(3)]
        finally:
            done.set()
        for other in others:
            other.result()
    assert complete == [True] * 4


def test_an_index_that_raises_errors_of_its_own_stops_nobody(open_memory: Open, index: Interrupted) -> None:
    """Recall goes on by words, erasures are noted, learning goes on, and its jobs are retried and parked."""
    memory = open_memory(index=index, retry=Retry(attempts=2, backoff=0.0))
    told(memory)
    index.failure = ConnectionError("no route to host")
    assert memory.recall("Where is the bicycle?", user_id="ana").degraded is not None
    memory.observe([("user", "I live in Oslo.")], user_id="ana", thread_id="t2")
    memory.flush(timeout=60)
    assert [job.kind for job in memory.jobs(user_id="ana")] == ["index"]
    assert [one.text for one in memory.memories(user_id="ana")] == ["Lives in Oslo"]
    assert not memory.forget(["t1"], user_id="ana").complete


def test_an_edge_folder_in_use_stops_no_learning(open_memory: Open) -> None:
    """A second process that asks for it learns and recalls by words."""
    pytest.importorskip("qdrant_edge")
    first = open_memory(index="edge")
    told(first)
    second = open_memory(index="edge", retry=Retry(attempts=2, backoff=0.0))
    second.observe([("user", "I live in Oslo.")], user_id="ben")
    second.flush(timeout=60)
    assert [one.text for one in second.memories(user_id="ben")] == ["Lives in Oslo"]
    assert second.recall("Oslo", user_id="ben").hits


def test_deleting_again_finishes_what_the_first_time_could_not(open_memory: Open, index: Interrupted) -> None:
    """The second receipt is complete, and nothing is left of either."""
    memory = open_memory(index=index)
    told(memory)
    index.down = True
    assert not memory.delete_user(user_id="ana").complete
    index.down = False
    assert memory.delete_user(user_id="ana").complete
    assert index.ids("ana") == set()
    assert receipts(memory._ledger) == {True}


def test_a_late_deletion_spares_who_came_back(open_memory: Open, index: Interrupted) -> None:
    """What a person says after an erasure is theirs; an erasure that ends later takes only what it was about."""
    memory = open_memory(index=index)
    told(memory)
    index.down = True
    memory.delete_user(user_id="ana")
    index.down = False
    memory.observe([("user", "I am back, and I like tea.")], user_id="ana", thread_id="new")
    memory.flush(timeout=60)
    held = index.ids("ana")
    memory.delete_user(user_id="ben")
    assert index.ids("ana") == held != set()
    assert memory.search("tea", user_id="ana")


def test_vectors_written_while_their_person_is_deleted_do_not_stay(open_memory: Open, index: Interrupted) -> None:
    """An indexing job that was about to write when the person was deleted takes its points back."""
    memory = open_memory(index=index)
    index.on_upsert.append(lambda: memory.delete_user(user_id="ana"))
    told(memory)
    assert memory.users() == []
    assert index.ids("ana") == set()


def test_memories_forgotten_before_they_were_indexed_leave_no_vectors(open_memory: Open) -> None:
    """Vectors of memories that a rebuild did not bring back go, whichever embedder made them."""
    memory = open_memory()
    told(memory, "I live in Oslo.")
    told(memory, "I have a dog called Rex.")
    memory.forget([memory.memories(user_id="ana")[0].id], user_id="ana")
    memory.flush(timeout=60)
    known = {one.id for one in memory.memories(user_id="ana")}
    points = memory._learning.semantic.space().index.ids("ana")
    assert {point.split("#")[0] for point in points if point[0] == "m"} == known


def test_deleting_reaches_the_collections_of_earlier_embedders(open_memory: Open) -> None:
    """Another embedder means another collection; a person who is deleted leaves both."""
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    from persona_memory.retrieval.qdrant import QdrantIndex

    first, second = (
        QdrantIndex(client, namespace="default", fingerprint=name, dimension=3) for name in ("first", "second")
    )
    vector = np.array([1, 0, 0], np.float32)
    for one in (first, second):
        one.upsert("ana", {"t1#0": vector, "t2#0": vector})
        one.upsert("ben", {"t1#0": vector})
    second.delete("ana", ["t1#0"])
    assert first.ids("ana") == second.ids("ana") == {"t2#0"}
    second.delete_user("ana")
    assert first.ids("ana") == second.ids("ana") == set()
    assert first.ids("ben") == second.ids("ben") == {"t1#0"}


def test_edge_keeps_the_vectors_of_one_embedder(tmp_path: Path) -> None:
    """A folder of an earlier embedder goes when another one is in use; one that is in use itself stays."""
    pytest.importorskip("qdrant_edge")
    from persona_memory.retrieval.edge import EdgeIndex

    def opened(name: str) -> EdgeIndex:
        return EdgeIndex(tmp_path, namespace="default", fingerprint=name, dimension=3)

    first = opened("first")
    first.upsert("ana", {"t1#0": np.array([1, 0, 0], np.float32)})
    opened("second").close()
    assert first.ids("ana") == {"t1#0"}
    first.close()
    opened("second").close()
    assert [folder.name for folder in tmp_path.iterdir() if "first" in folder.name] == []


def test_no_receipt_is_complete_while_the_index_still_holds_its_vectors(tmp_path: Path) -> None:
    """Scrubbing the file alone completes nothing; once the index is clear it does, and the person's name is gone."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with ledger.write() as tx:
        person = Person("default", "quetzalcoatl")
        receipt_id = erasure.write_receipt(tx, person, {}, points=None, secret=ledger.secret, now=now)
    erasure.scrub(ledger)
    assert receipts(ledger) == {False}
    with ledger.write() as tx:
        erasure.withdrawn(tx, "default", receipt_id)
    erasure.scrub(ledger)
    assert receipts(ledger) == {True}
    assert not erasure.unfinished(ledger)
    assert b"quetzalcoatl" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    ledger.close()


def receipts(ledger: Ledger) -> set[bool]:
    """Whether the ledger's receipts are complete."""
    with ledger.read() as connection:
        return set(connection.execute(select(table.c.complete)).scalars())
