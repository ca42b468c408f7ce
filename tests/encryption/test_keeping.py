"""What is broken in an encrypted memory is found and repaired; what is erased is proven, with and without its keys."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from persona_memory import Check, PersonaMemory
from persona_memory.adapters.files import CONFIG
from persona_memory.ledger import people
from tests.keeping.conftest import adapter, by_hand, everything, say
from tests.memory.conftest import Clock, Open


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the test's memories."""
    return tmp_path / "home"


@pytest.fixture
def known(memory: PersonaMemory, clock: Clock) -> PersonaMemory:
    """An encrypted memory that has learnt from Ana and Ben."""
    say(memory, "ana", "I live in Porto. I work as a nurse.", "My dog is called Rex.")
    say(memory, "ben", "I live in Bergen.", "My locker code is xylophone7.")
    clock.move(minutes=1)
    return memory


def problems(memory: PersonaMemory, *, repair: bool = False) -> dict[str, Check]:
    """The checks that have found something."""
    return {check.name: check for check in memory.doctor(repair=repair).checks if check.problems}


def in_keys(home: Path, statement: str) -> None:
    """Change the key store by hand."""
    with closing(sqlite3.connect(home / "keys.db")) as database:
        assert database.execute(statement).rowcount
        database.commit()


def test_nothing_is_wrong_with_an_encrypted_memory_in_use(known: PersonaMemory, clock: Clock) -> None:
    """Adapters, forgetting, deletion, people who come back."""
    adapter(known, "ana")
    known.forget(["t2"], user_id="ana")
    known.delete_user(user_id="ben")
    clock.move(minutes=1)
    say(known, "ben", "I moved to Oslo.", thread="anew")
    assert problems(known) == {}


REPAIRED = [
    ("UPDATE memories SET text = 'Lives in Rome' WHERE user_id = 'ana'", "memories (text): "),
    (
        "UPDATE memories SET text = (SELECT text FROM memories WHERE user_id = 'ben') WHERE user_id = 'ana'",
        "memories (text): ",
    ),
    ("UPDATE profile_edits SET value = '\"Um9tZQ==\"' WHERE user_id = 'ana'", "profile_edits (value)"),
    ("UPDATE vectors SET vector = x'0000' WHERE user_id = 'ana' AND item = 't1#0'", "vectors (vector): 1 value"),
    ("DELETE FROM memories WHERE user_id = 'ana'", "not what the log says: memories"),
    ("DELETE FROM users WHERE user_id = 'ana'", "the person's row says nothing"),
]


@pytest.mark.parametrize(("breaking", "says"), REPAIRED)
def test_what_was_changed_by_hand_is_found_and_mended(
    known: PersonaMemory, home: Path, breaking: str, says: str
) -> None:
    """Values in the clear, of somebody else, cut off; rows that are gone. Afterwards all is as it was."""
    before = everything(known)
    with by_hand(home) as database:
        assert database.execute(breaking).rowcount
    assert any(says in problem for check in problems(known).values() for problem in check.problems)
    assert known.doctor(repair=True).ok
    known.flush(timeout=60)
    assert problems(known) == {}
    assert everything(known) == before


def test_what_was_said_and_does_not_open_is_said_and_keeps_nobody_else_from_repair(
    known: PersonaMemory, home: Path
) -> None:
    """Only a backup has it; Ben's memories are derived again meanwhile."""
    with by_hand(home) as database:
        database.execute("UPDATE events SET text = 'I live in Rome.' WHERE user_id = 'ana' AND seq = 1")
        database.execute("DELETE FROM memories WHERE user_id = 'ben'")
    mended = problems(known, repair=True)
    (values,) = mended["encrypted values"].left
    assert values == "'ana': events (text): 1 value that is not what was written there; restore a backup"
    assert mended["derived rows"].repaired == ("'ben': not what the log says: memories",)
    assert known.memories(user_id="ben")


def test_a_key_that_is_gone_or_somebody_elses_is_named(known: PersonaMemory, home: Path) -> None:
    """Also where this process has it at hand; the others are looked at."""
    in_keys(home, "DELETE FROM persona_memory_keys WHERE user_id = 'ana'")
    with by_hand(home) as database:
        database.execute("DELETE FROM memories WHERE user_id = 'ben'")
    found = problems(known)
    (problem,) = found["keys"].problems
    assert problem.startswith("'ana': the key")
    assert "'ben': not what the log says: memories" in found["derived rows"].problems


def test_a_key_that_was_moved_is_named(known: PersonaMemory, home: Path) -> None:
    """What it encrypts would be somebody else's."""
    in_keys(home, "UPDATE persona_memory_keys SET user_id = 'ben' WHERE user_id = 'ana'")
    assert any("somebody else's key" in problem for problem in problems(known)["keys"].problems)


