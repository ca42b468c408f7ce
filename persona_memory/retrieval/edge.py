"""Vectors in Qdrant Edge: Qdrant's engine in this process, in one folder, for one process at a time.

Written for qdrant-edge-py 0.9, and the only file that knows it. Searches are exact: no graph is ever built over this
workload (`optimize()` is never called). There is no write-ahead log, which would keep what was deleted: each call
flushes before it returns instead (about 5 ms). What is deleted is overwritten with zeros first.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from persona_memory.errors import IndexUnavailable, MissingExtra
from persona_memory.protocols import Vector
from persona_memory.retrieval.tenants import COLLECTIONS, collection_name, point_id, tenant
from persona_memory.telemetry import event

T = TypeVar("T")

log = logging.getLogger(__name__)

NEVER = 10_000_000
"""Kilobytes of a segment from which a graph would be built."""

PAGE = 1000


class EdgeIndex:
    """A `protocols.VectorIndex` in Qdrant Edge. Thread-safe; a second process is refused.

    Args:
        folder: is made where it is missing; each embedder has a folder of its own in it, and the last one stays.
        namespace: keeps the people of several applications apart.
        fingerprint: of the embedder.
        dimension: d of its vectors.

    Raises:
        MissingExtra: qdrant-edge-py is not installed.
        IndexUnavailable: another process has it open, its files cannot be read, or it was closed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, namespace: str, fingerprint: str, dimension: int) -> None:
        try:
            import qdrant_edge
        except ImportError as error:
            raise MissingExtra("the Qdrant Edge index", "edge") from error
        self._edge: Any = qdrant_edge
        self.namespace, self.dimension = namespace, dimension
        self.folder = Path(folder) / collection_name(fingerprint, dimension)
        self._lock = threading.RLock()
        self._holding = _hold(self.folder)
        _clear_older(self.folder)
        try:
            self._shard: Any = self._open()
        except BaseException:
            self._holding.close()
            raise

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points; an id that exists is overwritten. Searchable and on disk when it returns."""
        who = tenant(self.namespace, user_id)
        rows = [
            self._edge.Point(point_id(who, item), vector.tolist(), {"tenant": who, "item": item})
            for item, vector in points.items()
        ]
        if rows:
            self._ask(lambda shard: self._write(shard, self._edge.UpdateOperation.upsert_points(rows)))

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove these ids and the bytes of their vectors."""
        who = tenant(self.namespace, user_id)
        self._ask(lambda shard: self._erase(shard, [point_id(who, item) for item in ids]))

    def delete_user(self, user_id: str) -> None:
        """Remove all points of a person and the bytes of their vectors.

        A keyed hash of the user id and bare item ids ("t12#0") may stay in freed places of the payload's files.
        """
        self._ask(lambda shard: self._erase(shard, [record.id for record in self._records(shard, user_id)]))

    def ids(self, user_id: str) -> set[str]:
        """The ids that are held of a person."""
        return self._ask(lambda shard: {record.payload["item"] for record in self._records(shard, user_id)})

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """The person's nearest ids with their cosine similarity, best first; exact."""
        if limit < 1:
            return []
        edge = self._edge
        request = edge.SearchRequest(
            query=edge.Query.Nearest(vector.tolist()),
            limit=limit,
            filter=self._only(user_id),
            params=edge.SearchParams(exact=True),
            with_payload=True,
        )
        found = self._ask(lambda shard: shard.search(request))
        pairs = [(point.payload["item"], min(max(point.score, -1.0), 1.0)) for point in found]
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def close(self) -> None:
        """Release the folder for other processes. May be called more than once."""
        with self._lock:
            shard, self._shard = self._shard, None
            if shard is not None:
                shard.close()
                self._holding.close()

    def _open(self) -> Any:
        """The shard in the folder, made where there is none."""
        edge, data = self._edge, self.folder / "shard"
        try:
            if (data / "edge_config.json").exists():
                return edge.EdgeShard.load(str(data))
            data.mkdir(exist_ok=True)
            config = edge.EdgeConfig(
                vectors=edge.EdgeVectorParams(size=self.dimension, distance=edge.Distance.Cosine),
                optimizers=edge.EdgeOptimizersConfig(indexing_threshold=NEVER),
                wal_enabled=False,
            )
            shard = edge.EdgeShard.create(str(data), config)
            shard.update(edge.UpdateOperation.create_field_index("tenant", edge.KeywordIndexParams(is_tenant=True)))
            shard.flush()
            return shard
        except Exception as error:  # the engine raises nothing more precise
            raise IndexUnavailable(
                f"the Qdrant Edge index in {str(data)!r} cannot be opened: {error}. Turns are stored and recall goes "
                "on by words. The folder holds nothing but vectors: delete it, and they are computed again."
            ) from error

    def _ask(self, call: Callable[[Any], T]) -> T:
        """The shard's answer, one call at a time; its errors become `IndexUnavailable`."""
        with self._lock:
            if self._shard is None:
                raise IndexUnavailable(f"the Qdrant Edge index in {str(self.folder)!r} was closed; open a new one")
            try:
                return call(self._shard)
            except Exception as error:  # the engine raises nothing more precise
                raise IndexUnavailable(
                    f"the Qdrant Edge index in {str(self.folder)!r} failed: {error}. Recall goes on by words."
                ) from error

    def _write(self, shard: Any, *operations: Any) -> None:
        for operation in operations:
            shard.update(operation)
        shard.flush()

    def _erase(self, shard: Any, ids: Sequence[Any]) -> None:
        """Overwrite the vectors in their places, then delete the points: deleting alone only marks them."""
        edge = self._edge
        for start in range(0, len(ids), PAGE):
            page = list(ids[start : start + PAGE])
            zeros = [edge.Point(id, [0.0] * self.dimension, {}) for id in page]
            blank = edge.UpdateOperation.upsert_points(zeros, update_mode=edge.UpdateMode.UpdateOnly)
            self._write(shard, blank, edge.UpdateOperation.delete_points(page))

    def _records(self, shard: Any, user_id: str) -> Iterator[Any]:
        """All records of a person, with payload."""
        offset, records = None, []
        while True:
            request = self._edge.ScrollRequest(
                offset=offset, limit=PAGE, filter=self._only(user_id), with_payload=True, with_vector=False
            )
            page, offset = shard.scroll(request)
            records.extend(page)
            if offset is None:
                return iter(records)

    def _only(self, user_id: str) -> Any:
        edge = self._edge
        match = edge.MatchValue(value=tenant(self.namespace, user_id))
        return edge.Filter(must=[edge.FieldCondition(key="tenant", match=match)])


