"""Encrypting a memory that is there already, and changing its master key; both survive a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from persona_memory import PersonaMemory
from persona_memory.adapters import Fingerprint, write_revision
from persona_memory.adapters.files import CONFIG, MANIFEST, WEIGHTS, read_revision
from persona_memory.encrypting import encrypt, rotate_key
from persona_memory.encryption import new_key
from persona_memory.errors import EncryptionError, InvalidInput, LedgerLocked, WrongKey
from persona_memory.ledger import engine
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import KEY

FILES = {WEIGHTS: b"weights of Ana", CONFIG: b"{}", MANIFEST: b'{"of": "Ana"}'}
SAID = "My dog is called Rexcanary."


def opened(home: Path, key: Any = None) -> PersonaMemory:
    return PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False, encryption=key)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The home of a plain memory of two people, one with an adapter; two trainings, one of a start, were cut short."""
    home = tmp_path / "plain"
    with opened(home) as memory:
        memory.observe([("user", SAID)], user_id="ana", speaker="Ana")
        memory.observe([("user", "I live in Graz.")], user_id="ben")
        memory.flush(timeout=60)
        registry, base = memory._learning.adapters, Fingerprint("0" * 64, "0" * 64, "0" * 64)
        known = {"base": base.base, "tokenizer": base.tokenizer, "template": base.template}
        now = memory._learning.clock()
        made = registry.begin("ana", base_model="tiny", fingerprint=known, turns=[1], memory_ids=[], now=now)
        registry.evaluate("ana", made.adapter_id, FILES, report={"passed": True, "reason": "Rexcanary"})
        workspace = registry.workspace(made.adapter_id)
        workspace.mkdir()
        (workspace / "task.json").write_text(SAID)
        registry.starts.folder.mkdir()
        (registry.starts.folder / "maml-0123456789abcdef.training").write_text(SAID)
    return home


def files_with(home: Path, word: bytes) -> list[str]:
    return [path.name for path in home.rglob("*") if path.is_file() and word in path.read_bytes()]


def everything(memory: PersonaMemory) -> dict[str, Any]:
    return {one: memory.export(user_id=one) for one in memory.users()}


def test_a_plain_memory_is_encrypted_in_place(plain: Path) -> None:
    """Everything is as before, and nothing of it is to be read in the folder."""
    with opened(plain) as memory:
        before, (adapter,) = everything(memory), memory.adapters(user_id="ana")
    assert files_with(plain, b"Rexcanary")
    done = encrypt(plain, encryption=KEY)
    assert (done.people, done.adapters, done.left) == (2, 1, ())
    assert files_with(plain, b"Rexcanary") == files_with(plain, b"weights of Ana") == []
    with opened(plain, KEY) as memory:
        assert everything(memory) == before
        assert memory.observe([("user", SAID)], user_id="ana", resent=None).duplicates == 1  # the hashes are the same
        registry = memory._learning.adapters
        limits = dict.fromkeys(FILES, 100)
        assert read_revision(registry.folder, adapter.adapter_id, limits, opener=registry.opener) == FILES
    with pytest.raises(EncryptionError, match="is encrypted"):
        opened(plain)
    with pytest.raises(InvalidInput, match="encrypted already"):
        encrypt(plain, encryption=KEY)


def test_what_is_not_known_is_named_and_left(plain: Path) -> None:
    """Files of an adapter that no row names, and an index of Qdrant Edge."""
    other = write_revision(plain / "adapters", "b" * 26 + "-r000001", FILES)
    (plain / "edge").mkdir()
    assert encrypt(plain, encryption=KEY).left == (str(other), str(plain / "edge"))


def test_a_memory_that_is_open_is_not_encrypted(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process would go on writing in the clear."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.2)
    with opened(plain) as memory:
        assert memory.users()
        with pytest.raises(LedgerLocked):
            encrypt(plain, encryption=KEY)
        memory.observe([("user", "still here")], user_id="ana")
    encrypt(plain, encryption=KEY)


@pytest.mark.parametrize("step", ["begun", "encrypted", "adapters"])
def test_a_kill_in_the_middle_is_gone_on_from(plain: Path, step: str) -> None:
    """Nobody opens what is half done; the same command ends it, with the same key only."""
    with opened(plain) as memory:
        before = everything(memory)
    killed(f"""
        from persona_memory import encrypting
        from persona_memory.ledger import conversion
        if {step!r} == "begun":
            conversion._encrypt_rows = kill
        elif {step!r} == "encrypted":
            encrypting.seal_revision = kill
        else:
            conversion.Conversion.finish = kill
        encrypting.encrypt({str(plain)!r}, encryption={KEY!r})
    """)
    for key in (None, KEY):
        with pytest.raises(EncryptionError, match="`persona-memory encrypt` finishes it"):
            opened(plain, key)
    with pytest.raises(WrongKey):
        encrypt(plain, encryption=new_key())
    encrypt(plain, encryption=KEY)
    assert files_with(plain, b"Rexcanary") == files_with(plain, b"weights of Ana") == []
    with opened(plain, KEY) as memory:
        assert everything(memory) == before
        assert [one.problems for one in memory.doctor().checks if one.name == "keys"] == [()]


def test_the_master_key_is_changed(plain: Path) -> None:
    """The new one opens everything, the old one nothing; so in a process that was at work."""
    encrypt(plain, encryption=KEY)
    new = new_key()
    with opened(plain, KEY) as at_work:
        assert at_work.memories(user_id="ana")
        assert rotate_key(plain, encryption=KEY, new=new) == 2
        assert at_work.memories(user_id="ana")  # its key is unwrapped
        with pytest.raises(EncryptionError, match="rotate-key"):
            at_work.observe([("user", "hello")], user_id="carl")
    with pytest.raises(WrongKey):
        opened(plain, KEY)
    with pytest.raises(WrongKey):
        rotate_key(plain, encryption=KEY, new=new)
    with opened(plain, new) as memory:
        assert memory.recall("my dog", user_id="ana").hits
        memory.observe([("user", "hello")], user_id="carl")


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_kill_during_a_rotation_leaves_the_old_key_in_force(plain: Path, after: int) -> None:
    """Whichever key was wrapped last; the same command ends it."""
    encrypt(plain, encryption=KEY)
    new = new_key()
    killed(f"""
        from persona_memory import encrypting
        from persona_memory.ledger import keys
        really, count = keys.wrapped, [0]
        def wrapped(master, key):
            if count[0] == {after}:
                kill()
            count[0] += 1
            return really(master, key)
        keys.wrapped = wrapped
        encrypting.rotate_key({str(plain)!r}, encryption={KEY!r}, new={new!r})
    """)
    with pytest.raises(WrongKey):
        opened(plain, new)
    with opened(plain, KEY) as memory:
        assert len(everything(memory)) == 2
    rotate_key(plain, encryption=KEY, new=new)
    with opened(plain, new) as memory:
        assert len(everything(memory)) == 2


def test_there_has_to_be_something_to_encrypt_or_to_rotate(tmp_path: Path) -> None:
    """Neither command makes a memory."""
    with pytest.raises(InvalidInput, match="no memory"):
        encrypt(tmp_path, encryption=KEY)
    with pytest.raises(EncryptionError, match="no keys"):
        rotate_key(tmp_path, encryption=KEY, new=new_key())
    assert list(tmp_path.iterdir()) == []


def killed(code: str) -> None:
    """Run code in another process, which kills itself where it calls `kill`."""
    lines = ["import os, signal", "def kill(*_, **__): os.kill(os.getpid(), signal.SIGKILL)"]
    lines += [line.removeprefix("        ") for line in code.splitlines()]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
