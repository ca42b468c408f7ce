"""The default index, in the ledger, passes the suite that every back end has to pass."""

from __future__ import annotations

from pathlib import Path

from persona_memory.ledger import Ledger
from persona_memory.ledger.index import LedgerIndex
from persona_memory.protocols import VectorIndex
from persona_memory.testing.indexes import VectorIndexConformance


class TestLedgerIndex(VectorIndexConformance):
    """Vectors as BLOBs in a SQLite file."""

    persistent = True

    def make_index(self, folder: Path) -> VectorIndex:
        """An index over the ledger in the folder."""
        return LedgerIndex(Ledger(f"sqlite:///{folder / 'memory.db'}", durability="NORMAL"), fingerprint="test/8")


def test_an_index_sees_what_another_process_stored(tmp_path: Path) -> None:
    """Two ledgers on one file stand for two processes; caches notice each other's changes."""
    suite = TestLedgerIndex()
    first, second = suite.make_index(tmp_path), suite.make_index(tmp_path)
    one, two = suite.vectors(2)
    first.upsert("ana", {"t1#0": one})
    assert [item for item, _ in second.search("ana", one, limit=5)] == ["t1#0"]
    first.upsert("ana", {"t2#0": two})
    assert len(second.search("ana", two, limit=5)) == 2
    first.delete_user("ana")
    first.upsert("ana", {"t1#0": two})
    ((item, score),) = second.search("ana", two, limit=5)
    assert item == "t1#0"
    assert score > 0.99
