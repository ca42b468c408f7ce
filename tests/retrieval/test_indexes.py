"""Qdrant and Qdrant Edge behind the index's protocol: the conformance suite, and what is particular to each."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from persona_memory.errors import IndexUnavailable, MissingExtra
from persona_memory.protocols import VectorIndex
from persona_memory.retrieval.edge import EdgeIndex
from persona_memory.retrieval.qdrant import QdrantIndex
from persona_memory.retrieval.tenants import collection_name, point_id, tenant
from persona_memory.testing.indexes import VectorIndexConformance

LOCAL_MODE = "ignore:(Payload indexes have no effect in the local|Local mode performs exact):UserWarning"
HALVES = np.full(4, 0.5, np.float32)


@pytest.mark.filterwarnings(LOCAL_MODE)
class TestQdrantIndex(VectorIndexConformance):
    """Through qdrant-client's local mode.

    Unlike a server it is not made for threads, normalises again at each search and scores all people's rows in one
    matrix product, so last bits differ. Edge, the server's own engine, is held to the bit.
    """

    threads = 1
    tolerance = 1e-6

    def make_index(self, folder: Path) -> VectorIndex:
        qdrant_client = pytest.importorskip("qdrant_client")
        client = qdrant_client.QdrantClient(":memory:")
        return QdrantIndex(client, namespace="tests", fingerprint="axes", dimension=self.dimension)


class TestEdgeIndex(VectorIndexConformance):
    """In a folder of its own."""

    persistent = True

    def make_index(self, folder: Path) -> VectorIndex:
        pytest.importorskip("qdrant_edge")
        return EdgeIndex(folder, namespace="tests", fingerprint="axes", dimension=self.dimension)


# ── Qdrant ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_qdrant_that_is_down_says_where_and_what_still_works(closed_port: int) -> None:
    """Opening succeeds; every call raises `IndexUnavailable` with the URL and what goes on without it, at once."""
    pytest.importorskip("qdrant_client")
    url = f"http://127.0.0.1:{closed_port}"
    index = QdrantIndex(url, namespace="tests", fingerprint="axes", dimension=4, timeout=2)
    calls: list[Callable[[], object]] = [
        lambda: index.search("ana", HALVES, limit=3),
        lambda: index.upsert("ana", {"t1#0": HALVES}),
        lambda: index.ids("ana"),
        lambda: index.delete("ana", ["t1#0"]),
        lambda: index.delete_user("ana"),
    ]
    started = time.monotonic()
    for call in calls:
        with pytest.raises(IndexUnavailable, match=f"{url}.*recall goes on by words"):
            call()
    assert time.monotonic() - started < 10
    index.close()


def test_a_qdrant_that_never_answers_is_given_up_on() -> None:
    """A server that accepts and stays silent costs the timeout, not forever."""
    pytest.importorskip("qdrant_client")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        index = QdrantIndex(url, namespace="tests", fingerprint="axes", dimension=4, timeout=1)
        started = time.monotonic()
        with pytest.raises(IndexUnavailable, match=url):
            index.search("ana", HALVES, limit=3)
        assert time.monotonic() - started < 8
        index.close()


@pytest.mark.filterwarnings(LOCAL_MODE)
def test_qdrant_is_told_hashes_and_ids_only() -> None:
    """The payload is tenant and item; the user's id appears nowhere in it."""
    qdrant_client = pytest.importorskip("qdrant_client")
    client = qdrant_client.QdrantClient(":memory:")
    index = QdrantIndex(client, namespace="acme", fingerprint="axes", dimension=4)
    index.upsert("ana@example.org", {"t1#0": HALVES})
    records, _ = client.scroll(index.collection, with_payload=True)
    assert [record.payload for record in records] == [{"tenant": tenant("acme", "ana@example.org"), "item": "t1#0"}]


@pytest.mark.filterwarnings(LOCAL_MODE)
def test_a_collection_that_vanished_is_made_again() -> None:
    """The first call after somebody dropped the collection fails with `IndexUnavailable`; the next one works."""
    qdrant_client = pytest.importorskip("qdrant_client")
    client = qdrant_client.QdrantClient(":memory:")
    index = QdrantIndex(client, namespace="acme", fingerprint="axes", dimension=4)
    index.upsert("ana", {"t1#0": HALVES})
    client.delete_collection(index.collection)
    with pytest.raises(IndexUnavailable):
        index.upsert("ana", {"t1#0": HALVES})
    index.upsert("ana", {"t1#0": HALVES})
    assert index.ids("ana") == {"t1#0"}


@pytest.mark.filterwarnings(LOCAL_MODE)
def test_namespaces_on_one_server_stay_apart() -> None:
    """The same user id in two namespaces is two people."""
    qdrant_client = pytest.importorskip("qdrant_client")
    client = qdrant_client.QdrantClient(":memory:")
    one, two = (QdrantIndex(client, namespace=name, fingerprint="axes", dimension=4) for name in ("a", "b"))
    one.upsert("ana", {"t1#0": HALVES})
    assert two.ids("ana") == set()
    two.delete_user("ana")
    assert one.ids("ana") == {"t1#0"}


def test_a_missing_qdrant_client_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, opening the index raises the pip command that brings it."""
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[qdrant\]"):
        QdrantIndex("http://127.0.0.1", namespace="tests", fingerprint="axes", dimension=4)


# ── Qdrant Edge ─────────────────────────────────────────────────────────────────────────────────────────────────────

SECOND = """
import sys
from persona_memory.errors import IndexUnavailable
from persona_memory.retrieval.edge import EdgeIndex
try:
    EdgeIndex(sys.argv[1], namespace="tests", fingerprint="axes", dimension=4)
