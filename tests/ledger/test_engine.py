"""Opening a ledger: what goes wrong has a name and a way out."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from persona_memory import PersonaMemory
from persona_memory.errors import (
    InvalidInput,
    LedgerCorrupt,
    LedgerDiskError,
    LedgerError,
    LedgerLocked,
    LedgerReadOnly,
    LedgerTooNew,
)
from persona_memory.ledger import Ledger, Person, engine, events, migrations, people, vectors
from persona_memory.ledger.schema import SCHEMA_VERSION, metadata

SAMPLES = Path(__file__).parent / "samples"


def test_a_corrupt_file_is_named_and_left_alone(tmp_path: Path) -> None:
    """Garbage is reported, not overwritten."""
    path = tmp_path / "memory.db"
    path.write_bytes(b"this is no database" * 400)
    with pytest.raises(LedgerCorrupt, match="not a readable ledger"):
        Ledger(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is no database")


def test_an_emptied_file_beside_its_log_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """SQLite would begin anew and delete the log."""
    path, log = tmp_path / "memory.db", tmp_path / "memory.db-wal"
    path.write_bytes(b"")
    log.write_bytes(b"frames" * 1000)
    with pytest.raises(LedgerCorrupt, match="is empty"):
        Ledger(f"sqlite:///{path}")
    assert log.read_bytes() == b"frames" * 1000


def test_a_full_disk_has_its_own_name(tmp_path: Path) -> None:
    """What did not fit is not there; what did is, and there is more once there is room."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    with ledger.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerDiskError, match="make room"), ledger.write() as tx:
        tx.exec_driver_sql("INSERT INTO meta VALUES ('much', ?)", ("x" * 100_000,))
    ledger.close()
    Ledger(f"sqlite:///{tmp_path / 'memory.db'}").close()


def test_a_newer_file_asks_for_an_upgrade(tmp_path: Path) -> None:
    """A ledger of the future is not touched."""
    path = tmp_path / "memory.db"
    Ledger(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(SCHEMA_VERSION + 1),))
    with pytest.raises(LedgerTooNew, match="pip install --upgrade persona-memory"):
        Ledger(f"sqlite:///{path}")


def test_a_read_only_file_says_so(tmp_path: Path) -> None:
    """SQLite's own read-only mode stands for missing permissions, which root does not feel."""
    path = tmp_path / "memory.db"
    Ledger(f"sqlite:///{path}").close()
    ledger = Ledger(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(LedgerReadOnly, match="permissions"), ledger.write() as tx:
        people.lock(tx, Person("default", "ana"))
    ledger.close()


def test_a_locked_file_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds the write lock; the wait is bounded."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.2)
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}")
    other = sqlite3.connect(tmp_path / "memory.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerLocked, match="try again"), ledger.write():
        pass
    other.execute("ROLLBACK")
    with ledger.write():
        pass
    other.close()
    ledger.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [("sqlite://", "in memory"), ("mysql://x/y", "SQLite or Postgres"), ("nonsense", "no database URL")],
)
def test_urls_that_cannot_hold_a_ledger_are_refused(url: str, says: str) -> None:
    """The message says what to pass."""
    with pytest.raises(InvalidInput, match=says):
        Ledger(url)