def test_a_key_that_nothing_needs_is_destroyed(known: PersonaMemory, home: Path, open_memory: Open) -> None:
    """A kill between the two files leaves one; a key that is needed is no such key."""
    in_keys(home, "INSERT INTO persona_memory_keys SELECT 'f0f0f0f0f0f0f0f0', namespace, 'zoe', wrapped"
            " FROM persona_memory_keys WHERE user_id = 'ana'")  # fmt: skip
    (problem,) = problems(known)["keys"].problems
    assert problem == "key f0f0f0f0f0f0f0f0 of 'zoe': nothing is encrypted with it"
    assert known.doctor(repair=True).ok
    assert known._ledger.vault is not None
    assert sorted(user for _, user in known._ledger.vault.owners().values()) == ["ana", "ben"]
    assert open_memory().memories(user_id="ana")


def test_the_key_of_somebody_who_is_just_being_stored_is_left(known: PersonaMemory, open_memory: Open) -> None:
    """It is durable before its owner's row is: the check waits for whoever is writing."""
    writer, made = open_memory(), threading.Event()
    cleo = writer._learning.person("cleo")

    def store() -> None:
        with writer._ledger.write() as tx:
            people.lock(tx, cleo)
            made.set()
            time.sleep(0.3)

    thread = threading.Thread(target=store)
    thread.start()
    made.wait(10)
    assert known.doctor(repair=True).ok
    thread.join()
    assert known._ledger.vault is not None
    assert ("default", "cleo") in known._ledger.vault.owners().values()


def test_an_adapter_of_another_key_is_retired(known: PersonaMemory, home: Path) -> None:
    """Ben's file in Ana's adapter does not open; nor does a report that was changed."""
    ana, ben = adapter(known, "ana"), adapter(known, "ben")
    store = home / "adapters"
    shutil.copy(store / ben.adapter_id / CONFIG, store / ana.adapter_id / CONFIG)
    with by_hand(home) as database:
        database.execute("UPDATE adapters SET report = '\"AAAA\"' WHERE user_id = 'ben'")
    found = problems(known, repair=True)
    assert "key of who it belongs to" in found["adapters"].repaired[0]
    assert found["encrypted values"].repaired == (
        "'ben': adapters (report): 1 value that is not what was written there",
    )
    assert [one.state for user in ("ana", "ben") for one in known.adapters(user_id=user)] == ["retired", "retired"]
    assert not list(store.iterdir())
    assert problems(known) == {}


def test_an_erasure_is_proven_with_the_key(known: PersonaMemory, home: Path) -> None:
    """Neither in the clear nor encrypted; where somebody else has said it, it is found, though no byte shows it."""
    adapter(known, "ana")
    receipt = known.forget(["t2"], user_id="ben")
    known.flush(timeout=60)
    assert known.verify_erasure(receipt.id, text="xylophone7").ok
    say(known, "ana", "His code was Xylophone7.", thread="t2")
    (check,) = [one for one in known.verify_erasure(receipt.id, text="xylophone7").checks if one.problems]
    assert check.name == "text"
    assert any(one.startswith("events: ") and "encrypted value" in one for one in check.problems)
    assert not any(one.startswith("memory.db") for one in check.problems)
    (home / "notes.txt").write_text("xylophone7", encoding="utf-8")
    assert any("notes.txt" in one for one in known.verify_erasure(receipt.id, text="xylophone7").checks[-1].problems)
    weights = f"weights of {known.adapters(user_id='ana')[0].adapter_id}"
    assert any("-r0" in one for one in known.verify_erasure(receipt.id, text=weights).checks[-1].problems)


def test_a_deletion_is_proven_by_the_key_too(known: PersonaMemory, home: Path, tmp_path: Path, clock: Clock) -> None:
    """Who puts an old key store back is told; a new key of somebody who has come back is none of it."""
    shutil.copy(home / "keys.db", tmp_path / "old.db")
    receipt = known.delete_user(user_id="ben")
    assert known.verify_erasure(receipt.id, text="xylophone7").ok
    clock.move(minutes=1)
    say(known, "ben", "I am back.", thread="anew")
    assert known.verify_erasure(receipt.id).ok
    with closing(sqlite3.connect(home / "keys.db")) as database:
        database.execute("ATTACH ? AS old", (str(tmp_path / "old.db"),))
        database.execute("INSERT INTO persona_memory_keys SELECT * FROM old.persona_memory_keys WHERE user_id = 'ben'")
        database.commit()
    (check,) = [one for one in known.verify_erasure(receipt.id).checks if one.problems]
    assert (check.name, check.problems) == ("key", ("1 key of the person: with it, old copies can be read",))


def test_who_was_deleted_is_cleared_from_an_old_ledger_with_their_adapters(
    known: PersonaMemory, home: Path, open_memory: Open, tmp_path: Path
) -> None:
    """Nothing that is encrypted is read for that."""
    adapter(known, "ben")
    with by_hand(home) as database:
        database.execute("VACUUM INTO ?", (str(tmp_path / "old.db"),))
    known.delete_user(user_id="ben")
    known.close()
    for path in home.glob("memory.db*"):
        path.unlink()
    (tmp_path / "old.db").rename(home / "memory.db")
    old = open_memory()
    assert "'ben': the key" in problems(old)["keys"].problems[0]
    old.delete_user(user_id="ben")
    assert problems(old, repair=True).keys() <= {"permissions"}
    assert problems(old) == {}
