"""The same memory on every ledger and over every index: what is remembered does not depend on where it is kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from persona_memory import InvalidInput, PersonaMemory
from persona_memory.errors import IndexUnavailable
from persona_memory.ledger.schema import events as table
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import Clock, Open

# qdrant-client's local mode says that it ignores what only a server heeds.
pytestmark = [pytest.mark.filterwarnings("ignore:Local mode"), pytest.mark.filterwarnings("ignore:Payload indexes")]

Case = Callable[[pytest.FixtureRequest, Path], dict[str, Any]]


def postgres(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """A ledger on a real Postgres server."""
    return {"url": request.getfixturevalue("postgres_url"), "namespace": f"{folder.parent.name}-{folder.name}"}


def edge(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """Qdrant Edge in the home folder."""
    pytest.importorskip("qdrant_edge")
    return {"index": "edge"}


class OneAtATime:
    """A client that takes one call at a time: qdrant-client's local mode, unlike a server, is not thread-safe."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            with self._lock:
                return method(*args, **options)

        return call


def local_qdrant() -> Any:
    """An index over qdrant-client's local mode."""
    client = pytest.importorskip("qdrant_client")
    from persona_memory.retrieval.qdrant import QdrantIndex

    server: Any = OneAtATime(client.QdrantClient(":memory:"))
    fingerprint, dimension = HashingEmbedder.fingerprint, HashingEmbedder.dimension
    return QdrantIndex(server, namespace="default", fingerprint=fingerprint, dimension=dimension)


def qdrant(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """A Qdrant client; its local mode stands for a server."""
    return {"index": local_qdrant()}


@pytest.fixture(params=[postgres, edge, qdrant], ids=lambda case: case.__name__)
def elsewhere(request: pytest.FixtureRequest, open_memory: Open, tmp_path: Path) -> PersonaMemory:
    """A memory that keeps its log or its vectors elsewhere than in the SQLite file."""
    memory: PersonaMemory = open_memory(**request.param(request, tmp_path))
    return memory


def test_what_is_remembered_is_the_same_everywhere(elsewhere: PersonaMemory, tmp_path: Path, clock: Clock) -> None:
    """Hits, profile, memories and texts equal those of the default."""
    plain = PersonaMemory.open(tmp_path / "plain", embeddings=HashingEmbedder(), clock=clock, worker=False)
    for memory in (elsewhere, plain):
        memory.observe(
            [("user", "I live in Porto. My bicycle is in the cellar."), ("assistant", "Nice.")], user_id="ana"
        )
        memory.observe([("user", "I love cooking.")], user_id="ana", thread_id="t2")
        memory.observe([("user", "My bicycle is red.")], user_id="ben")
        memory.flush(timeout=60)
    ours, theirs = (memory.search("Where is my bicycle?", user_id="ana") for memory in (elsewhere, plain))
    assert [hit.text for hit in ours] == [hit.text for hit in theirs]
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs], abs=1e-5)
    assert elsewhere.profile(user_id="ana").to_dict() == plain.profile(user_id="ana").to_dict()
    assert [one.text for one in elsewhere.memories(user_id="ana")] == [
        one.text for one in plain.memories(user_id="ana")
    ]
    plain.close()


def test_what_is_forgotten_is_gone_everywhere(elsewhere: PersonaMemory) -> None:
    """Forgetting and deleting reach the index, too; the receipt names what is out of reach."""
    elsewhere.observe([("user", "My bicycle is in the cellar."), ("user", "I like tea.")], user_id="ana")
    elsewhere.flush(timeout=60)
    elsewhere.forget(["t1"], user_id="ana")
    elsewhere.flush(timeout=60)
    assert "bicycle" not in str([hit.text for hit in elsewhere.search("bicycle", user_id="ana")])
    receipt = elsewhere.delete_user(user_id="ana")
    assert receipt.erased["events"] >= 2
    assert elsewhere.search("tea", user_id="ana") == []
    index = elsewhere._learning.semantic.space().index
    assert index.ids("ana") == set()


def test_an_index_that_lost_its_points_gets_them_back(open_memory: Open) -> None:
    """Vectors live in the ledger; the next indexing job makes the index whole."""
    index = local_qdrant()
    memory = open_memory(index=index)
    memory.observe([("user", "My bicycle is in the cellar.")], user_id="ana")
    memory.flush(timeout=60)
    held = index.ids("ana")
    index.delete_user("ana")
    memory.rebuild(user_id="ana")
    memory.flush(timeout=60)
    assert index.ids("ana") == held


def test_a_qdrant_that_is_down_costs_meaning_not_memory(open_memory: Open) -> None:
    """Recall goes on by words and says why; turns are stored; the job waits."""
    pytest.importorskip("qdrant_client")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    memory = open_memory(index=f"http://127.0.0.1:{port}")
    memory.observe([("user", "My bicycle is in the cellar.")], user_id="ana")
    recall = memory.recall("bicycle", user_id="ana")
    assert recall.hits[0].text == "My bicycle is in the cellar."
    assert recall.degraded is not None
    assert str(port) in recall.degraded
    with pytest.raises(IndexUnavailable):
        memory._learning.semantic.space().index.ids("ana")


def test_what_is_no_index_is_refused(open_memory: Open) -> None:
    """The message lists what can be passed."""
    with pytest.raises(InvalidInput, match="'edge'"):
        open_memory(index="chroma")


def test_what_is_no_embedder_is_refused(open_memory: Open) -> None:
    """The message lists what can be passed."""
    for wrong in ("hashign", 3, object()):
        with pytest.raises(InvalidInput, match="minilm, hashing or provider:model"):
            open_memory(embeddings=wrong)


def test_many_writers_of_one_person_on_postgres_keep_one_gapless_log(open_memory: Open, postgres_url: str) -> None:
    """Two doors, eight threads, a worker each: every turn is there once, in one order, and learnt once."""
    doors = [open_memory(url=postgres_url, namespace="writers", worker=True) for _ in range(2)]

    def write(place: int) -> None:
        for turn in range(10):
            doors[place % 2].observe(
                [("user", f"I love cheese number {place}{turn}.")], user_id="ana", thread_id=f"t{place}"
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    doors[0].flush(timeout=60)
    assert doors[1].progress(user_id="ana") == {"learnt": 80}
    said = doors[1].export(user_id="ana")["messages"]
    assert len({one["content"] for one in said}) == len(said) == 80
    with doors[0]._ledger.read() as connection:
        logged = list(connection.execute(select(table.c.seq).where(table.c.namespace == "writers")).scalars())
    assert sorted(logged) == list(range(1, len(logged) + 1))
    likes = [one for one in doors[1].memories(user_id="ana") if "cheese" in one.text]
    assert len(likes) == len({one.text for one in likes}) == 80
