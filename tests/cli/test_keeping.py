"""Commands that keep a home: backup, restore, doctor, verify-erasure."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from persona_memory import PersonaMemory
from persona_memory.keeping.aside import ASIDE
from persona_memory.retrieval.hashing import HashingEmbedder

from .conftest import Cli


def receipt_of(printed: str) -> str:
    """The id of the receipt that `forget` has printed."""
    found = re.search(r"receipt (\w+)", printed)
    assert found is not None
    return found[1]


def test_a_backup_is_made_and_restored(cli: Cli, ana: str, tmp_path: Path) -> None:
    """Both say how much that is; the second backup of the same name is refused."""
    made = cli("backup", tmp_path / "monday.tar")
    assert (made.code, made.out) == (0, "")
    assert re.search(r"monday\.tar: 1 people, \d+ events, \d+ memories", made.err)
    again = cli("backup", tmp_path / "monday.tar")
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "replaces nothing" in again.err
    restored = cli("restore", tmp_path / "monday.tar", "--home", tmp_path / "new")
    assert restored.code == 0
    assert "--erased-since" in restored.err
    assert cli("worker", "--once", "--home", tmp_path / "new").code == 0
    shown = json.loads(cli("show", "memories", "--user", ana, "--json", "--home", tmp_path / "new").out)
    assert shown == json.loads(cli("show", "memories", "--user", ana, "--json").out)
    assert not list(tmp_path.glob(f"**/{ASIDE}*"))


def test_what_was_erased_since_is_erased_again(cli: Cli, ana: str, home: Path, tmp_path: Path) -> None:
    """--erased-since names the home; what it did is said in numbers."""
    cli("backup", tmp_path / "monday")
    cli("forget", "--user", ana, "--everything", "--yes")
    restored = cli("restore", tmp_path / "monday", "--home", tmp_path / "new", "--erased-since", home)
    assert restored.code == 0
    assert "erased again: people 1, turns 0; newer policies in force: 0" in restored.err
    assert json.loads(cli("show", "--json", "--home", tmp_path / "new").out) == []


def test_doctor_ends_with_1_while_something_is_wrong(cli: Cli, ana: str, home: Path) -> None:
    """The table says what; --repair mends it and says so; --json has all of it."""
    sound = cli("doctor")
    assert (sound.code, sound.err) == (0, "")
    assert "derived rows" in sound.out
    with closing(sqlite3.connect(home / "memory.db")) as database:
        database.execute("DELETE FROM memories")
        database.commit()
    broken = cli("doctor")
    assert broken.code == 1
    assert "'ana': not what the log says: memories" in broken.out
    assert "doctor --repair" in broken.err
    assert json.loads(cli("doctor", "--json").out)["ok"] is False
    mended = cli("doctor", "--repair")
    assert mended.code == 0
    assert "repaired: 'ana'" in mended.out
    assert "worker --once" in mended.err
    assert cli("doctor").code == 0


def test_doctor_says_what_it_cannot_mend(cli: Cli, ana: str, home: Path) -> None:
    """A hole in the log stays wrong after a repair."""
    with closing(sqlite3.connect(home / "memory.db")) as database:
        database.execute("DELETE FROM events WHERE seq = 2")
        database.commit()
    done = cli("doctor", "--repair")
    assert done.code == 1
    assert "restore a backup" in done.out


def test_an_erasure_is_proven(cli: Cli, ana: str, home: Path) -> None:
    """By its receipt; with a text from the command line or, unseen by the shell's history, from stdin."""
    receipt = receipt_of(cli("forget", "t1", "--user", ana, "--yes").out)
    assert cli("verify-erasure", receipt).code == 0
    assert cli("verify-erasure", receipt, "--text", "called Rex").code == 0
    (home / "left.tmp").write_text("my dog is called Rex", encoding="utf-8")
    found = cli("verify-erasure", receipt, "--text", "-", stdin="called Rex\n")
    assert found.code == 1
    assert "left.tmp: the text, 1 time" in found.out
    unknown = cli("verify-erasure", "x")
    assert (unknown.code, unknown.err.count("\n")) == (1, 1)
    assert "no receipt 'x'" in unknown.err


def test_no_command_makes_a_memory_of_a_mistyped_folder(cli: Cli, tmp_path: Path) -> None:
    """They say that there is none."""
    for command in (("backup", tmp_path / "b"), ("doctor",), ("verify-erasure", "x")):
        done = cli(*command, "--home", tmp_path / "typo")
        assert done.code == 1
        assert "there is no memory in" in done.err
        assert not (tmp_path / "typo").exists()


def test_a_home_with_a_memory_is_not_restored_into(cli: Cli, ana: str, home: Path, tmp_path: Path) -> None:
    """Without --home it is the one that $PERSONA_MEMORY_HOME names."""
    cli("backup", tmp_path / "monday")
    done = cli("restore", tmp_path / "monday")
    assert done.code == 1
    assert "there is a memory in" in done.err
    with PersonaMemory.open(home, embeddings=HashingEmbedder(), worker=False) as memory:
        assert memory.users() == [ana]
