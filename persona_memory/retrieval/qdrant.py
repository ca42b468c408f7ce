"""Vectors on a Qdrant server or cluster: one collection per embedder, one tenant per person, ids and hashes as payload.

Laid out as Qdrant advises for many small tenants: a tenant index on the payload and no graph over all points
(`m=0, payload_m=16`), so a person's vectors lie together; searches are exact within the tenant.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from persona_memory.errors import IndexUnavailable, MissingExtra
from persona_memory.protocols import Vector
from persona_memory.retrieval.tenants import COLLECTIONS, collection_name, point_id, tenant

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

T = TypeVar("T")

BATCH = 256
PAGE = 1000


class QdrantIndex:
    """A `protocols.VectorIndex` on a Qdrant server. Thread-safe as far as the client is (a server's is).

    The collection is made at first use, so a server that is down does not keep a memory from opening.

    Args:
        server: URL of the server, or a `QdrantClient` of your own (API key, gRPC …), which `close` leaves open.
        namespace: keeps the people of several applications on one server apart.
        fingerprint: of the embedder.
        dimension: d of its vectors.
        timeout: seconds after which a call that gets no answer raises `IndexUnavailable`.

    Raises:
        MissingExtra: qdrant-client is not installed.
        IndexUnavailable: by every method, when the server is down or answers with an error.
    """

    def __init__(
        self, server: str | QdrantClient, *, namespace: str, fingerprint: str, dimension: int, timeout: int = 5
    ) -> None:
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise MissingExtra("the Qdrant index", "qdrant") from error
        self._owned = isinstance(server, str)
        self._client = (
            QdrantClient(url=server, timeout=timeout, check_compatibility=False) if isinstance(server, str) else server
        )
        self.where = server if isinstance(server, str) else "the given client"
        self.namespace, self.dimension = namespace, dimension
        self.collection = collection_name(fingerprint, dimension)
        self._making = threading.Lock()
        self._made = False

    def upsert(self, user_id: str, points: Mapping[str, Vector]) -> None:
        """Store points; an id that exists is overwritten. Searchable when it returns."""
        from qdrant_client.models import PointStruct

        who = tenant(self.namespace, user_id)

        def write(client: QdrantClient) -> None:
            for batch in _batches(points.items(), BATCH):
                rows = [
                    PointStruct(id=point_id(who, item), vector=vector.tolist(), payload={"tenant": who, "item": item})
                    for item, vector in batch
                ]
                client.upsert(self.collection, rows, wait=True)

        self._ask(write)

    def delete(self, user_id: str, ids: Collection[str]) -> None:
        """Remove these ids, from the collections of earlier embedders, too."""
        who = tenant(self.namespace, user_id)

        def erase(client: QdrantClient) -> None:
            for collection in _every(client):
                for batch in _batches(ids, PAGE):
                    client.delete(collection, [point_id(who, item) for item in batch], wait=True)

        if ids:
            self._ask(erase)

    def delete_user(self, user_id: str) -> None:
        """Remove all points of a person, from the collections of earlier embedders, too.

        The server's optimizer clears their bytes when it next vacuums the segment.
        """
        from qdrant_client.models import FilterSelector

        selector = FilterSelector(filter=self._only(user_id))

        def erase(client: QdrantClient) -> None:
            for collection in _every(client):
                client.delete(collection, selector, wait=True)

        self._ask(erase)

    def ids(self, user_id: str) -> set[str]:
        """The ids that are held of a person."""
        only = self._only(user_id)

        def read(client: QdrantClient) -> set[str]:
            found: set[str] = set()
            offset = None
            while True:
                records, offset = client.scroll(
                    self.collection, scroll_filter=only, limit=PAGE, offset=offset, with_payload=["item"]
                )
                found.update(record.payload["item"] for record in records if record.payload)
                if offset is None:
                    return found

        return self._ask(read)

    def search(self, user_id: str, vector: Vector, *, limit: int) -> list[tuple[str, float]]:
        """The person's nearest ids with their cosine similarity, best first; exact."""
        if limit < 1:
            return []
        from qdrant_client.models import SearchParams

        answer = self._ask(
            lambda client: client.query_points(
                self.collection,
                query=vector.tolist(),
                query_filter=self._only(user_id),
                search_params=SearchParams(exact=True),
                limit=limit,
                with_payload=["item"],
            )
        )
        found = [(point.payload["item"], min(max(point.score, -1.0), 1.0)) for point in answer.points if point.payload]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def close(self) -> None:
        """Close the connection, if it is ours."""
        if self._owned:
            self._client.close()

    def _only(self, user_id: str) -> Any:
        from qdrant_client.models import FieldCondition, Filter, MatchValue

        match = MatchValue(value=tenant(self.namespace, user_id))
        return Filter(must=[FieldCondition(key="tenant", match=match)])

    def _ask(self, call: Callable[[QdrantClient], T]) -> T:
        """The client's answer, with the collection made first; its errors become `IndexUnavailable`."""
        import grpc  # type: ignore[import-untyped]
        from qdrant_client.http.exceptions import ApiException

        try:
            with self._making:
                if not self._made:
                    self._make_collection()
                    self._made = True
            return call(self._client)
        except (ApiException, grpc.RpcError, OSError, RuntimeError, ValueError) as error:
            self._made = False  # the collection may be gone: look again next time
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise IndexUnavailable(
                f"the Qdrant index at {self.where} failed: {reason}. Turns are stored and recall goes on by words; "
                "vectors are brought up to date when it is back. Check that a Qdrant server answers at this address."
            ) from error

    def _make_collection(self) -> None:
        """The collection and its tenant index, unless they are there; another process may make them meanwhile."""
        from qdrant_client.http.exceptions import UnexpectedResponse
        from qdrant_client.models import Distance, HnswConfigDiff, KeywordIndexParams, KeywordIndexType, VectorParams

        client = self._client
        if not client.collection_exists(self.collection):
            try:
                client.create_collection(
                    self.collection,
                    vectors_config=VectorParams(size=self.dimension, distance=Distance.COSINE),
                    hnsw_config=HnswConfigDiff(m=0, payload_m=16),
                )
            except UnexpectedResponse as error:
                if error.status_code != 409:  # 409: it exists by now
                    raise
        schema = KeywordIndexParams(type=KeywordIndexType.KEYWORD, is_tenant=True)
        client.create_payload_index(self.collection, "tenant", field_schema=schema)


def _every(client: QdrantClient) -> list[str]:
    """Our collections on the server, one per embedder that was ever used."""
    return [one.name for one in client.get_collections().collections if one.name.startswith(COLLECTIONS)]


def _batches(items: Collection[T], size: int) -> Iterator[list[T]]:
    ordered = list(items)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
