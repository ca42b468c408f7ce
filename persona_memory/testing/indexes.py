"""The suite that every vector index has to pass, ours and yours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from persona_memory.protocols import Vector, VectorIndex

ODD_USERS = (
    "ana",
    "Ana",
    "ana.maria/costa",
    "ana maria",
    " ana",
    "u" * 300,
    "u" * 299 + "v",
    "👩🏽‍💻",
    "user:1",
    "user%3A1",
    "../../etc/passwd",
    "*",
    "'; DROP TABLE vectors; --",
    "né\u0301e",
    "née",
)
"""User ids that differ, and must stay different persons, however they are escaped, folded or cut off."""


class VectorIndexConformance:
    """Inherit, say how an empty index is made, and pytest finds the tests:

        class TestMyIndex(VectorIndexConformance):
            persistent = True

            def make_index(self, folder: Path) -> VectorIndex:
                return MyIndex(folder, dimension=self.dimension)

    `folder` is a new, empty folder per test; an index that keeps nothing there may ignore it. Called again with the
    same folder, after `close`, `make_index` opens what was kept. Override the fixture `index` if yours needs more.

    Attributes:
        dimension: d of the vectors that the tests use.
        persistent: what was stored is still there when `make_index` is called again with the same folder.
        threads: how many threads may use one index at once; 1 if it must not be shared.
        tolerance: by how much the score of the same vector may differ from search to search. 0: not by a bit. Only for
            engines whose arithmetic depends on how many rows they multiply at once; 1e-6 is plenty.
    """

    dimension: int = 16
    persistent: bool = False
    threads: int = 8
    tolerance: float = 0.0

    def make_index(self, folder: Path) -> VectorIndex:
        """An empty index over vectors of shape (dimension,), or the one that was kept in `folder`."""
        raise NotImplementedError(f"{type(self).__name__} must define make_index(folder)")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Where this test's index may keep its files."""
        return tmp_path

    @pytest.fixture
    def index(self, folder: Path) -> Iterator[VectorIndex]:
        """An empty index, closed after the test."""
        made = self.make_index(folder)
        yield made
        made.close()

    def vectors(self, count: int, *, seed: int = 0) -> list[Vector]:
        """`count` different vectors of shape (dimension,), length 1."""
        rows = np.random.default_rng(seed).normal(size=(count, self.dimension)).astype(np.float32)
        return list(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    def points(self, count: int, *, seed: int = 0, prefix: str = "t") -> dict[str, Vector]:
        """`count` points "t1#0", "t2#0" …."""
        return {f"{prefix}{i}#0": vector for i, vector in enumerate(self.vectors(count, seed=seed), 1)}

    def axis(self, place: int, *, tilt: float = 0.0) -> Vector:
        """The unit vector along one axis, turned towards the next one by `tilt`."""
        vector = np.zeros(self.dimension, np.float32)
        vector[place], vector[(place + 1) % self.dimension] = 1.0, tilt
        unit: Vector = vector / np.float32(np.linalg.norm(vector))
        return unit

    def assert_same(self, found: Sequence[tuple[str, float]], expected: Sequence[tuple[str, float]]) -> None:
        """The same ids in the same order with the same scores, to the last bit where `tolerance` is 0."""
        if self.tolerance == 0.0:
            assert list(found) == list(expected)
        assert [id for id, _ in found] == [id for id, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=self.tolerance)

    # ── what an index is ────────────────────────────────────────────────────────────────────────────────────────────

    def test_is_a_vector_index(self, index: VectorIndex) -> None:
        """It has every method of the protocol."""
        assert isinstance(index, VectorIndex)

    # ── storing and finding ─────────────────────────────────────────────────────────────────────────────────────────

    def test_what_was_stored_is_found_at_once(self, index: VectorIndex) -> None:
        """A point is visible to the next search, with cosine 1 to itself."""
        points = self.points(5)
        index.upsert("ana", points)
        for id, vector in points.items():
            best, cosine = index.search("ana", vector, limit=1)[0]
            assert best == id
            assert cosine == pytest.approx(1.0, abs=1e-4)

    def test_scores_are_cosines_and_come_best_first(self, index: VectorIndex) -> None:
        """Each score is the cosine similarity, in descending order, from the same direction to the opposite one."""
        near, far = self.axis(0, tilt=0.5), self.axis(0, tilt=3.0)
        index.upsert("ana", {"opposite#0": -self.axis(0), "far#0": far, "same#0": self.axis(0), "near#0": near})
        found = index.search("ana", self.axis(0), limit=10)
        assert [id for id, _ in found] == ["same#0", "near#0", "far#0", "opposite#0"]
        expected = [1.0, float(near[0]), float(far[0]), -1.0]
        assert [score for _, score in found] == pytest.approx(expected, abs=1e-4)
        assert all(-1.0 <= score <= 1.0 for _, score in found)

    def test_search_agrees_with_arithmetic(self, index: VectorIndex) -> None:
        """Search is exact: over 300 points it returns the same ids, in the same order, as a matrix product."""
        points, query = self.points(300), self.vectors(1, seed=9)[0]
        index.upsert("ana", points)
        cosines = {id: float(vector @ query) for id, vector in points.items()}
        expected = sorted(cosines, key=lambda id: -cosines[id])[:50]
        found = index.search("ana", query, limit=50)
        assert [id for id, _ in found] == expected
        assert [score for _, score in found] == pytest.approx([cosines[id] for id in expected], abs=1e-4)

    def test_limit_bounds_the_answer(self, index: VectorIndex) -> None:
        """At most `limit` points come back, and all of them if there are fewer."""
        index.upsert("ana", self.points(7))
        assert len(index.search("ana", self.axis(0), limit=3)) == 3
        assert len(index.search("ana", self.axis(0), limit=100)) == 7

    def test_the_best_are_a_prefix_of_more(self, index: VectorIndex) -> None:
        """A larger limit only adds to the end."""
        index.upsert("ana", self.points(40))
        ten, thirty = (index.search("ana", self.axis(1), limit=limit) for limit in (10, 30))
        self.assert_same(thirty[:10], ten)

    def test_the_same_search_has_the_same_answer(self, index: VectorIndex) -> None:
        """Searching changes nothing."""
        index.upsert("ana", self.points(40))
        first = index.search("ana", self.axis(1), limit=20)
        self.assert_same(index.search("ana", self.axis(1), limit=20), first)

    def test_all_ids_come_back_as_they_went_in(self, index: VectorIndex) -> None:
        """Ids of turns, chunks and memories are kept to the letter."""
        ids = ("t1#0", "t1#1", "t10#0", "m-3f2a#0", "018f6d0e-8f2b-7c55-9a70-0123456789ab#0", "t1#10")
        index.upsert("ana", dict(zip(ids, self.vectors(len(ids)), strict=True)))
        assert index.ids("ana") == set(ids)
        assert {id for id, _ in index.search("ana", self.axis(0), limit=10)} == set(ids)

    def test_many_points_in_one_call(self, index: VectorIndex) -> None:
        """A batch of 1,500 is stored whole, and all its ids are listed."""
        points = self.points(1500)
        index.upsert("ana", points)
        assert index.ids("ana") == set(points)

    def test_a_zero_vector_harms_nobody(self, index: VectorIndex) -> None:
        """It may be stored and searched for; scores stay numbers and other points are found."""
        index.upsert("ana", {"zero#0": np.zeros(self.dimension, np.float32), "one#0": self.axis(0)})
        assert index.search("ana", self.axis(0), limit=1)[0][0] == "one#0"
        scores = index.search("ana", np.zeros(self.dimension, np.float32), limit=2)
        assert all(np.isfinite(score) for _, score in scores)

    # ── nothing there ───────────────────────────────────────────────────────────────────────────────────────────────

    def test_an_unknown_person_has_nothing(self, index: VectorIndex) -> None:
        """Reading, deleting and searching for somebody who was never stored is no error."""
        index.upsert("ana", self.points(3))
        assert index.ids("nobody") == set()
        assert index.search("nobody", self.axis(0), limit=5) == []
        index.delete("nobody", ["t1#0"])
        index.delete_user("nobody")
        assert len(index.ids("ana")) == 3

    def test_an_empty_call_does_nothing(self, index: VectorIndex) -> None:
        """No points and no ids are no error."""
        index.upsert("ana", {})
        index.delete("ana", [])
        assert index.ids("ana") == set()

    # ── changing and deleting ───────────────────────────────────────────────────────────────────────────────────────

    def test_storing_an_id_again_overwrites_it(self, index: VectorIndex) -> None:
        """The new vector counts, the old one is gone, and there is one point."""
        index.upsert("ana", {"t1#0": self.axis(0), "t2#0": self.axis(3)})
        index.upsert("ana", {"t1#0": self.axis(5)})
        assert index.ids("ana") == {"t1#0", "t2#0"}
        assert dict(index.search("ana", self.axis(5), limit=2))["t1#0"] == pytest.approx(1.0, abs=1e-4)
        assert dict(index.search("ana", self.axis(0), limit=2))["t1#0"] == pytest.approx(0.0, abs=1e-4)

    def test_storing_twice_is_storing_once(self, index: VectorIndex) -> None:
        """Repeating a call changes neither ids nor scores."""
        points = self.points(10)
        index.upsert("ana", points)
        before = index.search("ana", self.axis(0), limit=10)
        index.upsert("ana", points)
        assert index.ids("ana") == set(points)
        self.assert_same(index.search("ana", self.axis(0), limit=10), before)

    def test_deleted_ids_are_gone(self, index: VectorIndex) -> None:
        """They are neither listed nor found; the rest is; deleting them again is no error."""
        points = self.points(6)
        index.upsert("ana", points)
        for _ in range(2):
            index.delete("ana", ["t2#0", "t5#0", "never-there#0"])
            assert index.ids("ana") == set(points) - {"t2#0", "t5#0"}
            assert "t2#0" not in dict(index.search("ana", points["t2#0"], limit=6))

    def test_a_deleted_id_can_be_stored_again(self, index: VectorIndex) -> None:
        """It comes back with its new vector."""
        index.upsert("ana", {"t1#0": self.axis(0)})
        index.delete("ana", ["t1#0"])
        index.upsert("ana", {"t1#0": self.axis(4)})
        assert index.search("ana", self.axis(4), limit=1)[0][1] == pytest.approx(1.0, abs=1e-4)

    def test_a_deleted_person_is_gone_and_may_return(self, index: VectorIndex) -> None:
        """Nothing of the person is left, others are untouched, twice is no error, and new points start from nothing."""
        index.upsert("ana", self.points(20))
        index.upsert("ben", self.points(5))
        for _ in range(2):
            index.delete_user("ana")
            assert index.ids("ana") == set()
            assert index.search("ana", self.axis(0), limit=20) == []
        assert len(index.search("ben", self.axis(0), limit=20)) == 5
        index.upsert("ana", {"t1#0": self.axis(0)})
        assert index.ids("ana") == {"t1#0"}

    # ── whose it is ─────────────────────────────────────────────────────────────────────────────────────────────────

    def test_the_same_id_is_another_point_for_another_person(self, index: VectorIndex) -> None:
        """Two people's "t1#0" do not overwrite or delete each other."""
        index.upsert("ana", {"t1#0": self.axis(0)})
        index.upsert("ben", {"t1#0": self.axis(1)})
        assert index.search("ana", self.axis(0), limit=5)[0][1] == pytest.approx(1.0, abs=1e-4)
        index.delete("ben", ["t1#0"])
        assert index.ids("ana") == {"t1#0"}
        assert index.ids("ben") == set()

    def test_another_persons_points_change_no_score(self, index: VectorIndex) -> None:
        """Answers stay as they are, to the last bit, while 50 points of somebody else come, change and go."""
        index.upsert("ana", self.points(30))
        queries = self.vectors(5, seed=3)
        before = [index.search("ana", query, limit=30) for query in queries]

        def unchanged() -> None:
            for query, expected in zip(queries, before, strict=True):
                self.assert_same(index.search("ana", query, limit=30), expected)

        index.upsert("ben", self.points(50, seed=4) | {"same#0": queries[0]})
        unchanged()
        index.upsert("ben", self.points(50, seed=5))
        index.delete("ben", ["t1#0", "t2#0"])
        unchanged()
        index.delete_user("ben")
        unchanged()

    def test_nobody_is_crowded_out(self, index: VectorIndex) -> None:
        """A person's point is found though a hundred points of others are nearer: it filters before it searches."""
        index.upsert("ben", {f"t{i}#0": self.axis(0) for i in range(100)})
        index.upsert("ana", {"t1#0": self.axis(0, tilt=2.0)})
        assert [id for id, _ in index.search("ana", self.axis(0), limit=1)] == ["t1#0"]

    def test_user_ids_of_any_form_stay_apart(self, index: VectorIndex) -> None:
        """Dots, slashes, spaces, 300 characters, emoji, case, look-alikes: each is a person of their own."""
        vectors = self.vectors(len(ODD_USERS))
        for number, (user, vector) in enumerate(zip(ODD_USERS, vectors, strict=True)):
            index.upsert(user, {f"t{number}#0": vector})
        for number, user in enumerate(ODD_USERS):
            assert index.ids(user) == {f"t{number}#0"}, user
            assert [id for id, _ in index.search(user, self.axis(0), limit=9)] == [f"t{number}#0"], user
        index.delete_user(ODD_USERS[0])
        assert [len(index.ids(user)) for user in ODD_USERS] == [0] + [1] * (len(ODD_USERS) - 1)

    # ── threads and time ────────────────────────────────────────────────────────────────────────────────────────────

    def test_threads_lose_nothing(self, index: VectorIndex) -> None:
        """Threads that write and search at once, for one person and for several, lose no point and see no error."""
        if self.threads < 2:
            pytest.skip("this index is not shared between threads")
        start = threading.Barrier(self.threads)

        def work(number: int) -> None:
            start.wait(timeout=30)
            for turn in range(6):
                own = f"w{number}-{turn}#0"
                index.upsert("shared", {own: self.axis(turn)})
                index.upsert(f"user-{number}", {own: self.axis(turn)})
                assert own in dict(index.search(f"user-{number}", self.axis(turn), limit=20))
                assert own in index.ids("shared")

        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(work, number) for number in range(self.threads)]:
                done.result(timeout=60)
        assert index.ids("shared") == {f"w{n}-{turn}#0" for n in range(self.threads) for turn in range(6)}

    def test_what_was_stored_survives_closing(self, folder: Path) -> None:
        """Points, overwritten points and deletions are as they were after the index is closed and opened again."""
        if not self.persistent:
            pytest.skip("this index does not keep its points")
        index = self.make_index(folder)
        index.upsert("ana", self.points(20))
        index.upsert("ana", {"t1#0": self.axis(0)})
        index.delete("ana", ["t2#0"])
        index.upsert("ben", self.points(3))
        index.delete_user("ben")
        before = index.search("ana", self.axis(0), limit=20)
        index.close()
        again = self.make_index(folder)
        try:
            self.assert_same(again.search("ana", self.axis(0), limit=20), before)
            assert again.ids("ana") == {f"t{i}#0" for i in range(1, 21)} - {"t2#0"}
            assert again.ids("ben") == set()
        finally:
            again.close()

    def test_closing_twice_is_no_error(self, folder: Path) -> None:
        """`close` may be called by whoever is last to leave, and by the one before."""
        index = self.make_index(folder)
        index.close()
        index.close()
