"""An encrypted ledger: what it refuses, whose values open, and what an old copy still tells."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from persona_memory import NotFound, PersonaMemory
from persona_memory.encryption import KEY_VARIABLE, MAGIC, LocalKey, new_key
from persona_memory.errors import EncryptionError, InvalidInput, KeyDestroyed, Tampered, WrongKey
from persona_memory.ledger import Ledger, Person, events, keys, people
from persona_memory.ledger.schema import events as table
from persona_memory.retrieval.hashing import HashingEmbedder
from persona_memory.testing import ScriptedChatModel
from tests.memory.conftest import Open

from .conftest import KEY


def opened(home: Path, key: Any) -> PersonaMemory:
    return PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, encryption=key)


def change(file: Path, statement: str, *values: object) -> int:
    with sqlite3.connect(file) as raw:
        return raw.execute(statement, values).rowcount


def test_a_key_that_is_missing_or_wrong_is_refused_before_anything_is_touched(
    open_memory: Open, tmp_path: Path
) -> None:
    """Both files are as they were."""
    open_memory().observe([("user", "I live in Porto.")], user_id="ana")
    open_memory().close()
    home = tmp_path / "home"
    before = {path.name: path.read_bytes() for path in home.glob("*.db")}
    with pytest.raises(EncryptionError, match=KEY_VARIABLE):
        opened(home, None)
    with pytest.raises(WrongKey, match="not the master key"):
        opened(home, new_key())
    assert {path.name: path.read_bytes() for path in home.glob("*.db")} == before


def test_a_plain_memory_names_the_command_that_encrypts_it(tmp_path: Path) -> None:
    """A key makes nothing out of it, and no key store."""
    opened(tmp_path, None).close()
    with pytest.raises(EncryptionError, match="persona-memory encrypt"):
        opened(tmp_path, KEY)
    assert not (tmp_path / "keys.db").exists()
    opened(tmp_path, None).close()


def test_the_environment_names_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `PersonaMemory.open` without an argument finds it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    opened(tmp_path, None).close()
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(EncryptionError):
        opened(tmp_path, None)


def test_the_keys_of_another_ledger_are_not_taken(tmp_path: Path) -> None:
    """Neither by an old ledger nor by a new one."""
    for name in ("one", "two"):
        with opened(tmp_path / name, KEY) as memory:
            memory.observe([("user", "hello")], user_id="ana")
    shutil.copy(tmp_path / "one" / "keys.db", tmp_path / "two" / "keys.db")
    with pytest.raises(EncryptionError, match="restore them"):
        opened(tmp_path / "two", KEY)
    (tmp_path / "one" / "memory.db").unlink()
    with pytest.raises(EncryptionError, match="another ledger"):
        opened(tmp_path / "one", KEY)


def test_the_same_folder_can_be_begun_again_where_nobody_has_a_key(tmp_path: Path) -> None:
    """A kill between the two files leaves a key store that nothing was encrypted with."""
    opened(tmp_path, KEY).close()
    (tmp_path / "memory.db").unlink()
    with opened(tmp_path, KEY) as memory:
        memory.observe([("user", "hello")], user_id="ana")


def test_a_value_without_an_owner_is_not_stored(tmp_path: Path) -> None:
    """Whoever forgets to say whose it is gets an error, and the transaction nothing."""
    ledger, person = Ledger(f"sqlite:///{tmp_path / 'memory.db'}", master=LocalKey(bytes(32))), Person("default", "ana")
    row = {"seq": 1, "kind": "turn", "at": ledger_time(), "recorded_at": ledger_time()}
    with pytest.raises(EncryptionError, match=r"events\.text does not say whose"), ledger.write() as tx:
        tx.execute(insert(table).values(**person.key(), **row, text="I live in Porto."))
    with ledger.read() as connection:
        assert people.all_ids(connection, "default") == []
    ledger.close()


@pytest.mark.parametrize("how", ["changed", "moved to another person", "moved to another column", "in the clear"])
def test_what_was_not_written_there_does_not_open(open_memory: Open, tmp_path: Path, how: str) -> None:
    """Ana is told nothing, rather than what is Ben's or what somebody made up."""
    memory = open_memory()
    memory.observe([("user", "I live in Porto.")], user_id="ana", speaker="Ana")
    memory.observe([("user", "I live in Graz.")], user_id="ben", speaker="Ben")
    file = tmp_path / "home" / "memory.db"
    with sqlite3.connect(file) as raw:
        stored = dict(raw.execute("SELECT user_id, text FROM events"))
        (speaker,) = raw.execute("SELECT speaker FROM events WHERE user_id = 'ana'").fetchone()
    changed = bytearray(base64.b64decode(stored["ana"]))
    assert changed.startswith(MAGIC)
    changed[-1] ^= 1
    forged = {
        "changed": base64.b64encode(changed).decode(), "moved to another person": stored["ben"],
        "moved to another column": speaker, "in the clear": "I live in Lisbon.",
    }[how]  # fmt: skip
    assert change(file, "UPDATE events SET text = ? WHERE user_id = 'ana'", forged) == 1
    with pytest.raises(Tampered):
        memory.recall("Where do I live?", user_id="ana")
    assert memory.recall("Where do I live?", user_id="ben").hits[0].text == "I live in Graz."


