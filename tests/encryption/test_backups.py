"""Backups of an encrypted memory: without its keys, so that who is deleted afterwards is gone from them, too."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from persona_memory import InvalidInput, PersonaMemory, Restored
from persona_memory.adapters.files import WEIGHTS
from persona_memory.encryption import is_sealed, new_key
from persona_memory.errors import AdapterRefused, EncryptionError, WrongKey
from persona_memory.retrieval.hashing import HashingEmbedder
from tests.keeping.conftest import adapter, everything, raw, say
from tests.memory.conftest import Clock

from .conftest import KEY

WORDS = (b"Porto", b"nurse", b"Bergen", b"xylophone7")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the test's memories."""
    return tmp_path / "home"


@pytest.fixture
def known(memory: PersonaMemory, clock: Clock) -> PersonaMemory:
    """An encrypted memory that has learnt from Ana and Ben, who have an adapter each."""
    say(memory, "ana", "I live in Porto. I work as a nurse.", "My dog is called Rex.")
    say(memory, "ben", "I live in Bergen.", "My locker code is xylophone7.")
    for user in ("ana", "ben"):
        adapter(memory, user)
    clock.move(minutes=1)
    return memory


def opened(place: Path, key: Any = KEY) -> PersonaMemory:
    return PersonaMemory.open(place, embeddings=HashingEmbedder(), worker=False, encryption=key)


def restore(tmp_path: Path, **options: Any) -> Restored:
    """Restore Monday's backup with the master key."""
    return PersonaMemory.restore(tmp_path / "monday", tmp_path / "new", **{"encryption": KEY, **options})


@pytest.mark.parametrize("name", ["monday", "monday.tar"])
def test_a_backup_holds_no_word_and_no_key_and_comes_back(
    known: PersonaMemory, home: Path, tmp_path: Path, name: str
) -> None:
    """Values and files as they are encrypted; the manifest names the key store; all is there when it is restored."""
    known.backup(tmp_path / name)
    held = raw(tmp_path / name)
    with closing(sqlite3.connect(home / "keys.db")) as database:
        (store,) = database.execute("SELECT id FROM persona_memory_keys_store").fetchone()
        kept = [one for (one,) in database.execute("SELECT wrapped FROM persona_memory_keys")]
    assert len(kept) == 2
    assert store.encode() in held
    for secret in (*kept, known._ledger.secret, *(base64.b64encode(one) for one in kept), *WORDS):
        assert secret not in held
    made = PersonaMemory.restore(tmp_path / name, tmp_path / "new", encryption=KEY, keys=home / "keys.db")
    assert (made.unreadable, made.deleted) == (0, 0)
    assert not any(word in raw(tmp_path / "new") for word in WORDS)
    with opened(tmp_path / "new") as copy:
        assert everything(copy) == everything(known)
        copy.flush(timeout=60)
        assert (
            copy.recall("Where do I live?", user_id="ben").hits == known.recall("Where do I live?", user_id="ben").hits
        )


def test_who_is_deleted_is_gone_from_an_older_backup(known: PersonaMemory, home: Path, tmp_path: Path) -> None:
    """The key is destroyed: what the backup holds of Ben opens for nobody, is erased, and Ana's is all there."""
    known.backup(tmp_path / "monday")
    assert json.loads((tmp_path / "monday" / "manifest.json").read_text())["key_store"]
    (ben,) = [one.adapter_id for one in known.adapters(user_id="ben")]
    before = everything(known)["ana"]
    assert known.delete_user(user_id="ben").complete
    made = restore(tmp_path, keys=home / "keys.db")
    assert (made.unreadable, made.deleted) == (1, 0)
    assert b"ben" not in raw(tmp_path / "new" / "memory.db")
    with opened(tmp_path / "new") as copy:
        assert copy.users() == ["ana"]
        assert everything(copy) == {"ana": before}
        copy.observe([("user", "I live in Bergen.")], user_id="ben", thread_id="t1")
        assert copy.users() == ["ana"]  # a resent message stays out, as it does in the home
    assert (tmp_path / "monday" / "adapters" / ben).exists()
    assert not (tmp_path / "new" / "adapters" / ben).exists()


