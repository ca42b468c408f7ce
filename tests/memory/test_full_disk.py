"""A full disk: what was erased counts as erased, what waits to be learnt is not given up."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persona_memory import PersonaMemory, Retry
from persona_memory.errors import LedgerDiskError

from .conftest import Clock, Open


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def largest(home: Path) -> int:
    """Bytes of the largest file of a home."""
    return max(path.stat().st_size for path in home.iterdir() if path.is_file())


def test_an_erasure_whose_bytes_cannot_go_yet_is_no_failed_one(memory: PersonaMemory, tmp_path: Path) -> None:
    """The turn is gone and the receipt says what is left; with room again the worker finishes it."""
    memory.observe([("user", "My word is xylophone7.")], user_id="ana")
    memory.flush(timeout=30)
    with memory._ledger.maintain() as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    with no_file_beyond(largest(tmp_path / "home") - 4096):  # a transaction fits into the log, a VACUUM does not
        receipt = memory.forget(["t1"], user_id="ana")
    assert not receipt.complete
    assert "bytes stay in the file" in receipt.remains[-1]
    memory.flush(timeout=30)
    assert memory.verify_erasure(receipt.id, text="xylophone7").ok


def test_a_full_disk_parks_no_job(open_memory: Open, clock: Clock, tmp_path: Path) -> None:
    """However often it is tried meanwhile: nobody has to ask for it again."""
    memory = open_memory(retry=Retry(attempts=1, backoff=0.05))
    memory.observe([("user", f"I live in street {n}. " * 200) for n in range(40)], user_id="ana")
    with no_file_beyond(largest(tmp_path / "home") + 40_000), pytest.raises(TimeoutError):
        memory.flush(timeout=1.5)
    memory.close()
    clock.move(seconds=1)  # beyond every pause that its workers made
    again = open_memory()
    again.flush(timeout=20)
    assert again.jobs() == []
    assert again.progress(user_id="ana") == {"learnt": 40}


def test_backup_and_restore_name_a_full_disk(memory: PersonaMemory, tmp_path: Path) -> None:
    """Nothing is left of either, and the next one goes through."""
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    memory.backup(tmp_path / "before")
    with no_file_beyond(20_000):
        with pytest.raises(LedgerDiskError):
            memory.backup(tmp_path / "backup")
        with pytest.raises(LedgerDiskError):
            PersonaMemory.restore(tmp_path / "before", tmp_path / "restored")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "home"]
    memory.backup(tmp_path / "backup")
    PersonaMemory.restore(tmp_path / "backup", tmp_path / "restored")