def test_an_old_copy_of_the_ledger_tells_nothing_of_who_was_deleted(open_memory: Open, tmp_path: Path) -> None:
    """Ben's words are read from it; Ana's key is gone. `delete_user` clears what the copy holds of her."""
    memory = open_memory()
    for user, town in (("ana", "Porto"), ("ben", "Graz")):
        memory.observe([("user", f"I live in {town}.")], user_id=user)
    memory.flush(timeout=60)
    home, old = tmp_path / "home", tmp_path / "old.db"
    with sqlite3.connect(home / "memory.db") as raw:
        raw.execute("VACUUM INTO ?", (str(old),))
    with sqlite3.connect(home / "keys.db") as raw:
        (wrapped,) = raw.execute("SELECT wrapped FROM persona_memory_keys WHERE user_id = 'ana'").fetchone()
    receipt = memory.delete_user(user_id="ana")
    assert receipt.complete
    assert not any(wrapped in path.read_bytes() for path in home.iterdir())
    memory.close()
    for path in home.glob("memory.db*"):
        path.unlink()
    old.rename(home / "memory.db")
    restored = open_memory()
    assert restored.recall("Where do I live?", user_id="ben").hits[0].text == "Lives in Graz"
    for ask in (lambda: restored.recall("Where do I live?", user_id="ana"), lambda: restored.memories(user_id="ana")):
        with pytest.raises(KeyDestroyed, match="forget --everything"):
            ask()
    with pytest.raises(KeyDestroyed):
        restored.observe([("user", "hello again")], user_id="ana")
    restored.delete_user(user_id="ana")
    assert restored.users() == ["ben"]


