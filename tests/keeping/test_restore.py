"""A restored memory is the one that was backed up, or there is none; what was erased since does not come back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from persona_memory import InvalidInput, PersonaMemory, Policy
from persona_memory.errors import LedgerTooNew
from persona_memory.keeping.aside import ASIDE
from tests.keeping import children
from tests.keeping.conftest import Clock, Open, adapter, raw, say
from tests.processes.shell import opened, start, wait_for


@pytest.fixture
def monday(known: PersonaMemory, tmp_path: Path) -> Path:
    """A backup."""
    known.backup(tmp_path / "monday")
    return tmp_path / "monday"


def edit(backup: Path, **changed: object) -> None:
    """Change the manifest."""
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    (backup / "manifest.json").write_text(json.dumps({**manifest, **changed}), encoding="utf-8")


def test_a_damaged_backup_is_refused(monday: Path, tmp_path: Path) -> None:
    """One changed byte, a file too many or too few, no manifest: each is named, and no home is made."""
    ledger = monday / "memory.db"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(monday, tmp_path, "memory.db does not have its checksum")
    ledger.write_bytes(whole)
    (monday / "more").touch()
    refused(monday, tmp_path, r"unexpected \['more'\]")
    (monday / "more").unlink()
    ledger.unlink()
    refused(monday, tmp_path, r"missing \['memory.db'\]")
    edit(monday, files={"../memory.db": {"size": 1, "sha256": "0" * 64}})
    refused(monday, tmp_path, "no backup that this version can read")
    (monday / "manifest.json").unlink()
    refused(monday, tmp_path, "no manifest.json")
    refused(tmp_path / "nothing.tar", tmp_path, "there is no backup")


def refused(backup: Path, tmp_path: Path, says: str) -> None:
    """The backup is refused, and nothing is left of the try."""
    with pytest.raises(InvalidInput, match=says):
        PersonaMemory.restore(backup, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_backup_of_a_newer_version_asks_for_an_upgrade(monday: Path, tmp_path: Path) -> None:
    """Before anything is copied."""
    edit(monday, schema_version=99)
    with pytest.raises(LedgerTooNew, match="pip install --upgrade"):
        PersonaMemory.restore(monday, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_home_with_a_memory_stays_as_it_is(monday: Path, home: Path) -> None:
    """Nothing is mixed, nothing replaced."""
    before = raw(home)
    with pytest.raises(InvalidInput, match="there is a memory in"):
        PersonaMemory.restore(monday, home)
    assert raw(home) == before


def test_a_killed_restore_leaves_no_memory(monday: Path, tmp_path: Path) -> None:
    """SIGKILL before the last rename; the next try begins anew and clears what was left."""
    process = start(children.bring_back, str(monday), str(tmp_path / "restored"))
    wait_for(lambda: bool(list((tmp_path / "restored").glob(f"{ASIDE}*/home/memory.db"))))
    process.kill()
    process.join()
    assert not (tmp_path / "restored" / "memory.db").exists()
    shutil.copytree(tmp_path / "restored", tmp_path / "elsewhere")
    PersonaMemory.restore(monday, tmp_path / "restored")
    assert sorted(path.name for path in (tmp_path / "restored").iterdir()) == ["memory.db"]
    with opened(tmp_path / "elsewhere") as memory:  # somebody begins anew there: the check-up finds what was left
        assert "a killed process" in next(check.problems for check in memory.doctor().checks if check.problems)[0]
        assert memory.doctor(repair=True).ok
    assert not list((tmp_path / "elsewhere").glob(f"{ASIDE}*"))


def test_parts_without_a_ledger_are_not_mixed_with_a_backup(monday: Path, tmp_path: Path) -> None:
    """They may belong to a ledger on a server."""
    (tmp_path / "restored" / "adapters").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"adapters.* is there, without a ledger"):
        PersonaMemory.restore(monday, tmp_path / "restored")


def test_who_was_deleted_since_is_deleted_again(known: PersonaMemory, monday: Path, home: Path, tmp_path: Path) -> None:
    """With the bytes; their messages stay out when they come again, and the receipt can be proven there, too."""
    receipt = known.delete_user(user_id="ben")
    restored = PersonaMemory.restore(monday, tmp_path / "restored", erased_since=home)
    assert (restored.deleted, restored.forgotten) == (1, 0)
    assert b"xylophone7" not in raw(tmp_path / "restored")
    with opened(tmp_path / "restored") as copy:
        assert copy.users() == ["ana"]
        copy.observe([("user", "I live in Bergen."), ("user", "My locker code is xylophone7.")],
                     user_id="ben", thread_id="t1")  # fmt: skip
        assert copy.users() == ["ana"]
        assert copy.verify_erasure(receipt.id, user_id="ben", text="xylophone7").ok
        assert copy.doctor().ok


def test_who_came_back_after_a_deletion_is_deleted_again(
    known: PersonaMemory, monday: Path, home: Path, tmp_path: Path, clock: Clock
) -> None:
    """What was said before the deletion does not come back with the person."""
    known.delete_user(user_id="ben")
    clock.move(minutes=1)
    say(known, "ben", "I moved to Oslo.", "My desk code is zeppelin8.", "I like tea.", thread="anew")
    PersonaMemory.restore(monday, tmp_path / "restored", erased_since=home)
    assert b"Bergen" not in raw(tmp_path / "restored")


def test_what_was_forgotten_since_is_forgotten_again(
    known: PersonaMemory, home: Path, tmp_path: Path, clock: Clock
) -> None:
    """A sentence, with what was learnt from it; the rest of its turn stays and is learnt; adapters go; it is proven."""
    served = adapter(known, "ana", turns=(1,))
    known.backup(tmp_path / "monday")
    clock.move(minutes=1)
    (porto,) = [one.id for one in known.memories(user_id="ana") if "Porto" in one.text]
    receipt = known.forget([porto], user_id="ana")
    known.flush(timeout=60)
    clock.move(minutes=1)
    say(known, "ana", "I like chess.", thread="t2")
    restored = PersonaMemory.restore(tmp_path / "monday", tmp_path / "restored", erased_since=home)
    assert (restored.deleted, restored.forgotten) == (0, 1)
    assert b"Porto" not in raw(tmp_path / "restored")
    assert not (tmp_path / "restored" / "adapters" / served.adapter_id).exists()
    with opened(tmp_path / "restored") as copy:
        copy.flush(timeout=60)
        assert [one.state for one in copy.adapters(user_id="ana")] == ["retired"]
        assert [one["content"] for one in copy.export(user_id="ana")["messages"]] == [
            "I work as a nurse.", "My dog is called Rex.",
        ]  # fmt: skip
        assert {one.text for one in copy.memories(user_id="ana")} == {
            one.text for one in known.memories(user_id="ana") if "chess" not in one.text
        }
        assert copy.profile(user_id="ana").get("demographics.location") is None
        assert copy.verify_erasure(receipt.id, text="Porto").ok
        assert copy.doctor().ok


def test_what_was_said_and_forgotten_since_stays_out(
    known: PersonaMemory, monday: Path, home: Path, tmp_path: Path
) -> None:
    """The backup never held it; a client that resends its history does not bring it into the restored memory."""
    message = {"role": "user", "content": "My desk code is zeppelin8.", "id": "m7"}
    known.observe([message], user_id="ana", thread_id="t9")
    known.observe([message], user_id="cleo", thread_id="t9")
    known.flush(timeout=60)
    (turn,) = [hit.id for hit in known.search("desk code", user_id="ana") if hit.kind == "turn"]
    known.forget([turn], user_id="ana")
    known.forget(["t1"], user_id="cleo")
    PersonaMemory.restore(monday, tmp_path / "restored", erased_since=home)
    with opened(tmp_path / "restored") as copy:
        for user in ("ana", "cleo"):
            assert copy.observe([message], user_id=user, thread_id="t9").new == ()


def test_a_later_backup_says_what_was_erased_too(known: PersonaMemory, monday: Path, tmp_path: Path) -> None:
    """For whoever has lost the home itself; the later backup stays as it is."""
    known.delete_user(user_id="ben")
    for name in ("tuesday", "tuesday.tar"):
        known.backup(tmp_path / name)
    before = raw(tmp_path / "tuesday")
    for name in ("tuesday", "tuesday.tar"):
        assert PersonaMemory.restore(monday, tmp_path / f"of-{name}", erased_since=tmp_path / name).deleted == 1
    assert raw(tmp_path / "tuesday") == before


def test_the_policy_is_the_newer_one(known: PersonaMemory, monday: Path, home: Path, tmp_path: Path) -> None:
    """Who has paused since, or withdrawn a consent, has done so in the restored memory."""
    known.set_policy(Policy(paused=True), user_id="ana")
    assert PersonaMemory.restore(monday, tmp_path / "restored", erased_since=home).policies == 1
    with opened(tmp_path / "restored") as copy:
        assert copy.policy(user_id="ana") == Policy(paused=True)
        assert copy.observe([("user", "Hello")], user_id="ana").new == ()


def test_only_what_came_after_the_backup_can_say_what_was_erased(
    known: PersonaMemory, monday: Path, home: Path, open_memory: Open, tmp_path: Path
) -> None:
    """Another memory, or an older state of it, would delete the wrong people: both are refused, and nothing is made."""
    with opened(tmp_path / "other") as other:
        other.observe([("user", "Hello")], user_id="ana")
    say(known, "cleo", "I live in Rome.")
    known.backup(tmp_path / "tuesday")
    for backup, later, says in [
        (monday, tmp_path / "other", "another memory"),
        (tmp_path / "tuesday", monday, "did not come after"),
        (monday, tmp_path / "nowhere", "no home and no backup"),
    ]:
        with pytest.raises(InvalidInput, match=says):
            PersonaMemory.restore(backup, tmp_path / "restored", erased_since=later)
        assert not (tmp_path / "restored").exists()