except IndexUnavailable as error:
    print(error)
"""


def edge(folder: Path, *, dimension: int = 4, fingerprint: str = "axes") -> EdgeIndex:
    pytest.importorskip("qdrant_edge")

    return EdgeIndex(folder, namespace="tests", fingerprint=fingerprint, dimension=dimension)


def test_a_missing_edge_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the package, opening the index raises the pip command that brings it."""
    monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    with pytest.raises(MissingExtra, match=r"pip install .*\[edge\]"):
        EdgeIndex(tmp_path, namespace="tests", fingerprint="axes", dimension=4)


def test_a_second_process_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """It learns that Edge serves one process and which indexes serve many; once the first closes, it may open."""
    index = edge(tmp_path)
    told = subprocess.run([sys.executable, "-c", SECOND, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "one process" in told.stdout
    assert 'index="ledger"' in told.stdout
    index.close()
    told = subprocess.run([sys.executable, "-c", SECOND, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout == ""


def test_a_second_index_in_this_process_is_refused_too(tmp_path: Path) -> None:
    """The engine would let both write to one folder."""
    index = edge(tmp_path)
    with pytest.raises(IndexUnavailable, match="one process"):
        edge(tmp_path)
    index.close()
    edge(tmp_path).close()


def test_edge_after_close_says_so(tmp_path: Path) -> None:
    """A call after `close` is an `IndexUnavailable`, not a crash."""
    index = edge(tmp_path)
    index.close()
    with pytest.raises(IndexUnavailable, match="was closed"):
        index.ids("ana")


def test_a_damaged_edge_folder_says_what_may_be_deleted(tmp_path: Path) -> None:
    """Unreadable files are an `IndexUnavailable` that names the folder, and leave it unlocked."""
    index = edge(tmp_path)
    index.close()
    (index.folder / "shard" / "edge_config.json").write_text("{")
    for _ in range(2):
        with pytest.raises(IndexUnavailable, match="delete it, and they are computed again"):
            edge(tmp_path)


def test_each_embedder_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Another fingerprint or dimension sees none of the points, and both can be open."""
    one, two, three = edge(tmp_path), edge(tmp_path, fingerprint="other"), edge(tmp_path, dimension=8)
    one.upsert("ana", {"t1#0": HALVES})
    assert two.ids("ana") == three.ids("ana") == set()
    for index in (one, two, three):
        index.close()


@pytest.mark.parametrize("reopened", [False, True])
@pytest.mark.parametrize("erase", ["person", "ids", "overwrite"])
def test_erased_vectors_leave_no_bytes_in_edges_files(tmp_path: Path, erase: str, reopened: bool) -> None:
    """After `delete_user`, `delete` or an overwriting `upsert`, no file of the folder holds the vector's numbers."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = edge(tmp_path, dimension=64)
    index.upsert("ana", {f"t{i}#0": row for i, row in enumerate(rows[:20])})
    index.upsert("ben", {f"t{i}#0": row for i, row in enumerate(rows[20:])})
    if reopened:
        index.close()
        index = edge(tmp_path, dimension=64)
    assert held(index.folder, rows) == set(range(40)), "the test must be able to see the bytes"
    if erase == "person":
        index.delete_user("ana")
    elif erase == "ids":
        index.delete("ana", [f"t{i}#0" for i in range(20)])
    else:
        index.upsert("ana", {f"t{i}#0": row for i, row in enumerate(-rows[20:])})
    index.close()
    assert held(index.folder, rows) == set(range(20, 40)), "ana's bytes must be gone, and ben's must stay"


def held(folder: Path, rows: NDArray[np.float32]) -> set[int]:
    """Which of the vectors some file holds, told by eight neighbouring numbers."""
    files = [file.read_bytes().rstrip(b"\0") for file in folder.rglob("*") if file.is_file()]
    return {number for number, row in enumerate(rows) if any(row[8:16].tobytes() in file for file in files)}


CHILD = """
import sys
import numpy as np
from persona_memory.retrieval.edge import EdgeIndex
index = EdgeIndex(sys.argv[1], namespace="tests", fingerprint="axes", dimension=4)
for turn in range(100_000):
    index.upsert("ana", {f"t{turn}#0": np.full(4, 0.5, np.float32)})
    print(turn, flush=True)
"""


def test_a_kill_loses_no_point_that_was_stored(tmp_path: Path) -> None:
    """Whatever `upsert` had returned for is there after SIGKILL, and the folder opens again."""
    pytest.importorskip("qdrant_edge")
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    stored = [int(child.stdout.readline()) for _ in range(20)][-1]
    child.kill()
    rest = child.stdout.read().split()
    child.wait(timeout=10)
    child.stdout.close()
    stored = int(rest[-1]) if rest else stored
    index = edge(tmp_path)
    assert index.ids("ana") >= {f"t{turn}#0" for turn in range(stored + 1)}
    index.close()


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_names_in_an_index_are_stable() -> None:
    """They are what released versions wrote: a change would orphan every stored point."""
    assert tenant("acme", "ana") == "3b02cc4077b9df57f5ed519b146d4ba2"
    assert point_id(tenant("acme", "ana"), "t1#0") == "b97c8a90-33c3-5824-8498-7c1e24408c6e"
    assert collection_name("minilm-l6-v2/384", 384) == "persona-memory-minilm-l6-v2-384-384-1949e249ab79"


def test_tenants_differ_where_people_or_namespaces_do() -> None:
    """No concatenation of namespace and user id is mistaken for another."""
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a", "b"), ("A", "b"), ("\ud800", "b")]
    assert len({tenant(*pair) for pair in pairs}) == len(pairs)