def test_two_openers_of_a_new_ledger_agree_on_one_secret(tmp_path: Path) -> None:
    """Creation races end in one ledger."""
    opened: list[Ledger] = []
    threads = [
        threading.Thread(target=lambda: opened.append(Ledger(f"sqlite:///{tmp_path / 'memory.db'}"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    assert len({one.secret for one in opened}) == 1
    for one in opened:
        one.close()


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("ledger_v*.db")), ids=lambda path: path.stem)
def test_the_stored_sample_of_every_version_opens(sample: Path, tmp_path: Path) -> None:
    """A file of each released schema is migrated and read."""
    copy = tmp_path / sample.name
    copy.write_bytes(sample.read_bytes())
    ledger = Ledger(f"sqlite:///{copy}")
    with ledger.read() as connection:
        assert [turn.text for turn in events.turns(connection, Person("default", "ana"))][:1] == ["I live in Porto."]
        for table in metadata.sorted_tables:
            connection.execute(select(table).limit(1)).all()
    ledger.close()


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("ledger_v*.db")), ids=lambda path: path.stem)
def test_a_memory_of_every_version_goes_on(sample: Path, tmp_path: Path) -> None:
    """All that was known is known, nothing is amiss, and more is learnt, forgotten and proven with it."""
    (tmp_path / "memory.db").write_bytes(sample.read_bytes())
    (tmp_path / "memory.db").chmod(0o600)
    with PersonaMemory.open(tmp_path, worker=False, embeddings="hashing") as memory:
        known = {one.text for one in memory.memories(user_id="ana")}
        assert known == {"Lives in Porto", "The user's dog is called Rex."}
        assert memory.profile(user_id="ana").get("demographics.name") == "Ana"
        assert memory.policy(user_id="ana").retention_days == 3650
        assert [check for check in memory.doctor().checks if check.problems] == []
        memory.observe([("user", "I work as a nurse.")], user_id="ana", thread_id="t9")
        memory.flush(timeout=60)
        assert len(memory.memories(user_id="ana")) == 3
        receipt = memory.forget(["t1"], user_id="ana")
        assert memory.verify_erasure(receipt.id, text="Porto").ok


def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    """Its tables may mean something else: not a byte is changed."""
    path = tmp_path / "memory.db"
    Ledger(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(LedgerTooNew):
        Ledger(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version, the tables and the rows are those from before; the next try begins at the same place."""
    path = tmp_path / "memory.db"
    path.write_bytes((SAMPLES / "ledger_v1.db").read_bytes())
    with closing(sqlite3.connect(path)) as database:
        before = list(database.iterdump())

    def fails(tx: object) -> None:
        raise LedgerError("the disk is full")

    monkeypatch.setitem(migrations.STEPS, 2, fails)
    with pytest.raises(LedgerError, match="disk is full"):
        Ledger(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        assert list(database.iterdump()) == before
    monkeypatch.undo()
    Ledger(f"sqlite:///{path}").close()


def test_there_is_a_sample_of_the_current_version() -> None:
    """Whoever raises the schema version stores a sample of it (scripts/ledger_sample.py)."""
    assert (SAMPLES / f"ledger_v{SCHEMA_VERSION}.db").exists()


def test_what_is_left_to_do_is_found_without_reading_the_whole_log(tmp_path: Path) -> None:
    """SQLite takes the indexes of what is left, whichever others begin with the person; so for the newest vectors."""
    ledger, person = Ledger(f"sqlite:///{tmp_path / 'memory.db'}"), Person("default", "ana")
    asked: list[tuple[str, Any]] = []

    @event.listens_for(ledger.engine, "before_cursor_execute")
    def _note(connection: object, cursor: object, statement: str, values: Any, *rest: object) -> None:
        asked.append((statement, values))

    with ledger.read() as connection:
        events.count_pending(connection, person, most=12)
        events.pending(connection, person, limit=24)
        events.unembedded(connection, person)
        events.unprofiled(connection, person)
        events.is_profiled(connection, person)
        vectors.read(connection, person, "test/8", after=7)
    with ledger.write() as tx:
        vectors.complete(tx, person, "test/8")
    looks = [one for one in asked if one[0].startswith(("SELECT", "DELETE"))]
    with ledger.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in looks]
    ledger.close()
    wanted = ["events_pending", "events_pending", "events_unembedded", "events_unprofiled", "events_unprofiled"]
    wanted += ["fingerprint=? AND ordinal>?", "fingerprint<?", "fingerprint>?"]
    assert all(index in str(plan) for index, plan in zip(wanted, plans, strict=True))


def test_threads_of_one_process_write_in_turn(tmp_path: Path) -> None:
    """A thread waits for another's transaction, and gets its place when it ends."""
    ledger, order = Ledger(f"sqlite:///{tmp_path / 'memory.db'}"), []
    started = threading.Event()

    def write() -> None:
        started.set()
        with ledger.write():
            order.append("second")

    with ledger.write():
        other = threading.Thread(target=write)
        other.start()
        started.wait()
        order.append("first")
    other.join()
    ledger.close()
    assert order == ["first", "second"]
