"""A home that cannot be used: one clear line on stderr, exit code 1, and the file as it was."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from persona_memory.ledger import engine
from persona_memory.ledger.schema import SCHEMA_VERSION

from .conftest import Cli

COMMANDS = [
    ("show",),
    ("show", "--user", "ana"),
    ("recall", "--user", "ana", "hello"),
    ("chat", "--user", "ana"),
    ("export", "--user", "ana"),
    ("forget", "t1", "--user", "ana", "--yes"),
    ("jobs",),
    ("worker", "--once"),
]


@pytest.fixture(params=COMMANDS, ids=lambda command: command[0])
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Every command that opens a home."""
    return tuple(request.param)


def refused(cli: Cli, command: tuple[str, ...], *says: str) -> None:
    """The command ends with 1 and one line that says all this."""
    done = cli(*command)
    assert done.code == 1
    assert done.err.startswith("persona-memory: ")
    assert done.err.count("\n") == 1
    assert all(text in done.err for text in says), done.err
    assert done.out == ""


def test_a_corrupt_file_is_left_alone(cli: Cli, home: Path, command: tuple[str, ...]) -> None:
    """Garbage is named, not overwritten."""
    (home / "memory.db").write_bytes(b"this is no database" * 400)
    refused(cli, command, "memory.db", "not a readable ledger", "restore a backup")
    assert (home / "memory.db").read_bytes() == b"this is no database" * 400


def test_a_newer_file_asks_for_an_upgrade(cli: Cli, home: Path, ana: str, command: tuple[str, ...]) -> None:
    """A ledger of a later release is not touched."""
    with sqlite3.connect(home / "memory.db") as database:
        database.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(SCHEMA_VERSION + 1),))
    database.close()
    refused(cli, command, f"schema version {SCHEMA_VERSION + 1}", "pip install --upgrade persona-memory")


def test_another_programs_database_is_left_alone(cli: Cli, home: Path) -> None:
    """No tables of ours are made in it."""
    with sqlite3.connect(home / "memory.db") as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.close()
    refused(cli, ("show",), "database of another program", "choose another home")
    with sqlite3.connect(home / "memory.db") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    database.close()


def test_a_locked_file_is_waited_for_then_named(
    cli: Cli, home: Path, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that holds the write lock for too long."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.2)
    other = sqlite3.connect(home / "memory.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for command in (("show",), ("recall", "--user", "ana", "hello"), ("chat", "--user", "ana"), ("worker", "--once")):
        refused(cli, command, "memory.db", "locked by another process", "try again")
    other.execute("ROLLBACK")
    other.close()
    assert cli("show").code == 0


def test_a_read_only_ledger_says_so(cli: Cli, home: Path, ana: str) -> None:
    """SQLite's own read-only mode stands for missing permissions, which root does not feel. Looking still works."""
    url = f"sqlite:///file:{home / 'memory.db'}?mode=ro&uri=true"
    for command in (("forget", "t1", "--yes"), ("forget", "--everything", "--yes")):
        refused(
            cli,
            (*command, "--user", ana, "--url", url),
            "memory.db",
            "cannot be written",
            "permissions",
            "name it with --home",
        )
    assert cli("show", "--user", ana, "--url", url).code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_without_permission_says_so(cli: Cli, tmp_path: Path) -> None:
    """Where the home cannot be made."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(cli, ("worker", "--once", "--home", str(locked / "home")), "Permission denied", "choose another home")


def test_a_home_that_is_a_file_says_so(cli: Cli, tmp_path: Path, command: tuple[str, ...]) -> None:
    """The path leads to a file, or through one."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    refused(cli, (*command, "--home", str(path)), "notes.txt", "choose another home")
    refused(cli, (*command, "--home", str(path / "home")), "notes.txt", "choose another home")
    assert path.read_text() == "mine"


def test_the_demo_does_not_play_in_somebodys_memory(cli: Cli, home: Path, ana: str) -> None:
    """It deletes one of its people in the end."""
    refused(cli, ("demo", "--fast", "--home", str(home)), "there is a memory in", "a folder of its own")