def test_a_key_that_cannot_be_destroyed_now_is_destroyed_later(
    open_memory: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt is not complete until it is; the worker tries again."""
    monkeypatch.setattr(keys, "LOCK_TIMEOUT_S", 0.1)
    memory = open_memory()
    memory.observe([("user", "I live in Porto.")], user_id="ana")
    file = tmp_path / "home" / "keys.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    receipt = memory.delete_user(user_id="ana")
    assert not receipt.complete
    assert "their key stays" in receipt.remains[-1]
    other.execute("ROLLBACK")
    assert other.execute("SELECT count(*) FROM persona_memory_keys").fetchone() == (1,)
    memory.flush(timeout=60)
    assert other.execute("SELECT count(*) FROM persona_memory_keys").fetchone() == (0,)
    other.close()
    assert memory.receipts(user_id="ana")[0].complete


def test_who_comes_back_gets_another_key_in_every_process(open_memory: Open) -> None:
    """A process that still has the destroyed key at hand does not encrypt with it."""
    here, there = open_memory(), open_memory()
    for memory in (here, there):
        memory.observe([("user", f"I said this to {id(memory)}.")], user_id="ana")
    here.delete_user(user_id="ana")
    there.observe([("user", "My dog is called Rex.")], user_id="ana")
    there.close()
    assert open_memory().recall("my dog", user_id="ana").hits[0].text == "My dog is called Rex."


def test_what_is_rolled_back_leaves_no_key(open_memory: Open, tmp_path: Path) -> None:
    """A call that finds nothing, and a job that was under way when its person was deleted, leave no name either."""
    secret = "quetzalcoatl"

    def answer(*_: object) -> dict[str, list[object]]:
        receipts.append(memory.delete_user(user_id=secret).id)
        return {"memories": [], "topics": [], "forget": []}

    memory, receipts = open_memory(model=ScriptedChatModel(answers=answer)), list[str]()
    memory.observe([("user", "I live in Porto.")], user_id=secret)
    memory.flush(timeout=60)
    with pytest.raises(NotFound):
        memory.forget(["t1"], user_id=secret)
    assert [memory.verify_erasure(one).ok for one in receipts] == [True]
    assert memory.doctor().ok
    assert not any(secret.encode() in path.read_bytes() for path in (tmp_path / "home").iterdir())


def test_the_secret_of_the_hashes_is_not_in_the_ledger(open_memory: Open, tmp_path: Path) -> None:
    """With it, whoever has a copy could try whether somebody has said a sentence."""
    memory = open_memory()
    secret = memory._ledger.secret
    memory.close()
    held = (tmp_path / "home" / "memory.db").read_bytes()
    assert secret not in held
    assert secret.hex().encode() not in held


def test_an_index_in_the_clear_is_refused(tmp_path: Path) -> None:
    """Qdrant Edge writes vectors into the home folder."""
    with pytest.raises(InvalidInput, match="edge"):
        PersonaMemory.open(tmp_path, embeddings=HashingEmbedder(), worker=False, encryption=KEY, index="edge").flush()


def test_a_key_service_that_is_down_is_named(tmp_path: Path) -> None:
    """What it raises is told."""

    class Service:
        def wrap(self, key: bytes) -> bytes:
            raise ConnectionError("no route to host")

        def unwrap(self, wrapped: bytes) -> bytes:
            raise ConnectionError("no route to host")

    with pytest.raises(EncryptionError, match="ConnectionError: no route to host"):
        opened(tmp_path, Service())


def test_a_key_service_unwraps_each_key_once(tmp_path: Path) -> None:
    """Reading a second time asks it nothing."""
    asked = []

    class Service:
        def __init__(self) -> None:
            self.key = LocalKey(bytes(32))

        def wrap(self, key: bytes) -> bytes:
            return self.key.wrap(key)

        def unwrap(self, wrapped: bytes) -> bytes:
            asked.append(wrapped)
            return self.key.unwrap(wrapped)

    with opened(tmp_path, Service()) as memory:
        memory.observe([("user", "My dog is called Rex.")], user_id="ana")
    asked.clear()
    with opened(tmp_path, Service()) as memory:
        for _ in range(3):
            assert len(memory.export(user_id="ana")["messages"]) == 1
    assert len(asked) == 2  # the secret, and Ana's key


def test_on_postgres_the_keys_are_in_tables_of_their_own(postgres_url: str, tmp_path: Path) -> None:
    """A dump that leaves them out cannot be read, and a deleted person's key is gone."""
    psycopg: Any = pytest.importorskip("psycopg")
    plain = plain_url(postgres_url)
    name = f"encrypted_{abs(hash(str(tmp_path)))}"
    with psycopg.connect(plain, autocommit=True) as raw:
        raw.execute(f"CREATE DATABASE {name}")
    url = postgres_url.replace("/postgres?", f"/{name}?")
    options: dict[str, Any] = {"url": url, "embeddings": HashingEmbedder(), "worker": False}
    with PersonaMemory.open(tmp_path, encryption=KEY, **options) as memory:
        memory.observe([("user", "I live in Porto.")], user_id="ana")
        memory.flush(timeout=60)
        assert memory.recall("Where do I live?", user_id="ana").hits
        with psycopg.connect(plain.replace("/postgres?", f"/{name}?")) as raw:
            texts = [one for (one,) in raw.execute("SELECT text FROM events WHERE kind = 'turn'")]
            assert len(texts) == 1
            assert "Porto" not in texts[0]
            assert raw.execute("SELECT count(*) FROM persona_memory_keys").fetchone() == (1,)
            raw.execute(
                "INSERT INTO persona_memory_keys SELECT 'f0f0', namespace, 'zoe', wrapped FROM persona_memory_keys"
            )
        (orphan,) = [check for check in memory.doctor(repair=True).checks if check.problems]
        assert orphan.repaired == ("key f0f0 of 'zoe': nothing is encrypted with it",)
        assert memory.doctor().ok
        receipt = memory.delete_user(user_id="ana")
        proof = {check.name: check.problems for check in memory.verify_erasure(receipt.id, text="Porto").checks}
        assert (proof["key"], proof["text"]) == ((), ())
        with psycopg.connect(plain.replace("/postgres?", f"/{name}?")) as raw:
            assert raw.execute("SELECT count(*) FROM persona_memory_keys").fetchone() == (0,)
    with pytest.raises(WrongKey):
        PersonaMemory.open(tmp_path, encryption=new_key(), **options)


def test_two_who_store_somebody_at_the_same_moment_leave_one_key(postgres_url: str, tmp_path: Path) -> None:
    """On Postgres they write side by side; the key of the slower one goes."""
    name = f"twice_{abs(hash(str(tmp_path)))}"
    with pytest.importorskip("psycopg").connect(plain_url(postgres_url), autocommit=True) as raw:
        raw.execute(f"CREATE DATABASE {name}")
    ledger = Ledger(postgres_url.replace("/postgres?", f"/{name}?"), master=LocalKey(bytes(32)))
    ana, found = Person("default", "ana"), list[people.Counters]()

    def second() -> None:
        with ledger.write() as tx:
            found.append(people.lock(tx, ana))

    thread = threading.Thread(target=second)
    with ledger.write() as tx:
        found.append(people.lock(tx, ana))
        thread.start()
        time.sleep(0.5)  # it has looked, and waits for this transaction
    thread.join()
    assert ledger.vault is not None
    assert {one.key for one in found} == ledger.vault.owners().keys()
    ledger.close()


def test_events_of_two_people_in_one_transaction_get_their_own_keys(tmp_path: Path) -> None:
    """Each opens for its owner only, as the worker stores results of several people together."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'memory.db'}", master=LocalKey(bytes(32)))
    both = [Person("default", one) for one in ("ana", "ben")]
    with ledger.write() as tx:
        found = {one: people.lock(tx, one) for one in both}
        for one in both:
            said = events.NewEvent("statement", ledger_time(), f"{one.user_id} lives in Porto.", role="user")
            events.append(tx, one, found[one], [said], now=ledger_time())
    assert found[both[0]].key != found[both[1]].key
    with ledger.read() as connection:
        assert [events.one(connection, one, 1).text for one in both] == ["ana lives in Porto.", "ben lives in Porto."]
    ledger.close()


def plain_url(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def ledger_time() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 3, 1, tzinfo=UTC)
