"""A backup is one moment of a memory in use: whole or not there, private, and without what was erased."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from persona_memory import InvalidInput, PersonaMemory
from persona_memory.adapters.files import WEIGHTS
from persona_memory.errors import AdapterRefused
from persona_memory.keeping.aside import ASIDE
from persona_memory.ledger.schema import adapters
from tests.keeping import children
from tests.keeping.conftest import Open, adapter, everything, raw, say
from tests.processes.shell import KILLED, command, done_so_far, finished, opened, start, wait_for, write_conversations

BACKUPS = 6


@pytest.mark.parametrize("name", ["monday", "monday.tar"])
def test_what_is_backed_up_comes_back(known: PersonaMemory, open_memory: Open, tmp_path: Path, name: str) -> None:
    """Folder or file: the same log, memories, profiles, adapters and receipts; recall works once it is embedded."""
    served = adapter(known, "ana")
    known.forget(["t2"], user_id="ben")
    known.flush(timeout=60)
    made = known.backup(tmp_path / name)
    assert made.counts["users"] == 2
    restored = PersonaMemory.restore(tmp_path / name, tmp_path / "restored")
    assert restored.counts == made.counts
    with opened(tmp_path / "restored") as copy:
        assert everything(copy) == everything(known)
        assert [one.adapter_id for one in copy.adapters(user_id="ana")] == [served.adapter_id]
        assert copy.receipts(user_id="ben") == known.receipts(user_id="ben")
        copy.flush(timeout=60)
        assert copy.search("Where do I live?", user_id="ana") == known.search("Where do I live?", user_id="ana")
        assert copy.doctor().ok


def test_a_backup_has_no_vectors_and_its_owner_only_can_read_it(known: PersonaMemory, tmp_path: Path) -> None:
    """Vectors are computed again; nobody else may read what people said."""
    adapter(known, "ana")
    known.backup(tmp_path / "monday")
    with closing(sqlite3.connect(tmp_path / "monday" / "memory.db")) as database:
        assert database.execute("SELECT count(*) FROM vectors").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM events WHERE embedded IS NOT NULL").fetchone() == (0,)
    everywhere = [tmp_path / "monday", *(tmp_path / "monday").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in everywhere} == {0o600, 0o700}


def test_a_backup_replaces_nothing(known: PersonaMemory, home: Path, tmp_path: Path) -> None:
    """Not another backup, not any file; nor does it go into its own home, or a folder that is not there."""
    (tmp_path / "there").write_text("mine", encoding="utf-8")
    for place, says in [
        (tmp_path / "there", "there already"),
        (home / "backup", "in the home"),
        (tmp_path / "no" / "folder", "no folder"),
    ]:
        with pytest.raises(InvalidInput, match=says):
            known.backup(place)
    assert (tmp_path / "there").read_text(encoding="utf-8") == "mine"
    assert not list(tmp_path.glob(f"**/{ASIDE}*"))


def test_a_backup_is_one_moment_while_another_process_writes(tmp_path: Path) -> None:
    """Each log in it is whole up to its end, however much was being said."""
    talk, home = write_conversations(tmp_path / "talk.jsonl"), tmp_path / "home"
    with opened(home) as memory:
        say(memory, "ana", "I live in Porto.", thread="first")
        stored = done_so_far(home)
        process = command(home, "import", "openai", talk, "--no-learn")
        wait_for(lambda: done_so_far(home) > stored)
        for number in range(BACKUPS):
            time.sleep(0.05)
            memory.backup(tmp_path / f"backup-{number}")
        assert finished(process) == 0
        assert memory.doctor().ok
    sizes = []
    for number in range(BACKUPS):
        with closing(sqlite3.connect(tmp_path / f"backup-{number}" / "memory.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            whole = "SELECT e.user_id FROM events e JOIN users u ON u.user_id = e.user_id GROUP BY e.user_id"
            broken = f"{whole} HAVING count(*) != max(e.seq) OR max(e.seq) != max(u.last_seq)"
            assert database.execute(broken).fetchall() == []
            sizes.append(database.execute("SELECT count(*) FROM events").fetchone()[0])
    assert sizes == sorted(sizes)


def test_a_killed_backup_leaves_nothing_that_could_be_taken_for_one(known: PersonaMemory, tmp_path: Path) -> None:
    """SIGKILL before it is in place: no such folder, and the next backup clears what was left beside it."""
    process = start(children.back_up, str(tmp_path / "home"), str(tmp_path / "monday"))
    wait_for(lambda: bool(list(tmp_path.glob(f"{ASIDE}*/backup/manifest.json"))))
    process.kill()
    process.join()
    assert process.exitcode == KILLED
    assert not (tmp_path / "monday").exists()
    shutil.copytree(next(tmp_path.glob(f"{ASIDE}*")), tmp_path / f"{ASIDE}copy")
    assert any("a killed backup has left it" in one for check in known.doctor().checks for one in check.problems)
    assert known.doctor(repair=True).ok
    assert not list(tmp_path.glob(f"{ASIDE}*"))
    (tmp_path / f"{ASIDE}copy").mkdir()
    known.backup(tmp_path / "monday")
    assert (tmp_path / "monday" / "manifest.json").exists()
    assert not list(tmp_path.glob(f"{ASIDE}*"))


def test_another_backup_under_way_is_left_alone(known: PersonaMemory, tmp_path: Path) -> None:
    """Only what nobody writes any more is cleared."""
    process = start(children.back_up, str(tmp_path / "home"), str(tmp_path / "monday"))
    wait_for(lambda: bool(list(tmp_path.glob(f"{ASIDE}*/backup/manifest.json"))))
    known.backup(tmp_path / "tuesday")
    assert known.doctor(repair=True).ok
    assert list(tmp_path.glob(f"{ASIDE}*/backup/manifest.json"))
    process.kill()
    process.join()


def test_what_was_erased_is_in_no_backup(known: PersonaMemory, open_memory: Open, tmp_path: Path) -> None:
    """Not even while a reader keeps its bytes in the file."""
    with known._ledger.read() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM events").all()
        known.forget(["t2"], user_id="ben")
        assert b"xylophone7" in raw(tmp_path / "home")
        known.backup(tmp_path / "monday")
    assert b"xylophone7" not in raw(tmp_path / "monday")


def test_an_adapter_that_is_damaged_is_not_backed_up_in_silence(known: PersonaMemory, tmp_path: Path) -> None:
    """The error names it and what repairs it; then the backup goes on without it."""
    served = adapter(known, "ana")
    (tmp_path / "home" / "adapters" / served.adapter_id / WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(AdapterRefused, match=r"checksum.*doctor --repair"):
        known.backup(tmp_path / "monday")
    assert not (tmp_path / "monday").exists()
    assert known.doctor(repair=True).ok
    known.backup(tmp_path / "monday")
    assert "adapters" not in json.dumps(list(json.loads((tmp_path / "monday/manifest.json").read_text())["files"]))


def test_a_ledger_on_postgres_is_told_its_own_tool(postgres_url: str, open_memory: Open, tmp_path: Path) -> None:
    """We do not copy a server's tables; its check-up works, and leaves other namespaces' adapters alone."""
    memory = open_memory(url=postgres_url, namespace=f"keeping-{tmp_path.name}")
    say(memory, "ana", "I live in Porto.")
    with pytest.raises(InvalidInput, match="pg_dump"):
        memory.backup(tmp_path / "monday")
    receipt = memory.forget(["t1"], user_id="ana")
    elsewhere = {"namespace": f"elsewhere-{tmp_path.name}", "user_id": "ben", "name": f"{'a' * 26}-r000001"}
    with memory._ledger.write() as tx:
        tx.execute(
            insert(adapters).values(
                **elsewhere, revision=1, state="active", base_model="b", fingerprint={}, watermark=1, turns=[],
                memory_ids=[], at=datetime(2026, 3, 1, tzinfo=UTC), report={"passed": True},
            )
        )  # fmt: skip
    checks = {check.name: check for check in memory.doctor().checks}
    assert checks["database"].skipped
    assert [check.problems for check in checks.values() if check.problems] == []
    proof = memory.verify_erasure(receipt.id, text="Porto")
    assert [check.name for check in proof.checks if check.problems] == ["receipt"]  # bytes wait for Postgres' VACUUM