def test_what_was_erased_since_is_erased_again(known: PersonaMemory, home: Path, tmp_path: Path, clock: Clock) -> None:
    """By the home, with its keys; by a later backup, with the keys that are named. Both are left as they are."""
    known.backup(tmp_path / "monday")
    shutil.copy(home / "keys.db", tmp_path / "old.db")
    clock.move(minutes=1)
    (porto,) = [one.id for one in known.memories(user_id="ana") if "Porto" in one.text]
    receipt = known.forget([porto], user_id="ana")
    gone = known.delete_user(user_id="ben")
    known.flush(timeout=60)
    known.backup(tmp_path / "tuesday.tar")
    for name, options in [
        ("by-home", {"erased_since": home}),
        ("by-backup", {"erased_since": tmp_path / "tuesday.tar", "keys": tmp_path / "old.db"}),
    ]:
        before = raw(home / "keys.db"), raw(tmp_path / "old.db")
        made = PersonaMemory.restore(tmp_path / "monday", tmp_path / name, encryption=KEY, **options)
        assert (made.deleted, made.forgotten, made.unreadable) == (1, 1, 0)
        assert (raw(home / "keys.db"), raw(tmp_path / "old.db")) == before
        with opened(tmp_path / name) as copy:
            copy.flush(timeout=60)
            assert copy.users() == ["ana"]
            assert copy.export(user_id="ana")["messages"] == known.export(user_id="ana")["messages"]
            assert copy._ledger.vault is not None
            assert [user for _, user in copy._ledger.vault.owners().values()] == ["ana"]
            assert copy.verify_erasure(receipt.id, text="Porto").ok
            assert copy.verify_erasure(gone.id, user_id="ben", text="xylophone7").ok
            assert copy.doctor().ok


def test_keys_that_lie_in_the_home_are_used_and_stay(known: PersonaMemory, home: Path, tmp_path: Path) -> None:
    """A ledger that was lost comes back beside its keys; nobody else's key is touched."""
    known.backup(tmp_path / "monday")
    say(known, "cleo", "I live in Rome.")
    known.close()
    shutil.rmtree(home / "adapters")
    for path in home.glob("memory.db*"):
        path.unlink()
    before = raw(home / "keys.db")
    PersonaMemory.restore(tmp_path / "monday", home, encryption=KEY)
    assert raw(home / "keys.db") == before
    with opened(home) as copy:
        assert copy.users() == ["ana", "ben"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"encryption": None, "keys": "home/keys.db"}, EncryptionError, "PERSONA_MEMORY_KEY"),
        ({"encryption": new_key(), "keys": "home/keys.db"}, WrongKey, "not the master key"),
        ({}, EncryptionError, r"--keys\).* there is no .*new/keys.db"),
        ({"keys": "nothing.db"}, EncryptionError, "there is no .*nothing.db"),
        ({"keys": "other/keys.db"}, EncryptionError, "keys of another memory"),
    ],
)
def test_without_the_right_keys_nothing_is_restored(
    known: PersonaMemory, tmp_path: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    """The error says what is missing, and no home is made."""
    known.backup(tmp_path / "monday")
    opened(tmp_path / "other").close()
    named = {**options, **({"keys": tmp_path / options["keys"]} if "keys" in options else {})}
    with pytest.raises(error, match=says):
        restore(tmp_path, **named)
    assert not (tmp_path / "new").exists()


def test_a_plain_backup_takes_no_keys(tmp_path: Path, home: Path) -> None:
    """They would be of another memory; the master key in the environment does no harm."""
    opened(tmp_path / "other").close()
    with opened(home, None) as plain:
        say(plain, "ana", "I live in Porto.")
        plain.backup(tmp_path / "monday")
    with pytest.raises(InvalidInput, match="is not encrypted, and has no keys"):
        restore(tmp_path, keys=tmp_path / "other" / "keys.db")
    restore(tmp_path)
    with opened(tmp_path / "new", None) as copy:
        assert copy.users() == ["ana"]


def test_a_damaged_adapter_is_in_no_backup(known: PersonaMemory, home: Path, tmp_path: Path) -> None:
    """Its files are opened before they count as backed up."""
    (ana,) = [one.adapter_id for one in known.adapters(user_id="ana")]
    weights = home / "adapters" / ana / WEIGHTS
    whole = weights.read_bytes()
    assert is_sealed(whole)
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(AdapterRefused, match="not what was written there"):
        known.backup(tmp_path / "monday")
    assert not (tmp_path / "monday").exists()


def test_who_is_deleted_while_a_backup_is_made_has_no_files_in_it(
    known: PersonaMemory, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows were copied, their key is gone; the backup is whole for everybody else."""
    module = import_module("persona_memory.keeping.backup")
    snapshot: Callable[..., Any] = module.snapshot

    def then_deleted(*arguments: Any) -> Any:
        counts = snapshot(*arguments)
        known.delete_user(user_id="ben")
        return counts

    monkeypatch.setattr(module, "snapshot", then_deleted)
    known.backup(tmp_path / "monday")
    assert restore(tmp_path, keys=home / "keys.db").unreadable == 1
    with opened(tmp_path / "new") as copy:
        assert copy.users() == ["ana"]
        assert len(list((tmp_path / "new" / "adapters").iterdir())) == 1