def _hold(folder: Path) -> IO[bytes]:
    """An open file whose lock keeps every other process (and a second index here) out; closing it lets them in.

    The engine itself would let two processes write to one folder when it keeps no write-ahead log.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "in-use.lock").open("ab")
    except OSError as error:
        raise IndexUnavailable(
            f"the Qdrant Edge index cannot be made in {str(folder)!r}: {error}. Recall goes on by words."
        ) from error
    try:
        _lock_file(file)
    except OSError as error:
        file.close()
        raise IndexUnavailable(
            f"the Qdrant Edge index in {str(folder)!r} is open already. Edge serves one process: close the other one, "
            'or use the index in the ledger (index="ledger") or a Qdrant server (index="http://…"), which serve many.'
        ) from error
    return file


def _clear_older(current: Path) -> None:
    """Remove the vectors of earlier embedders, unless another process still uses them: nobody would erase them."""
    for older in current.parent.glob(f"{COLLECTIONS}*"):
        if older == current:
            continue
        try:
            _hold(older).close()
            shutil.rmtree(older)
        except (IndexUnavailable, OSError) as error:
            log.warning(
                "persona-memory: vectors of an earlier embedder stay in %r: %s", str(older), error,
                extra=event("index.older_stays"),
            )  # fmt: skip


def _lock_file(file: IO[bytes]) -> None:
    """Lock the file for this process alone, or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
