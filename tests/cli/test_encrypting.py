"""Encrypting at the command line: a key is made, found by option or environment, changed, and missed with one line."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason='needs pip install "persona-memory[encryption]"')

from .conftest import Cli


@pytest.fixture
def key(cli: Cli, tmp_path: Path) -> Path:
    """A key file."""
    path = tmp_path / "persona.key"
    assert cli("keygen", path).code == 0
    return path


@pytest.fixture
def encrypted(cli: Cli, ana: str, key: Path) -> Path:
    """Ana's memory, encrypted; its key file."""
    done = cli("encrypt", "--key-file", key)
    assert (done.code, "of 1 people" in done.err) == (0, True)
    return key


def test_the_option_or_the_environment_names_the_key(
    cli: Cli, encrypted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of one command is not that of the next."""
    assert "Porto" in cli("show", "--user", "ana", "--key-file", encrypted).out
    refused = cli("show", "--user", "ana")
    assert (refused.code, "is encrypted: set PERSONA_MEMORY_KEY" in refused.err) == (1, True)
    monkeypatch.setenv("PERSONA_MEMORY_KEY", str(encrypted))
    assert "Porto" in cli("recall", "--user", "ana", "Where do I live?").out
    assert cli("forget", "t1", "--user", "ana", "--yes").code == 0


def test_every_command_that_opens_a_memory_takes_a_key_file(cli: Cli) -> None:
    """So do those that are about keys."""
    for name in ("chat", "recall", "show", "import", "export", "forget", "worker", "jobs", "adapters", "consolidate"):
        assert "--key-file" in cli(name, "--help").out, name
    for name in ("meta-train", "encrypt", "rotate-key", "decrypt", "backup", "restore", "doctor", "verify-erasure"):
        assert "--key-file" in cli(name, "--help").out, name


def test_an_encrypted_memory_is_kept(cli: Cli, encrypted: Path, home: Path, tmp_path: Path) -> None:
    """Backed up, checked, brought back with its keys; who was deleted since does not come back, and it is said."""
    key = ("--key-file", encrypted)
    assert cli("doctor", *key).code == 0
    assert cli("backup", tmp_path / "monday", *key).code == 0
    refused = cli("restore", tmp_path / "monday", "--home", tmp_path / "new", *key)
    assert (refused.code, "--keys" in refused.err) == (1, True)
    forgotten = cli("forget", "--user", "ana", "--everything", "--yes", *key)
    receipt = re.search(r"receipt (\w+)", forgotten.out + forgotten.err)
    assert receipt is not None
    assert cli("verify-erasure", receipt[1], "--text", "Porto", *key).code == 0
    done = cli("restore", tmp_path / "monday", "--home", tmp_path / "new", "--keys", home / "keys.db", *key)
    assert (done.code, "whose key was destroyed since the backup: 1" in done.err) == (0, True)
    assert json.loads(cli("show", "--json", "--home", tmp_path / "new", *key).out) == []


def test_an_export_can_be_encrypted(cli: Cli, encrypted: Path, tmp_path: Path) -> None:
    """`decrypt` gives what `export` would have written."""
    plain, sealed, again = (tmp_path / name for name in ("plain.json", "sealed", "again.json"))
    mine = ("--user", "ana", "--key-file", encrypted)
    cli("export", *mine, "--output", plain)
    assert cli("export", *mine, "--output", sealed, "--encrypt").code == 0
    assert b"Porto" not in sealed.read_bytes()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (plain, sealed)} == {0o600}
    assert cli("decrypt", sealed, "--output", again, "--key-file", encrypted).code == 0
    assert json.loads(again.read_text()) == json.loads(plain.read_text())
    assert json.loads(cli("decrypt", sealed, "--key-file", encrypted).out)["user_id"] == "ana"
    assert cli("decrypt", plain, "--key-file", encrypted).err.count("export --encrypt") == 1
    assert cli("export", *mine, "--encrypt").code == 2


def test_a_changed_key_is_the_only_one(cli: Cli, encrypted: Path, tmp_path: Path) -> None:
    """The old one is refused with one line."""
    new = tmp_path / "new.key"
    cli("keygen", new)
    same = cli("rotate-key", "--key-file", encrypted, "--new-key-file", encrypted)
    assert (same.code, "is the old one" in same.err) == (1, True)
    assert cli("rotate-key", "--key-file", encrypted, "--new-key-file", new).code == 0
    refused = cli("show", "--user", "ana", "--key-file", encrypted)
    assert (refused.code, "not the master key" in refused.err) == (1, True)
    assert "Porto" in cli("show", "--user", "ana", "--key-file", new).out


@pytest.mark.parametrize("command", [("encrypt",), ("rotate-key", "--new-key-file", "new.key"), ("decrypt", __file__)])
def test_without_a_key_it_is_said_how_one_is_made(cli: Cli, ana: str, command: tuple[str, ...]) -> None:
    """And nothing is changed."""
    done = cli(*command)
    assert (done.code, "keygen" in done.err) == (1, True)
    assert "Porto" in cli("show", "--user", "ana").out


def test_a_key_is_not_overwritten(cli: Cli, key: Path) -> None:
    """It would be lost with all that it encrypted."""
    before = key.read_text()
    done = cli("keygen", key)
    assert (done.code, "exists" in done.err) == (1, True)
    assert key.read_text() == before
