"""`serve` and `api-key` at the command line; the server itself is tested in tests/serve."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .conftest import Cli


def test_a_key_is_printed_once_and_kept_as_a_hash(cli: Cli, tmp_path: Path) -> None:
    """On stdout alone, for a script to take."""
    pytest.importorskip("fastapi")
    file = tmp_path / "keys.json"
    first, second = (cli("api-key", tenant, "--keys", file) for tenant in ("acme", "globex"))
    assert (first.code, first.out.startswith("pm-"), first.out.count("\n")) == (0, True, 1)
    assert first.out.strip() not in file.read_text() + first.err
    assert [one["namespace"] for one in json.loads(file.read_text())["keys"]] == ["acme", "globex"]
    assert second.out != first.out


def test_a_server_for_everybody_needs_keys(cli: Cli, tmp_path: Path, home: Path) -> None:
    """Only this machine is served without; nothing is opened before."""
    pytest.importorskip("fastapi")
    done = cli("serve", "--host", "0.0.0.0")
    assert (done.code, "persona-memory api-key NAMESPACE --keys FILE" in done.err) == (1, True)
    missing = cli("serve", "--host", "0.0.0.0", "--keys", tmp_path / "none.json")
    assert (missing.code, "there is no file of keys" in missing.err) == (1, True)
    assert cli("serve", "--rate", "often").code == 1
    assert list(home.iterdir()) == []


def test_a_server_that_cannot_open_its_memory_does_not_start(cli: Cli, tmp_path: Path) -> None:
    """It says why, in a line."""
    pytest.importorskip("fastapi")
    (tmp_path / "home").write_text("no folder")
    done = cli("serve", "--port", 0, "--home", tmp_path / "home")
    assert done.code == 1
    assert "Traceback" not in done.err


def test_what_it_needs_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "persona_memory_serve", raising=False)
    for name in [name for name in sys.modules if name.startswith("persona_memory_serve")]:
        monkeypatch.delitem(sys.modules, name)
    done = cli("serve")
    assert (done.code, "[serve]" in done.err) == (1, True)
